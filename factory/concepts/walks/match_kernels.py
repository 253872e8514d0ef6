"""Which passages of an index segment share most nodes with each walk.

Design: a walk's posting lists are counted into one byte a passage (a segment of 64,000 passages fits the second-level
cache), and only passages whose count and size can still reach the walk's k best are scored. The k best are kept
sorted by score, then by chunk id, one passage a document: which of a document's passages, and which documents, does
not depend on the order of segments, because both orders are total.

Cost, one core: 2-3 ns a posting of the walk's nodes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from factory.concepts.walks.adjacency import I64, U32, U64, Flags
from factory.concepts.walks.draws import F64
from factory.native import compiled

I32 = npt.NDArray[np.int32]


class Postings(NamedTuple):
    """A segment: which of its passages hold a node, and what is needed to rank them."""

    starts: I64  # [T + 1], into positions, in the order of the segment's node ids
    positions: U32
    sizes: I32  # [N] nodes of each passage
    chunks: U64  # [N, 2] chunk id as 128 bits
    documents: U64  # [N, 2] document id as 128 bits
    classes: I32  # [N] what `Restriction.allowed` tells apart


class Best(NamedTuple):
    """The best passages of W walks so far, at most K a walk and one a document; the best first."""

    counts: I64  # [W] found
    scores: F64  # [W, K]
    overlaps: I32  # [W, K] nodes shared
    places: I64  # [W, K] number of the segment << 32 | position in it
    chunks: U64  # [W, K, 2]
    documents: U64  # [W, K, 2]
    classes: I32  # [W, K]


class Restriction(NamedTuple):
    """Which passages a walk may have: none of `document`, and of class c only where allowed[rows[walk], c]."""

    rows: I64  # [W]; -1: any passage
    allowed: Flags  # [R, C]
    documents: U64  # [W, 2]


@compiled
def _before(score: float, chunk: U64, best: Best, walk: int, rank: int) -> bool:
    """Whether a passage stands before the one at `rank`."""
    other = best.scores[walk, rank]
    if score != other:
        return bool(score > other)
    if chunk[0] != best.chunks[walk, rank, 0]:
        return bool(chunk[0] < best.chunks[walk, rank, 0])
    return bool(chunk[1] < best.chunks[walk, rank, 1])


@compiled
def _offer(best: Best, walk: int, score: float, overlap: int, segment: int, position: int, postings: Postings) -> None:
    """Puts a passage where it belongs, if it does."""
    chunk, document = postings.chunks[position], postings.documents[position]
    count, room = best.counts[walk], best.scores.shape[1]
    rank = -1
    for index in range(count):
        if best.documents[walk, index, 0] == document[0] and best.documents[walk, index, 1] == document[1]:
            rank = index
    if rank >= 0:
        if not _before(score, chunk, best, walk, rank):
            return
    elif count < room:
        rank = count
        best.counts[walk] += 1
    else:
        if not _before(score, chunk, best, walk, room - 1):
            return
        rank = room - 1
    while rank > 0 and _before(score, chunk, best, walk, rank - 1):
        best.scores[walk, rank] = best.scores[walk, rank - 1]
        best.overlaps[walk, rank] = best.overlaps[walk, rank - 1]
        best.places[walk, rank] = best.places[walk, rank - 1]
        best.chunks[walk, rank] = best.chunks[walk, rank - 1]
        best.documents[walk, rank] = best.documents[walk, rank - 1]
        best.classes[walk, rank] = best.classes[walk, rank - 1]
        rank -= 1
    best.scores[walk, rank] = score
    best.overlaps[walk, rank] = overlap
    best.places[walk, rank] = (np.int64(segment) << 32) | position
    best.chunks[walk, rank] = chunk
    best.documents[walk, rank] = document
    best.classes[walk, rank] = postings.classes[position]


@compiled
def _limits(best: Best, walk: int, size: int, containment: bool, largest: I64) -> None:
    """largest[c]: nodes of the largest passage that can be among the best with c nodes shared; one too many where
    rounding is in doubt."""
    room = best.scores.shape[1]
    for overlap in range(1, size + 1):
        largest[overlap] = np.iinfo(np.int64).max
        if best.counts[walk] == room:
            least = best.scores[walk, room - 1]
            if not containment:
                largest[overlap] = np.int64(overlap / least) - size + overlap + 1
            elif overlap / size < least:
                largest[overlap] = -1


@compiled
def rank_passages(
    postings: Postings,
    segment: int,
    terms: I64,  # positions of the walks' nodes among the segment's, end to end; -1: not there
    bounds: I64,  # [W + 1] into terms
    containment: bool,
    restriction: Restriction,
    best: Best,
) -> None:
    """Offers every passage of a segment to every walk it shares a node with."""
    sizes = postings.sizes
    counts = np.zeros(len(sizes), np.uint8)
    touched = np.empty(len(sizes) + 1, np.int64)
    room = best.scores.shape[1]
    largest = np.empty(256, np.int64)
    for walk in range(len(bounds) - 1):
        held, size = 0, bounds[walk + 1] - bounds[walk]
        for term in terms[bounds[walk] : bounds[walk + 1]]:
            if term < 0:
                continue
            for position in postings.positions[postings.starts[term] : postings.starts[term + 1]]:
                # Without a branch: which passages are met for the first time cannot be predicted.
                touched[held] = position
                held += counts[position] == 0
                counts[position] += 1
        row = restriction.rows[walk]
        _limits(best, walk, size, containment, largest)
        for position in touched[:held]:
            overlap = int(counts[position])
            counts[position] = 0
            if sizes[position] > largest[overlap]:
                continue
            document = postings.documents[position]
            if row >= 0:
                own = restriction.documents[walk]
                if not restriction.allowed[row, postings.classes[position]]:
                    continue
                if document[0] == own[0] and document[1] == own[1]:
                    continue
            union = size if containment else size + sizes[position] - overlap
            _offer(best, walk, overlap / union, overlap, segment, position, postings)
            if best.counts[walk] == room:
                _limits(best, walk, size, containment, largest)
