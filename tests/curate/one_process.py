"""Which of some texts repeat others, in one process: candidates, comparison and judgement one after another.

Design: the same functions that the passes of curation run on ranges (candidates.py, similarity.py, clusters.py), for
rows that are in memory together: up to a million. For tests, and for the loop that benchmarks compare a run with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.curate.bands import Entries, entries_of, upper_half
from factory.curate.candidates import candidates
from factory.curate.clusters import judge
from factory.curate.minhash import LshParameters, sketch_keys
from factory.curate.shingles import shingled
from factory.curate.similarity import similarities
from factory.curate.words import I64, U64, Mask

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """N texts with their `ids` S32[N], `levels` int8[N], `sample_keys` uint64[N] (corpus/sample.py), `eligible`
    bool[N] (false: already turned away, neither kept nor compared with)."""

    texts: Sequence[str]
    ids: npt.NDArray[np.bytes_]
    levels: npt.NDArray[np.int8]
    sample_keys: U64
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


def find_duplicates(rows: Rows, parameters: LshParameters) -> Duplicates:
    """Judges every eligible row."""
    order = keep_order(rows)
    texts = [rows.texts[row] for row in order.tolist()]
    array, views = shingled(texts, parameters.shingling)
    keys, owners = sketch_keys(array, views, parameters)
    exact = array.text_hashes[:, 0]
    places = np.arange(len(texts))
    orders = np.concatenate((np.repeat(owners, keys.shape[1]), places)).astype(np.uint32)
    halves = upper_half(np.concatenate((np.repeat(exact[owners], keys.shape[1]), exact)))
    entries = entries_of(keys, owners, places, exact)
    # A ref is a row's place in keep order.
    found = candidates(Entries(entries, halves, orders, np.array([0, len(entries)])))
    first, second = found.first.astype(np.int64), found.second.astype(np.int64)
    similarity = np.ones(len(first))
    near = np.flatnonzero(~found.exact)
    similarity[near] = similarities(views, first[near], second[near], parameters.threshold)
    alike = similarity >= parameters.threshold
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


def keep_order(rows: Rows) -> I64:
    """Eligible rows, the ones to be kept first first: place of the source in the sampling order (so that
    a grown sample keeps what a smaller one kept), lower level, smaller id, earlier row."""
    eligible: I64 = np.flatnonzero(rows.eligible)
    order: I64 = eligible[np.lexsort((eligible, rows.ids[eligible], rows.levels[eligible], rows.sample_keys[eligible]))]
    return order
