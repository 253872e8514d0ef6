"""How good a selector is, on examples it has not learnt from.

Design: plain numbers in frozen values, computed from scores and examples alone, so that fastText, a forest and a
rater's own opinion are measured alike; `dataclasses.asdict` of them is what manifest and report hold. An example
counts as of the domain when its own score reaches the threshold. Shares come with Wilson intervals, because held-out
sets are small. What cannot be said (precision where nothing is kept) is None, never 0 or 1.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from factory.select.training.examples import HIGHEST, LOWEST, Example

STEP = 0.1
"""Between the thresholds of a curve."""

BINS = 9
"""Reliability bins, one a whole score: [1, 2) to [9, 10]."""

Z = 1.959964
"""Of the normal distribution, for 95 %."""


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval (Wilson 1927); `value` is None where `of` is 0."""

    value: float | None
    low: float | None
    high: float | None
    of: int


@dataclass(frozen=True)
class Point:
    """A threshold: the share of examples at or above it, and how right that is."""

    threshold: float
    kept: float
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Reliability:
    """Examples that were given a score of [low, high): the mean of these, and of what their raters said."""

    low: float
    high: float
    examples: int
    mean_score: float | None
    mean_rating: float | None


@dataclass(frozen=True)
class SourceMetrics:
    """One source of examples. `of_domain` of them should be kept, `kept` were."""

    source: str
    examples: int
    of_domain: int
    kept: int
    precision: Share
    recall: Share
    mean_score: float
    mean_rating: float


@dataclass(frozen=True)
class Metrics:
    """`errors` are score minus rating: `mean_absolute_error` their size, `bias` their mean. `spearman` and
    `roc_area` are None where all ratings, or all labels, are the same."""

    threshold: float
    examples: int
    of_domain: int
    kept: int
    precision: Share
    recall: Share
    f1: float | None
    mean_absolute_error: float
    bias: float
    spearman: float | None
    roc_area: float | None
    curve: tuple[Point, ...]
    reliability: tuple[Reliability, ...]
    by_source: tuple[SourceMetrics, ...]


def measure(scores: Sequence[float], examples: Sequence[Example], threshold: float) -> Metrics:
    """Metrics of `scores`, parallel to `examples`. Raises ValueError for an empty set or scores of another number."""
    if not examples or len(scores) != len(examples):
        raise ValueError(f"{len(scores)} scores for {len(examples)} examples")
    found, ratings = np.asarray(scores, float), np.array([example.score for example in examples])
    wanted, kept = ratings >= threshold, found >= threshold
    precision, recall = _precision(wanted, kept), _recall(wanted, kept)
    sources: dict[str, list[int]] = defaultdict(list)
    for place, example in enumerate(examples):
        sources[example.source].append(place)
    return Metrics(
        threshold=threshold,
        examples=len(examples),
        of_domain=int(wanted.sum()),
        kept=int(kept.sum()),
        precision=precision,
        recall=recall,
        f1=_f1(precision.value, recall.value),
        mean_absolute_error=float(np.abs(found - ratings).mean()),
        bias=float((found - ratings).mean()),
        spearman=spearman(found, ratings),
        roc_area=rank_area(found, wanted) if 0 < wanted.sum() < wanted.size else None,
        curve=_curve(found, wanted),
        reliability=_reliability(found, ratings),
        by_source=tuple(
            _of_source(source, found[places], ratings[places], threshold) for source, places in sorted(sources.items())
        ),
    )


@dataclass(frozen=True)
class Kept:
    """How much of a corpus a threshold keeps."""

    threshold: float
    documents: int
    share: float


def kept_at(scores: Sequence[float]) -> tuple[Kept, ...]:
    """What every threshold from 1 to 10 keeps of a scored corpus, in steps of STEP."""
    ordered = np.sort(np.asarray(scores, float))
    if not ordered.size:
        return ()
    above = ordered.size - np.searchsorted(ordered, _thresholds() - 1e-9)
    return tuple(
        Kept(float(threshold), int(count), float(count / ordered.size))
        for threshold, count in zip(_thresholds(), above, strict=True)
    )


@dataclass(frozen=True)
class Agreement:
    """Two raters over the documents that both rated. `kappa` is Cohen's (1960) of kept or not at the threshold,
    `quadratic_kappa` of whole scores, weighted by squared distance (Cohen 1968); None where chance explains all.
    `bias` is the mean of first minus second."""

    first: str
    second: str
    documents: int
    exact: float
    within_one: float
    kappa: float | None
    quadratic_kappa: float | None
    spearman: float | None
    bias: float


def agreements(examples: Sequence[Example], threshold: float) -> tuple[Agreement, ...]:
    """Every pair of raters with documents in common; a rater's several scores of one document count as their mean."""
    by_rater: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        if example.rater:
            by_rater[example.rater][example.doc_id].append(example.score)
    found = []
    for first, second in combinations(sorted(by_rater), 2):
        common = sorted(by_rater[first].keys() & by_rater[second].keys())
        if common:
            one, other = (_means(by_rater[rater], common) for rater in (first, second))
            found.append(_agreement(first, second, one, other, threshold))
    return tuple(found)


