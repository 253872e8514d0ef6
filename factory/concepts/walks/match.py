"""The passages nearest to each walk, over an index too large to hold.

Design: the paper grounds a walk in the two documents whose concept sets have the highest Jaccard similarity with
its nodes (arXiv 2503.19551, section 4.2). Segments of the inverted index are read one after another, and the k best
passages of every walk are kept between them. The result is exact: every passage that shares a node with a walk is
scored. Order is by score, then by chunk id; a document stands in it once, with its best passage. What may be the
second passage depends on the first, so walks whose k best hold no admissible second are searched again, under the
restriction (see pairing.py).

Cost, per walk and segment: 2-3 ns a posting of its nodes (match_kernels.py). Memory: a segment, and 60 bytes x k a
walk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from factory.concepts.walks.adjacency import I64, U32, U64
from factory.concepts.walks.match_kernels import I32, Best, Postings, Restriction, rank_passages

Measure = Literal["jaccard", "containment"]

POSITION_BITS = 32


@dataclass(frozen=True)
class Segment:
    """A part of the inverted index, as read. Passages are numbered by their place in it."""

    number: int
    node_ids: U64  # [T], sorted
    starts: I64  # [T + 1], into positions
    positions: U32  # of the passages that hold a node, each once
    sizes: I32  # [N] nodes of each passage
    chunks: U64  # [N, 2], see id_words
    documents: U64  # [N, 2]
    licenses: Sequence[str]  # [N]

    def positions_of(self, ids: U64) -> I64:
        """Where `ids` stand among node_ids; -1 for those that no passage of the segment holds."""
        places = np.searchsorted(self.node_ids, ids)
        if not len(self.node_ids):
            return np.full(len(ids), -1, np.int64)
        present = self.node_ids[np.minimum(places, len(self.node_ids) - 1)] == ids
        return np.where(present, places, -1).astype(np.int64)


@dataclass(frozen=True)
class Sets:
    """The distinct nodes of walks, end to end."""

    nodes: U64
    bounds: I64  # [W + 1]

    def take(self, rows: I64) -> Sets:
        sizes = np.diff(self.bounds)[rows]
        bounds = np.concatenate(([0], np.cumsum(sizes)))
        take = np.arange(bounds[-1]) - np.repeat(bounds[:-1] - self.bounds[rows], sizes)
        return Sets(self.nodes[take], bounds.astype(np.int64))


Classify = Callable[[Segment], I32]


def no_best(walks: int, k: int) -> Best:
    """What is known before any segment was read."""
    return Best(
        np.zeros(walks, np.int64),
        np.zeros((walks, k), np.float64),
        np.zeros((walks, k), np.int32),
        np.zeros((walks, k), np.int64),
        np.zeros((walks, k, 2), np.uint64),
        np.zeros((walks, k, 2), np.uint64),
        np.zeros((walks, k), np.int32),
    )


def no_restriction(walks: int) -> Restriction:
    return Restriction(np.full(walks, -1, np.int64), np.ones((1, 1), np.bool_), np.zeros((walks, 2), np.uint64))


def best_passages(
    sets: Sets,
    segments: Iterable[Segment],
    k: int,
    measure: Measure,
    classify: Classify | None = None,
    restriction: Restriction | None = None,
) -> Best:
    """The k best passages of different documents for every walk: highest score first, ties by chunk id.

    Passages that share no node with a walk are none of its best. `classify` gives each passage of a segment the
    class that `restriction` and the caller tell it by. Raises ValueError for a walk of more than 255 nodes, whose
    overlaps would not fit their byte.
    """
    sizes = np.diff(sets.bounds)
    if len(sizes) and int(sizes.max()) > np.iinfo(np.uint8).max:
        raise ValueError(f"a walk has {int(sizes.max())} nodes; at most 255 can be matched")
    best = no_best(len(sizes), k)
    restriction = restriction or no_restriction(len(sizes))
    distinct, inverse = np.unique(sets.nodes, return_inverse=True)
    for segment in segments:
        classes = classify(segment) if classify else np.zeros(len(segment.sizes), np.int32)
        postings = Postings(
            segment.starts, segment.positions, segment.sizes, segment.chunks, segment.documents, classes
        )
        terms = segment.positions_of(distinct)[inverse]
        containment = measure == "containment"
        rank_passages(postings, segment.number, terms, sets.bounds, containment, restriction, best)
    return best


def place_of(place: npt.NDArray[np.int64]) -> tuple[I64, I64]:
    """Number of the segment, and position in it, of `Best.places`."""
    return place >> POSITION_BITS, place & ((1 << POSITION_BITS) - 1)


def id_words(ids: Sequence[str]) -> U64:
    """uint64[N, 2] that sort like the ids, which are 32 hexadecimal digits (factory/identity.py).

    Raises ValueError for any other id.
    """
    try:
        data = bytes.fromhex("".join(ids))
    except ValueError:
        data = b""
    if len(data) != 16 * len(ids) or any(len(item) != 32 for item in ids):
        strange = next((item for item in ids if len(item) != 32), "?")
        raise ValueError(f"an id that is not 32 hexadecimal digits: {strange!r}")
    return np.frombuffer(data, ">u8").astype(np.uint64).reshape(-1, 2)


def id_text(words: U64) -> str:
    """The id behind one row of `id_words`."""
    return f"{int(words[0]):016x}{int(words[1]):016x}"
