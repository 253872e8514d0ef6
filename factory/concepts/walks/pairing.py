"""The two passages a walk is grounded in, and why some walks get none.

Design: the first passage is the walk's best, the second the best of another document that may stand beside it: of
the same split, under a licence that does not conflict, and no near-duplicate of the first (the paper has no such
check: a page and its reprint are the likeliest pair there is). A few best passages settle nearly every walk. Where
all of them are refused, the index is searched once more for passages of admissible licence and split, so a corpus of
many licences costs no walk; only near-duplicates are looked for no deeper than `candidates` documents.

Cost: beside matching, two signatures a walk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from factory.concepts.walks.adjacency import I64, Flags
from factory.concepts.walks.draws import F64
from factory.concepts.walks.match import Measure, Segment, Sets, best_passages, id_text
from factory.concepts.walks.match_kernels import I32, Best, Restriction

NO_DOCUMENT, NO_SECOND_DOCUMENT, NEAR_DUPLICATE_PAIR, LICENCE_CONFLICT, SPLIT_CONFLICT = (
    "no_document",
    "no_second_document",
    "near_duplicate_pair",
    "licence_conflict",
    "split_conflict",
)

FIRST_LOOK = 4
"""Documents kept in the first search: more make every passage's chance to be among the best, and its cost, larger."""

Conflict = Callable[[str, str], bool]
"""Whether texts under two licences (SPDX expressions) may not stand in one prompt."""

SplitOf = Callable[[str], str]
"""Which split of the dataset a document's questions go to, by its id."""


class Index(Protocol):
    """The inverted index, wherever it lies."""

    def segments(self) -> Iterator[Segment]: ...

    def similarity(self, first: I64, second: I64) -> F64:
        """Estimated Jaccard similarity of the texts at two arrays of places (`match.place_of`)."""
        ...


@dataclass(frozen=True)
class PairRules:
    """What is allowed. A function that is None forbids nothing."""

    measure: Measure = "jaccard"
    candidates: int = 16
    near_duplicate: float = 0.7
    conflict: Conflict | None = None
    split_of: SplitOf | None = None


@dataclass(frozen=True)
class Pairs:
    """Two passages for each of W walks, best first; where `reasons` has a walk's row, it has fewer."""

    places: I64  # [W, 2], see match.place_of
    scores: F64  # [W, 2]
    overlaps: I32  # [W, 2] nodes shared
    reasons: dict[int, str] = field(default_factory=dict)
    refused: dict[int, dict[str, int]] = field(default_factory=dict)  # row -> reason -> candidates


def pair_passages(sets: Sets, index: Index, rules: PairRules) -> Pairs:
    """Pairs of all walks. Reasons: no_document, no_second_document, or, where every candidate was refused, what the
    best of them was refused for: near_duplicate_pair, licence_conflict, split_conflict."""
    walks = len(sets.bounds) - 1
    classes = _Classes(rules)
    look = min(FIRST_LOOK, rules.candidates)
    best = best_passages(sets, index.segments(), look, rules.measure, classes.of)
    search = _Search(index, rules, classes, walks)
    search.first(best)
    full = best.counts == look
    left = search.settle(np.arange(walks), best, start=1)
    deeper = left[full[left]]
    if len(deeper):
        search.begin_again(deeper)
        restriction = classes.restriction(best, deeper)
        again = best_passages(
            sets.take(deeper), index.segments(), rules.candidates, rules.measure, classes.of, restriction
        )
        search.settle(deeper, again, start=0)
    return search.pairs()


class _Classes:
    """Numbers for what decides about admissibility besides the text: (licence, split)."""

    def __init__(self, rules: PairRules) -> None:
        self.rules = rules
        self.numbers: dict[tuple[str, str], int] = {}
        self.known: dict[tuple[str, str], bool] = {}

    def of(self, segment: Segment) -> I32:
        licenses: Sequence[str] = segment.licenses if self.rules.conflict else [""] * len(segment.sizes)
        splits = self._splits(segment)
        pairs = zip(licenses, splits, strict=True)
        return np.array([self.numbers.setdefault(pair, len(self.numbers)) for pair in pairs], np.int32)

    def refusal(self, first: int, second: int) -> str | None:
        """Why passages of two classes are no pair."""
        one, other = self._names()[first], self._names()[second]
        if one[1] != other[1]:
            return SPLIT_CONFLICT
        return LICENCE_CONFLICT if self._conflict(one[0], other[0]) else None

    def restriction(self, best: Best, walks: I64) -> Restriction:
        """What the second passages of `walks` may be, given their first."""
        distinct, rows = np.unique(best.classes[walks, 0], return_inverse=True)
        allowed: Flags = np.array(
            [
                [self.refusal(first, second) is None for second in range(len(self.numbers))]
                for first in distinct.tolist()
            ]
        )
        return Restriction(rows.astype(np.int64), allowed, best.documents[walks, 0])

    def _names(self) -> list[tuple[str, str]]:
        return list(self.numbers)

    def _conflict(self, one: str, other: str) -> bool:
        if self.rules.conflict is None:
            return False
        pair = (one, other)
        if pair not in self.known:
            self.known[pair] = self.rules.conflict(one, other)
        return self.known[pair]

    def _splits(self, segment: Segment) -> list[str]:
        if self.rules.split_of is None:
            return [""] * len(segment.sizes)
        split_of = self.rules.split_of
        return [split_of(id_text(words)) for words in segment.documents]


