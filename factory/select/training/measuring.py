"""What can be said of a finished training job: every iteration's classifier on the same held-out examples, and what
the last one keys on.

Design: one yardstick for all iterations, the examples held out at the end, so that their figures can be compared.
Measured in a worker, where models and texts are; what comes back is numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from factory.select.training.book import measured_on
from factory.select.training.examples import HIGHEST, LOWEST, Example
from factory.select.training.explain import Explanation, MarkupEffect, explain, markup_effects
from factory.select.training.metrics import Agreement, Kept, Metrics, agreements, measure
from factory.select.training.models import TrainedModel, scorer_of
from factory.select.training.ratings import Rating
from factory.store.base import Store

EXPLAINED_TEXTS = 1000
"""Words are read off from so many texts: enough for thirty words each way."""

MARKUP_SOURCES = 12
"""Sources whose markup is taken out, the largest first: more do not fit a table that is read."""

CORPUS_SCORES = 20_000
"""Values that a histogram of the corpus is drawn from; larger corpora are scaled down to it."""


@dataclass(frozen=True)
class Measured:
    """`by_iteration` on what was held out, `unseen` of the last classifier on sources that nothing was learnt from;
    None where there is no such example."""

    by_iteration: tuple[Metrics | None, ...]
    unseen: Metrics | None
    explanation: Explanation | None
    markup: tuple[MarkupEffect, ...]


def measured(
    store: Store,
    models: Sequence[TrainedModel],
    held_out: Sequence[Example],
    unseen: Sequence[Example],
    learnt: Sequence[Example],
    threshold: float,
) -> Measured:
    """Scores and measures here and now; `models` in the order of the iterations."""
    ruler, elsewhere = measured_on(held_out), measured_on(unseen)
    by_iteration = [_of(store, model, ruler, threshold) for model in models]
    scorer = scorer_of(store, models[-1])
    shown = [example.text for example in (*ruler, *elsewhere)] or [example.text for example in learnt]
    return Measured(
        by_iteration=tuple(by_iteration),
        unseen=_of(store, models[-1], elsewhere, threshold),
        explanation=explain(scorer, shown[:EXPLAINED_TEXTS]) if shown else None,
        markup=markup_effects(scorer, _by_source([*ruler, *elsewhere]), threshold),
    )


def agreement_of(ratings: Sequence[Rating], threshold: float) -> tuple[Agreement, ...]:
    """Every pair of raters over the documents that both rated."""
    said = [Example("", one.score, one.doc_id, "", "rated", one.rater) for one in ratings]
    return agreements(said, threshold)


def kept_of(histogram: Mapping[float, int]) -> tuple[Kept, ...]:
    """What every threshold from 1 to 10 keeps of a corpus, in steps of a bin."""
    total = sum(histogram.values())
    thresholds = [number / 10 for number in range(round(LOWEST * 10), round(HIGHEST * 10) + 1)]
    above = [sum(count for edge, count in histogram.items() if edge >= threshold) for threshold in thresholds]
    return tuple(
        Kept(threshold, count, count / total if total else 0.0)
        for threshold, count in zip(thresholds, above, strict=True)
    )


def scores_of(histogram: Mapping[float, int]) -> list[float]:
    """Scores that give the histogram back, at most about CORPUS_SCORES of them."""
    scale = min(1.0, CORPUS_SCORES / max(1, sum(histogram.values())))
    return [min(edge + 0.05, HIGHEST) for edge, count in histogram.items() for _ in range(round(count * scale))]


def _of(store: Store, model: TrainedModel, examples: Sequence[Example], threshold: float) -> Metrics | None:
    if not examples:
        return None
    return measure(scorer_of(store, model).score([example.text for example in examples]), examples, threshold)


def _by_source(examples: Sequence[Example]) -> dict[str, list[str]]:
    largest = [source for source, _ in Counter(example.source for example in examples).most_common(MARKUP_SOURCES)]
    texts: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        texts[example.source].append(example.text)
    return {source: texts[source] for source in largest}
