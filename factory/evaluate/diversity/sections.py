"""The coverage and diversity facts as a template shows them: charts, rows of tables, and sentences that read them.

Design: pure; every sentence states the figures it rests on, and its bounds are named here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from factory.evaluate import charts, text
from factory.evaluate.diversity.facts import (
    LOWEST,
    Coverage,
    Curve,
    DiversityFacts,
    Likeness,
    Picture,
    SharedStarts,
    Similarity,
)
from factory.evaluate.diversity.picture import draw
from factory.evaluate.diversity.saturation import at_share, new_between

TENTH = 0.1

SLOWING, SATURATED = 0.8, 0.3
"""New questions a request in the last tenth, against the first: from 0.8 on further requests still pay, below 0.3 the
documents (or the graph) are nearly used up."""

TABLE_ROWS = 10

COMPARABLE = 10
"""Documents two levels must share before a sentence compares them: a bootstrap over fewer is not to be trusted."""

KINDS = ("topics", "concepts")


def view(facts: DiversityFacts | None) -> dict[str, Any] | None:
    """What `section.html.j2` reads; None where there is nothing to show."""
    if facts is None or not facts.any:
        return None
    return {
        "facts": facts,
        "coverage": _coverage(facts.coverage) if facts.coverage else None,
        "curves": [_curve(item) for item in facts.curves if item.points],
        "similarity": _similarity(facts.similarity) if facts.similarity else None,
        "starts": _starts(facts.starts),
        "picture": _picture(facts.picture) if facts.picture else None,
    }


def _coverage(found: Coverage) -> Mapping[str, Any]:
    most = max(found.dead_ends.values(), default=0)
    return {
        "kinds": [(KINDS[item.kind], item) for item in found.kinds],
        "dead_ends": [
            (reason, count, charts.share_bar(count / most, "rejected", f"{reason}: {count:,}"))
            for reason, count in sorted(found.dead_ends.items(), key=lambda item: (-item[1], item[0]))
        ],
        "hubs": _hubs(found),
    }


def _hubs(found: Coverage) -> str:
    if found.hub_steps is None or found.hub_edges is None:
        return ""
    names = ", ".join(f"{node.name} ({node.degree:,})" for node in found.top_hubs)
    ratio = found.hub_steps / found.hub_edges if found.hub_edges else 0.0
    many = found.hubs > 1
    those = f"The {found.hubs:,} nodes with the most edges" if many else "The node with the most edges"
    return (
        f"{those} (the top 1 %) {'hold' if many else 'holds'} {text.share(found.hub_edges)} of all edge ends and "
        f"{'take' if many else 'takes'} {text.share(found.hub_steps)} of the walks' steps, {ratio:.2f} times as much: "
        f"{names}."
    )


@dataclass(frozen=True)
class CurveView:
    level: int
    chart: Markup
    labels: tuple[str, ...]
    top: str
    says: str
    rows: tuple[tuple[float, int, int, float, float | None], ...]
    rounds: int


def _curve(found: Curve) -> CurveView:
    last = found.points[-1]
    first_rate, _ = new_between(found, 0.0, TENTH)
    guide_end = first_rate * last.requests
    most = max(guide_end, float(last.new), 1.0)
    line = [(0.0, 0.0), *((point.requests / last.requests, point.new / most) for point in found.points)]
    steps = min(TABLE_ROWS, len(found.points))
    shares = [number / steps for number in range(steps + 1)]
    rows = []
    for low, high in pairwise(shares):
        end = at_share(found, high)
        rate, fresh = new_between(found, low, high)
        rows.append((end.requests, end.questions, end.new, rate, fresh))
    label = (
        f"Level {found.level}: {last.new:,} new questions after {last.requests:,.0f} requests; dashed: had the rate of "
        f"the first tenth lasted"
    )
    return CurveView(
        found.level,
        charts.plot(
            [("guide", [(0.0, 0.0), (1.0, guide_end / most)]), ("", line)],
            label,
            verticals=[end / last.requests for end in found.round_ends[:-1]],
        ),
        ("0", f"{last.requests:,.0f} requests"),
        f"{last.new:,} new of {last.questions:,}; axis to {most:,.0f}",
        _says(found),
        tuple(rows),
        len(found.round_ends),
    )


def _says(found: Curve) -> str:
    first, first_share = new_between(found, 0.0, TENTH)
    late, late_share = new_between(found, 1 - TENTH, 1.0)
    share = f"; {text.share(late_share)} of what was asked last was new" if late_share is not None else ""
    if first_share is not None and late_share is not None:
        share += f", {text.share(first_share)} at first"
    ratio = late / first if first else None
    if ratio is None:
        verdict = "too little to tell"
    elif ratio >= SLOWING:
        verdict = "no saturation yet"
    else:
        verdict = "slowing down" if ratio >= SATURATED else "close to saturation"
    return f"{late:.2f} new questions a request in the last tenth, {first:.2f} in the first{share}: {verdict}."


@dataclass(frozen=True)
class LikenessView:
    found: Likeness
    chart: Markup
    labels: tuple[str, ...]


def _similarity(found: Similarity) -> Mapping[str, Any]:
    return {
        "levels": [
            LikenessView(item, _cosines(item), (f"{LOWEST:g}", f"{(LOWEST + 1) / 2:g}", "1")) for item in found.levels
        ],
        "says": _compared(found.levels),
    }


def _cosines(item: Likeness) -> Markup:
    width = (1 - LOWEST) / len(item.bins)
    columns = [
        (f"cosine {LOWEST + number * width:.2f} to {LOWEST + (number + 1) * width:.2f}: {count:,} pairs", count)
        for number, count in enumerate(item.bins)
    ]
    label = f"Level {item.level}: cosine similarity of {item.pairs:,} pairs of questions on one document"
    return charts.columns(columns, label, at=(item.mean.mean - LOWEST) / (1 - LOWEST))


def _compared(levels: Sequence[Likeness]) -> str:
    sentences = []
    for item in levels:
        if item is levels[0]:
            continue
        gap = item.against_first
        if gap is None or item.shared < COMPARABLE:
            sentences.append(
                f"{item.shared:,} documents have pairs of both level {levels[0].level} and {item.level}: too few to "
                "compare them."
            )
            continue
        word = "less" if gap.high < 0 else "more" if gap.low > 0 else "neither less nor more"
        sentences.append(
            f"Questions of level {item.level} are {word} alike than those of level {levels[0].level}: {gap.mean:+.3f} "
            f"({gap.low:+.3f} to {gap.high:+.3f}) over {item.shared:,} documents that have both."
        )
    return " ".join(sentences)


def _starts(found: Sequence[SharedStarts]) -> Mapping[str, Any] | None:
    if not found:
        return None
    levels = sorted({item.level for item in found})
    lengths = sorted({item.tokens for item in found})
    by = {(item.level, item.tokens): item for item in found}
    lists = []
    for level in levels:
        # Of the lengths that repeat, the middle one: short starts are grammar, long ones are rare.
        preferred = (lengths[len(lengths) // 2], *lengths)
        shown = next((by[level, size] for size in preferred if by[level, size].commonest), None)
        if shown is not None:
            most = shown.commonest[0][1]
            rows = [
                (start, count, charts.share_bar(count / most, "used", f"{start}: {count:,}"))
                for start, count in shown.commonest
            ]
            lists.append((level, shown, rows))
    return {"levels": levels, "lengths": lengths, "by": by, "lists": lists, "others": found[0].others}


def _picture(found: Picture) -> Mapping[str, Any]:
    left_out = found.nodes_in_graph - found.nodes_chosen
    sentences = [
        f"The {found.nodes_chosen:,} most frequent of {found.nodes_in_graph:,} nodes and the {found.edges_chosen:,} "
        f"strongest of the {found.edges_between:,} edges between them were clustered (Louvain, modularity "
        f"{found.modularity:.2f})."
    ]
    if left_out:
        sentences.append(f"{left_out:,} rarer nodes are left out.")
    if found.small:
        sentences.append(
            f"{found.small:,} smaller communities with {found.small_nodes:,} nodes were found and are not drawn."
        )
    if len(found.edges) < found.edges_chosen:
        sentences.append(f"Drawn are the {len(found.edges):,} strongest edges between nodes that are drawn.")
    return {"svg": draw(found), "says": " ".join(sentences), "communities": found.communities}
