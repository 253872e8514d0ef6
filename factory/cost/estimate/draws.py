"""Figures with their uncertainty carried along: a middle and DRAWS draws.

Design: a step's figures for n rows are predicted from clusters seen before (observed.py) by the bootstrap: clusters are
drawn with replacement, ratios to rows are formed anew, widened by Student's t for few clusters (Efron & Tibshirani
1993, ch. 14: percentile intervals of small samples are too narrow), and what single rows scatter around them is added,
so the ends bound a run's figure and not only its expectation. What is drawn for one step goes on into the next. A guess
has no draws, and makes everything that rests on it a guess.

Cost, measured on one core: 11 ms a step at 100 clusters, 47 ms at 512.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.cost.estimate.estimate import LEVEL, Range
from factory.cost.estimate.observed import INPUTS, Matrix

DRAWS = 1000

Draws = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quantity:
    """`draws` is None of a guess."""

    middle: float
    draws: Draws | None

    def __add__(self, other: Quantity) -> Quantity:
        draws = None if self.draws is None or other.draws is None else self.draws + other.draws
        return Quantity(self.middle + other.middle, draws)

    def times(self, factor: float) -> Quantity:
        return Quantity(self.middle * factor, None if self.draws is None else self.draws * factor)

    def less(self, known: float) -> Quantity:
        """Without a part that is known; never below zero."""
        draws = None if self.draws is None else np.maximum(self.draws - known, 0.0)
        return Quantity(max(0.0, self.middle - known), draws)

    def at_most(self, most: float) -> Quantity:
        draws = None if self.draws is None else np.minimum(self.draws, most)
        return Quantity(min(self.middle, most), draws)

    @property
    def range(self) -> Range:
        if self.draws is None:
            return Range(self.middle)
        low, high = np.quantile(self.draws, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        return Range(self.middle, float(low), float(high))


def known(value: float) -> Quantity:
    return Quantity(float(value), np.full(DRAWS, float(value)))


def guess(value: float) -> Quantity:
    return Quantity(float(value), None)


NOTHING = known(0)


def predicted(clusters: Matrix, rows: Quantity, rng: np.random.Generator) -> list[Quantity]:
    """What `rows` further rows take, by column of `clusters` (one row a cluster, column INPUTS its size)."""
    sums = clusters.sum(axis=0)
    if not sums[INPUTS]:
        return [guess(0.0) for _ in sums]
    ratios = sums / sums[INPUTS]
    middles = ratios * rows.middle
    if rows.draws is None or len(clusters) < LEAST_CLUSTERS:
        return [guess(middle) for middle in middles]
    drawn = ratios + (_bootstrapped(clusters, rng) - ratios) * _widening(len(clusters))
    residuals = clusters - clusters[:, [INPUTS]] * ratios
    # One draw of luck a step, not one a column: more requests go with more tokens.
    luck = rng.standard_normal((DRAWS, 1))
    scatter = np.sqrt((residuals**2).sum(axis=0) / sums[INPUTS])
    totals = drawn * rows.draws[:, None] + luck * scatter * np.sqrt(np.maximum(rows.draws, 0.0))[:, None]
    totals = np.maximum(totals, 0.0)
    return [Quantity(float(middle), totals[:, column]) for column, middle in enumerate(middles)]


def share_of(rows: Quantity, share: float, seen: float, rng: np.random.Generator) -> Quantity:
    """The part of `rows` that is left of them where `share` of `seen` was: rows stay or go each for itself, and what
    was seen is a sample itself."""
    if rows.draws is None:
        return rows.times(share)
    scatter = np.sqrt(share * (1 - share) * np.maximum(rows.draws, 0.0) * (1 + rows.draws / max(1.0, seen)))
    draws = rows.draws * share + rng.standard_normal(DRAWS) * scatter
    return Quantity(rows.middle * share, np.clip(draws, 0.0, rows.draws))


def waiting(seconds: float, growth: float, rng: np.random.Generator, most: float = 0.0) -> Quantity:
    """Time that was seen once, over rows of which there are `growth` times as many now. One such time does not say how
    much of it is fixed and how much grows with rows, so it lies anywhere between, and by SPREAD either way besides.
    `most`: what it came to in another run; where that is more, either is as likely."""
    if not max(seconds, most):
        return NOTHING
    ends = np.log(np.maximum([seconds * min(1.0, growth), seconds * max(1.0, growth)], MILLISECOND))
    drawn = rng.uniform(ends[0], ends[1], DRAWS)
    middle = float(ends.mean())
    if most > np.exp(ends[1]):
        drawn = np.where(rng.random(DRAWS) < 0.5, np.log(most), drawn)
        middle = (middle + float(np.log(most))) / 2
    noise = rng.standard_normal(DRAWS) * np.log(SPREAD) / NORMAL_END
    return Quantity(float(np.exp(middle)), np.exp(drawn + noise))


SPREAD = 5.0
"""What such a time differs by between two runs on one machine, in nine of ten: an assumption, from few. Measured: an
engine waited 24 s in a sample of 4 documents and 6 s in the run of 12 that followed, on two cores that did other work
as well; 3.7 and 5.4 s in another pair."""

MILLISECOND = 0.001
"""No wait is taken as less, so that a range has a middle."""

NORMAL_END = 1.645
"""Where a normal distribution has 5 % beyond."""

LEAST_CLUSTERS = 3
"""Of fewer nothing can be said of how they scatter."""


def _bootstrapped(clusters: Matrix, rng: np.random.Generator) -> Matrix:
    """Ratios to rows of DRAWS resamples. Resampling is by multiplicity, so that memory is DRAWS x clusters."""
    count = len(clusters)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(np.float64)
    sums = weights @ clusters
    ratios: Matrix = sums / np.maximum(sums[:, [INPUTS]], 1e-12)
    return ratios


def _widening(count: int) -> float:
    from scipy.stats import norm, t

    end = (1 + LEVEL) / 2
    return float(t.ppf(end, count - 1) / norm.ppf(end) * np.sqrt(count / (count - 1)))
