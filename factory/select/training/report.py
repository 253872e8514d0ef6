"""The selector report: one HTML page that says what a selector was made of, how good it is and what it keys on.

Design: a pure function from measured facts to a self-contained page, with the run report's styles, charts and
safeguards (factory/evaluate): no script, no resource from anywhere, everything escaped.
Cost: about 30 ms a page of 60 to 120 kB.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from factory import __version__
from factory.evaluate import charts, text
from factory.evaluate.environment import page_environment
from factory.evaluate.facts import Bin, Numbers
from factory.select.training.examples import HIGHEST, LOWEST
from factory.select.training.explain import Explanation, MarkupEffect
from factory.select.training.metrics import Agreement, Kept, Metrics, Share
from factory.select.training.ratings import Met, lost_in_words

NAMED_THRESHOLDS = (3.0, 4.0, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0, 9.0)
"""Of the table of what each threshold keeps; the plot shows all."""


@dataclass(frozen=True)
class Iteration:
    """One round of training: what it learnt from, and how good it was on the held-out examples (None where nothing
    was held out, as in a cold start). `kept` is the share of the scored corpus at the threshold."""

    name: str
    examples: int
    metrics: Metrics | None = None
    kept: float | None = None


@dataclass(frozen=True)
class SelectorReport:
    """What the page shows. `metrics` are the kept model's on held-out examples, `elsewhere` those on sources that
    were in no training set; `corpus_scores` are of the corpus or a sample of it; `examples` counts by origin."""

    fingerprint: str
    domain: str
    kind: str
    threshold: float
    seed: int
    examples: Mapping[str, int]
    metrics: Metrics | None
    iterations: Sequence[Iteration] = ()
    elsewhere: Metrics | None = None
    corpus: Sequence[Kept] = ()
    corpus_scores: Sequence[float] = ()
    agreement: Sequence[Agreement] = ()
    explanation: Explanation | None = None
    markup: Sequence[MarkupEffect] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    raters: Mapping[str, Any] = field(default_factory=dict)
    licence_notes: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    model_bytes: int = 0


def build_selector_report(data: SelectorReport) -> str:
    """The page, as text that encodes to UTF-8 whatever the data held."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            data=data,
            version=__version__,
            tiles=_tiles(data),
            notices=_notices(data),
            precision_recall=_precision_recall(data.metrics),
            by_threshold=_by_threshold(data.metrics, data.threshold),
            reliability=_reliability(data.metrics),
            kept=_kept(data.corpus, data.threshold),
            thresholds=_thresholds(data),
            histogram=_histogram(data.corpus_scores),
            tables=[
                (title, metrics)
                for title, metrics in (("Held-out examples", data.metrics), ("Sources never seen", data.elsewhere))
                if metrics is not None
            ],
            words=_words(data.explanation),
            parameters=json.dumps(dict(data.parameters), indent=2, ensure_ascii=False, default=str),
        )
    )


@cache
def _environment() -> Environment:
    environment = page_environment("factory.select.training")
    environment.filters.update(
        count=text.count, share=text.share, decimal=text.decimal, interval=_interval, fixed=_fixed, rater=rater_in_words
    )
    return environment


def rater_in_words(about: Mapping[str, Any]) -> str:
    """One line about who rated, from what the manifest says of a rater (keep.py)."""
    if about["kind"] == "file":
        files = ", ".join(f"{name} (sha256 {sha256[:12]})" for name, sha256 in about["files"].items())
        raters = about["by_rater"]
        by = "; by " + ", ".join(f"{name} ({text.count(count)})" for name, count in raters.items())
        lost = lost_in_words(Met(about["ratings"], about["used"], about["left_out"], raters))
        return f"{text.count(about['ratings'])} ratings of {files}{by}" + (f"; {lost}" if lost else "")
    revision = f" at {about['revision'][:12]}" if about.get("revision") else ""
    samples = f", {about['samples']} ratings a document" if about.get("samples", 1) > 1 else ""
    by = f"{about['model']}{revision}, engine {about['engine']}, prompt {about['prompt_id'][:12]}{samples}"
    return f"{text.count(about['ratings'])} ratings by {by}"


@dataclass(frozen=True)
class Tile:
    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Notice:
    """`tone`: "loud" (must be known before the selector is used) or "note"."""

    tone: str
    headline: str
    body: str


def _tiles(data: SelectorReport) -> list[Tile]:
    metrics = data.metrics
    at = f"at {data.threshold:g}"
    tiles = [Tile("Examples", text.count(sum(data.examples.values())), "learnt from")]
    if metrics is not None:
        tiles += [
            Tile("Precision", text.share(metrics.precision.value), f"{at}; {_interval(metrics.precision)}"),
            Tile("Recall", text.share(metrics.recall.value), f"{at}; {_interval(metrics.recall)}"),
            Tile("F1", _fixed(metrics.f1), f"{text.count(metrics.examples)} held out"),
            Tile("Mean error", _fixed(metrics.mean_absolute_error), f"points of 10; bias {_signed(metrics.bias)}"),
        ]
    kept = _at(data.corpus, data.threshold)
    if kept is not None:
        tiles.append(Tile("Corpus kept", text.share(kept.share), f"{at}; {text.count(kept.documents)} documents"))
    return tiles


MARKUP_MATTERS = 0.05
"""Share of documents crossing the threshold with their markup gone from which the report warns."""

MARKUP_TEXTS = 20
"""Of a group, at least, to warn by: of fewer a single text is more than MARKUP_MATTERS («d2l-en», 1 of 5)."""