def wilson(hits: int, of: int) -> Share:
    """The share `hits` of `of` with its 95 % score interval."""
    if of == 0:
        return Share(None, None, None, 0)
    share = hits / of
    centre = (share + Z * Z / (2 * of)) / (1 + Z * Z / of)
    half = Z / (1 + Z * Z / of) * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    return Share(share, max(0.0, centre - half), min(1.0, centre + half), of)


def rank_area(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs ranked rightly, ties counted half."""
    high, low = int(positive.sum()), int((~positive).sum())
    return float((_ranks(scores)[positive].sum() - high * (high + 1) / 2) / (high * low))


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Rank correlation, ties at their mean rank; None where either is constant."""
    one, other = (_ranks(values) - (values.size + 1) / 2 for values in (first, second))
    scale = math.sqrt(float((one**2).sum() * (other**2).sum()))
    return float((one * other).sum() / scale) if scale else None


def cohen_kappa(
    first: NDArray[np.int64], second: NDArray[np.int64], classes: int, *, quadratic: bool = False
) -> float | None:
    """Cohen's kappa of int[N] classes 0 to classes - 1; weighted by squared distance where `quadratic`."""
    table = np.zeros((classes, classes))
    np.add.at(table, (first, second), 1 / first.size)
    chance = np.outer(table.sum(axis=1), table.sum(axis=0))
    distance = np.subtract.outer(np.arange(classes), np.arange(classes))
    cost = distance**2 if quadratic else (distance != 0).astype(int)
    expected = float((cost * chance).sum())
    return 1 - float((cost * table).sum()) / expected if expected else None


def _agreement(
    first: str, second: str, one: NDArray[np.float64], other: NDArray[np.float64], threshold: float
) -> Agreement:
    whole = [np.floor(values + 0.5).astype(np.int64) - 1 for values in (one, other)]
    keep = [(values >= threshold).astype(np.int64) for values in (one, other)]
    return Agreement(
        first=first,
        second=second,
        documents=one.size,
        exact=float((whole[0] == whole[1]).mean()),
        within_one=float((np.abs(one - other) <= 1).mean()),
        kappa=cohen_kappa(keep[0], keep[1], 2),
        quadratic_kappa=cohen_kappa(whole[0], whole[1], int(HIGHEST), quadratic=True),
        spearman=spearman(one, other),
        bias=float((one - other).mean()),
    )


def _means(scores: Mapping[str, Sequence[float]], documents: Sequence[str]) -> NDArray[np.float64]:
    return np.array([sum(scores[document]) / len(scores[document]) for document in documents])


def _of_source(
    source: str, scores: NDArray[np.float64], ratings: NDArray[np.float64], threshold: float
) -> SourceMetrics:
    wanted, kept = ratings >= threshold, scores >= threshold
    return SourceMetrics(
        source=source,
        examples=scores.size,
        of_domain=int(wanted.sum()),
        kept=int(kept.sum()),
        precision=_precision(wanted, kept),
        recall=_recall(wanted, kept),
        mean_score=float(scores.mean()),
        mean_rating=float(ratings.mean()),
    )


def _precision(wanted: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Share:
    return wilson(int((wanted & kept).sum()), int(kept.sum()))


def _recall(wanted: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Share:
    return wilson(int((wanted & kept).sum()), int(wanted.sum()))


def _f1(precision: float | None, recall: float | None) -> float | None:
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _thresholds() -> NDArray[np.float64]:
    return np.round(np.arange(LOWEST, HIGHEST + STEP / 2, STEP), 1)


def _curve(scores: NDArray[np.float64], wanted: NDArray[np.bool_]) -> tuple[Point, ...]:
    points = []
    for threshold in _thresholds():
        kept = scores >= threshold - 1e-9
        precision, recall = _precision(wanted, kept).value, _recall(wanted, kept).value
        points.append(Point(float(threshold), float(kept.mean()), precision, recall))
    return tuple(points)


def _reliability(scores: NDArray[np.float64], ratings: NDArray[np.float64]) -> tuple[Reliability, ...]:
    width = (HIGHEST - LOWEST) / BINS
    places = np.minimum(((scores - LOWEST) / width).astype(int), BINS - 1)
    bins = []
    for number in range(BINS):
        inside = places == number
        filled = bool(inside.any())
        bins.append(
            Reliability(
                low=LOWEST + number * width,
                high=LOWEST + (number + 1) * width,
                examples=int(inside.sum()),
                mean_score=float(scores[inside].mean()) if filled else None,
                mean_rating=float(ratings[inside].mean()) if filled else None,
            )
        )
    return tuple(bins)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1-based ranks, ties at their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: NDArray[np.float64] = (ends - (counts - 1) / 2)[inverse]
    return ranks
