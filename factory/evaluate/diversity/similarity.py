"""Likeness of the questions of one document: SynthLLM's diversity test (arXiv 2503.19551, section 5.3, Fig. 5).

Design: cosines between all pairs of a level's questions on one document. A document is one observation, not its pairs,
which are far from independent: the mean is over documents, and so is the bootstrap. Levels are compared on the
documents that have both. A question of level 3 belongs to both its documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.evaluate.diversity.facts import LOWEST, Interval, Likeness

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

BINS = 30
"""Bins of the histogram, 0.04 wide."""
RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Drawn:
    """Questions drawn for a level: document -> their rows in the matrix of vectors, and for each whether curation let
    it pass. Questions with one wording share a row."""

    level: int
    rows: Mapping[str, tuple[int, ...]]
    kept: Mapping[str, tuple[bool, ...]]


def likenesses(drawn: Sequence[Drawn], vectors: F32, seed: int) -> tuple[Likeness, ...]:
    """One entry for each level with a document of two questions. vectors: float32[N, D], of any length."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norms == 0, 1, norms)
    means: dict[int, dict[str, float]] = {}
    found = []
    for item in sorted(drawn, key=lambda item: item.level):
        cosines = {document: pair_cosines(unit, rows) for document, rows in item.rows.items() if len(rows) > 1}
        if not cosines:
            continue
        means[item.level] = {document: float(values.mean()) for document, values in cosines.items()}
        of_kept = {
            document: pair_cosines(unit, [row for row, kept in zip(rows, item.kept[document], strict=True) if kept])
            for document, rows in item.rows.items()
        }
        kept_means = [float(values.mean()) for values in of_kept.values() if len(values)]
        every = np.concatenate(list(cosines.values()))
        first = min(means)
        shared = sorted(means[item.level].keys() & means[first].keys()) if item.level != first else []
        differences = [means[item.level][document] - means[first][document] for document in shared]
        found.append(
            Likeness(
                level=item.level,
                documents=len(cosines),
                questions=sum(len(item.rows[document]) for document in cosines),
                pairs=len(every),
                mean=bootstrap(list(means[item.level].values()), seed),
                bins=binned(every),
                kept=bootstrap(kept_means, seed) if kept_means else None,
                kept_pairs=sum(map(len, of_kept.values())),
                shared=len(shared),
                against_first=bootstrap(differences, seed) if differences else None,
            )
        )
    return tuple(found)


def pair_cosines(unit: F32, rows: Sequence[int]) -> F64:
    """Cosines of all pairs of the given rows of a matrix of unit vectors."""
    chosen = unit[list(rows)].astype(np.float64)
    above: F64 = (chosen @ chosen.T)[np.triu_indices(len(chosen), 1)]
    return above


def binned(cosines: F64) -> tuple[int, ...]:
    """Pairs in equal bins from LOWEST to 1; what lies beyond an end is put in the bin at that end."""
    places = np.clip(((cosines - LOWEST) / (1 - LOWEST) * BINS).astype(np.int64), 0, BINS - 1)
    return tuple(np.bincount(places, minlength=BINS).tolist())


def bootstrap(values: Sequence[float], seed: int) -> Interval:
    """Mean with the 2.5th and 97.5th percentile of the means of resamples (percentile bootstrap). Raises ValueError
    without a value."""
    if not len(values):
        raise ValueError("a mean of nothing")
    data = np.asarray(values, np.float64)
    generator = np.random.default_rng(seed)
    # One resample at a time: all of them would be 320 MB for 20,000 documents.
    means = [data[generator.integers(0, len(data), len(data))].mean() for _ in range(RESAMPLES)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Interval(float(data.mean()), float(low), float(high))