def _notices(data: SelectorReport) -> list[Notice]:
    found = []
    if data.metrics is None:
        found.append(
            Notice(
                "loud",
                "Nothing was held out.",
                "How good this selector is has not been measured; only how it came about.",
            )
        )
    elif data.metrics.precision.value is None or data.metrics.recall.value is None:
        found.append(
            Notice(
                "loud",
                "Precision or recall cannot be said.",
                "No held-out example reached the threshold, or none should: hold out more, or look at the raters.",
            )
        )
    judged = [effect for effect in data.markup if effect.texts >= MARKUP_TEXTS]
    fragile = [effect.group for effect in judged if effect.changed > MARKUP_MATTERS]
    if fragile:
        found.append(
            Notice(
                "loud",
                f"Markup decides over more than {text.share(MARKUP_MATTERS)} of: {', '.join(fragile)}.",
                "The selector partly detects how these texts are written, not what they are about.",
            )
        )
    weak = [pair for pair in data.agreement if pair.quadratic_kappa is not None and pair.quadratic_kappa < WEAK_KAPPA]
    if weak:
        names = "; ".join(f"{pair.first} and {pair.second}" for pair in weak)
        found.append(
            Notice(
                "loud",
                f"Raters hardly agree: {names}.",
                "A selector is no better than its ratings; take the stronger rater's.",
            )
        )
    return found


WEAK_KAPPA = 0.4
"""Below it agreement is called fair at best (Landis and Koch 1977)."""


def _place(score: float) -> float:
    return (score - LOWEST) / (HIGHEST - LOWEST)


def _precision_recall(metrics: Metrics | None) -> Markup | None:
    if metrics is None:
        return None
    points = [
        (point.recall, point.precision)
        for point in metrics.curve
        if point.recall is not None and point.precision is not None
    ]
    if len(points) < 2:
        return None
    label = "precision over recall, one point a threshold"
    return charts.plot([("used", points)], label, at=metrics.recall.value)


def _by_threshold(metrics: Metrics | None, threshold: float) -> Markup | None:
    if metrics is None:
        return None
    precision = [(_place(point.threshold), point.precision) for point in metrics.curve if point.precision is not None]
    recall = [(_place(point.threshold), point.recall) for point in metrics.curve if point.recall is not None]
    lines = [("used", precision), ("rejected", recall)]
    return charts.plot(lines, "precision and recall at every threshold", at=_place(threshold))


def _reliability(metrics: Metrics | None) -> Markup | None:
    if metrics is None:
        return None
    points = [
        (_place(item.mean_score), _place(item.mean_rating))
        for item in metrics.reliability
        if item.mean_score is not None and item.mean_rating is not None
    ]
    lines = [("guide", [(0.0, 0.0), (1.0, 1.0)]), ("used", points)]
    return charts.plot(lines, "mean rating of examples over their mean score")


def _kept(corpus: Sequence[Kept], threshold: float) -> Markup | None:
    if not corpus:
        return None
    points = [(_place(item.threshold), item.share) for item in corpus]
    return charts.plot([("used", points)], "share of the corpus that each threshold keeps", at=_place(threshold))


def _thresholds(data: SelectorReport) -> list[tuple[float, Any, Kept | None]]:
    """(threshold, point of the curve or None, what it keeps of the corpus or None)."""
    wanted = sorted({*NAMED_THRESHOLDS, data.threshold})
    curve = {round(point.threshold, 2): point for point in data.metrics.curve} if data.metrics else {}
    return [(threshold, curve.get(round(threshold, 2)), _at(data.corpus, threshold)) for threshold in wanted]


def _at(corpus: Sequence[Kept], threshold: float) -> Kept | None:
    return next((item for item in corpus if abs(item.threshold - threshold) < 1e-6), None)


def _histogram(scores: Sequence[float]) -> Markup | None:
    if not scores:
        return None
    width = 0.5
    count = round((HIGHEST - LOWEST) / width)
    rows = [0] * count
    for score in scores:
        rows[min(int((score - LOWEST) / width), count - 1)] += 1
    bins = tuple(Bin(LOWEST + place * width, LOWEST + (place + 1) * width, rows[place]) for place in range(count))
    ordered = sorted(scores)
    numbers = Numbers(
        bins,
        len(scores),
        0,
        ordered[0],
        ordered[len(ordered) // 2],
        ordered[int(0.95 * (len(ordered) - 1))],
        ordered[-1],
        sum(scores) / len(scores),
    )
    return charts.histogram(numbers, "points", "scores of the corpus")


def _words(explanation: Explanation | None) -> list[tuple[str, list[tuple[Any, Markup]]]]:
    """(heading, [(word, bar)]) for both directions, on one scale."""
    if explanation is None:
        return []
    most = max((abs(item.effect) for item in (*explanation.towards, *explanation.away)), default=0.0)
    return [
        (
            heading,
            [(item, charts.stacked_bar([(css, abs(item.effect))], most, f"{item.effect:+.2f}")) for item in words],
        )
        for heading, css, words in (
            ("Towards the domain", "used", explanation.towards),
            ("Away from it", "rejected", explanation.away),
        )
    ]


def _interval(share: Share) -> str:
    if share.low is None or share.high is None:
        return text.NONE
    return f"95{text.NBSP}%: {100 * share.low:.1f} to {100 * share.high:.1f}{text.NBSP}%"


def _fixed(value: float | None) -> str:
    return text.NONE if value is None else f"{value:.2f}"


def _signed(value: float) -> str:
    return f"{value:+.2f}"