class _Search:
    """Second passages, settled walk by walk."""

    def __init__(self, index: Index, rules: PairRules, classes: _Classes, walks: int) -> None:
        self.index, self.rules, self.classes = index, rules, classes
        self.places = np.zeros((walks, 2), np.int64)
        self.scores = np.zeros((walks, 2), np.float64)
        self.overlaps = np.zeros((walks, 2), np.int32)
        self.class_of_first = np.zeros(walks, np.int32)
        self.settled = np.zeros(walks, np.bool_)
        self.found = np.zeros(walks, np.int64)
        self.refused: dict[int, list[str]] = {}
        self.first_refusal: dict[int, str] = {}

    def first(self, best: Best) -> None:
        self.places[:, 0], self.scores[:, 0] = best.places[:, 0], best.scores[:, 0]
        self.overlaps[:, 0], self.class_of_first[:] = best.overlaps[:, 0], best.classes[:, 0]
        self.found[:] = best.counts

    def begin_again(self, walks: I64) -> None:
        """Forgets the near-duplicates of walks that are searched again and will meet them again."""
        for walk in walks.tolist():
            held = self.refused.get(walk, [])
            self.refused[walk] = [reason for reason in held if reason != NEAR_DUPLICATE_PAIR]

    def settle(self, walks: I64, best: Best, start: int) -> I64:
        """Tries the candidates of `walks` (rows of `best`) from rank `start` on; the walks still without a pair."""
        for rank in range(start, best.scores.shape[1]):
            rows = np.flatnonzero(~self.settled[walks] & (best.counts > rank))
            rows = rows[self._admissible(walks[rows], best.classes[rows, rank])]
            if not len(rows):
                continue
            mine = walks[rows]
            alike = self.index.similarity(self.places[mine, 0], best.places[rows, rank])
            for walk in mine[alike >= self.rules.near_duplicate].tolist():
                self._refuse(walk, NEAR_DUPLICATE_PAIR)
            rows, mine = rows[alike < self.rules.near_duplicate], mine[alike < self.rules.near_duplicate]
            self.places[mine, 1], self.scores[mine, 1] = best.places[rows, rank], best.scores[rows, rank]
            self.overlaps[mine, 1], self.settled[mine] = best.overlaps[rows, rank], True
        left: I64 = walks[~self.settled[walks]]
        return left

    def _admissible(self, walks: I64, classes: I32) -> Flags:
        """Whether passages of `classes` may stand beside the walks' first; refusals are noted."""
        pairs = self.class_of_first[walks].astype(np.int64) << 32 | classes
        distinct, inverse = np.unique(pairs, return_inverse=True)
        reasons = [self.classes.refusal(pair >> 32, pair & 0xFFFFFFFF) for pair in distinct.tolist()]
        fine = np.array([reason is None for reason in reasons], np.bool_)[inverse]
        for place in np.flatnonzero(~fine).tolist():
            self._refuse(int(walks[place]), reasons[int(inverse[place])] or "")
        return fine

    def _refuse(self, walk: int, reason: str) -> None:
        self.refused.setdefault(walk, []).append(reason)
        self.first_refusal.setdefault(walk, reason)

    def pairs(self) -> Pairs:
        reasons: dict[int, str] = {}
        for walk in np.flatnonzero(~self.settled).tolist():
            if not self.found[walk]:
                reasons[walk] = NO_DOCUMENT
            else:
                reasons[walk] = self.first_refusal.get(walk, NO_SECOND_DOCUMENT)
        refused = {walk: dict(sorted(Counter(given).items())) for walk, given in self.refused.items() if given}
        return Pairs(self.places, self.scores, self.overlaps, reasons, refused)
