"""Which of some texts repeat others, in one process: candidates, comparison and judgement one after another.

Design: the same functions that the passes of curation run on ranges (candidates.py, similarity.py, clusters.py), for
rows that are in memory together: up to a million. For tests, and for the loop that benchmarks compare a run with.

Cost: 200,000 questions of 20-80 words, of which 10 % repeat others, 0.8 s after sketching (one core).
Memory: 60 x (bands + 1) bytes a row, and 8 bytes a shingle of the rows that share a key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.curate.bands import Entries, entries_of, upper_half
from factory.curate.candidates import candidates
from factory.curate.clusters import judge
from factory.curate.similarity import jaccard
from factory.curate.words import I64, U64, Mask

F64 = npt.NDArray[np.float64]

Shingles = Callable[[I64], tuple[U64, I64]]
"""Given rows, their shingle hashes end to end and offsets int64[n + 1], in the order asked for."""


@dataclass(frozen=True)
class Sketches:
    """N texts: `ids` S32[N], `levels` int8[N], `sample_keys` uint64[N] (corpus/sample.py), `exact`
    uint64[N, 2] (hash of the normal form), `keys` uint64[N, bands], `eligible` bool[N] (false: already turned
    away, neither kept nor compared with)."""

    ids: npt.NDArray[np.bytes_]
    levels: npt.NDArray[np.int8]
    sample_keys: U64
    exact: U64
    keys: U64
    eligible: Mask


@dataclass(frozen=True)
class Duplicates:
    """D dropped rows, ascending: `kept` int64[D] is the row each one repeats, `similarity` float64[D] their
    measured Jaccard similarity, `exact` bool[D] whether the normal forms are equal. `pairs` counts exact
    comparisons, `crowded` buckets in which not all were compared."""

    dropped: I64
    kept: I64
    similarity: F64
    exact: Mask
    pairs: int
    crowded: int


def find_duplicates(sketches: Sketches, threshold: float, shingles: Shingles) -> Duplicates:
    """Judges every eligible row. `shingles` is called once, with the rows that share a band key."""
    order = keep_order(sketches)
    place = np.empty(len(sketches.ids), np.uint64)
    place[order] = np.arange(len(order), dtype=np.uint64)
    found = candidates(_entries(sketches, order, place))
    first, second = found.first.astype(np.int64), found.second.astype(np.int64)
    similarity = np.ones(len(first))
    near = np.flatnonzero(~found.exact)
    if len(near):
        rows, numbers = np.unique(np.concatenate((first[near], second[near])), return_inverse=True)
        hashes, offsets = shingles(order[rows])
        similarity[near] = jaccard(hashes, offsets, numbers[: len(near)], numbers[len(near) :], threshold)
    alike = similarity >= threshold
    verdicts = judge(len(order), first[alike], second[alike], similarity[alike], found.exact[alike])
    fallen = np.flatnonzero(verdicts.kept != np.arange(len(order)))
    fallen = fallen[np.argsort(order[fallen])]
    return Duplicates(
        order[fallen],
        order[verdicts.kept[fallen]],
        verdicts.similarity[fallen],
        verdicts.exact[fallen],
        len(near),
        found.crowded,
    )


def keep_order(sketches: Sketches) -> I64:
    """Eligible rows, the ones to be kept first first: place of the source in the sampling order (so that
    a grown sample keeps what a smaller one kept), lower level, smaller id, earlier row."""
    rows: I64 = np.flatnonzero(sketches.eligible)
    order: I64 = rows[np.lexsort((rows, sketches.ids[rows], sketches.levels[rows], sketches.sample_keys[rows]))]
    return order


def _entries(sketches: Sketches, order: I64, place: U64) -> Entries:
    """Band entries of the eligible rows, as of one file; a ref is a row's place in keep order."""
    exact = sketches.exact[order, 0]
    bands = sketches.keys.shape[1]
    entries = entries_of(sketches.keys[order], place[order], exact)
    orders = np.concatenate((np.repeat(place[order], bands), place[order])).astype(np.uint32)
    halves = upper_half(np.concatenate((np.repeat(exact, bands), exact)))
    return Entries(entries, halves, orders, np.array([0, len(entries)]))
