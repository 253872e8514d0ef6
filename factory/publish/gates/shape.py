"""The shape of a set of samples: how many rows each group of each column has, and how long texts are.

Design: what drift, target, length and balance gates are judged from, of the run's samples as of an earlier dataset.
Lengths are characters, counted in bins 3 % wide (exact below 64), so quantiles are off by at most that. Of a column
with very many groups those drawn by hash are kept (summaries.py). As JSON a shape is a few kB.

Cost, one core: 6 microseconds a row with all seven columns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from factory.publish.gates.batch import Batch
from factory.publish.gates.config import COLUMNS, Column
from factory.publish.gates.summaries import Groups
from factory.store.objects import typed

Field = Literal["question", "answer"]
FIELDS: tuple[Field, ...] = ("question", "answer")

EXACT_LENGTHS = 64
BINS_AN_OCTAVE = 24
"""2^(1/24) is 1.029."""

GROUPS_A_COLUMN = 20_000

NONE = "(none)"

MOST_IN_JSON = (1 << 64) - 1
"""orjson writes no larger number."""


@dataclass
class Shape:
    """`groups` by column, `lengths` by field as bin -> rows."""

    rows: int = 0
    groups: dict[Column, Groups] = field(default_factory=lambda: {name: Groups(GROUPS_A_COLUMN) for name in COLUMNS})
    lengths: dict[Field, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in FIELDS})

    def add(self, batch: Batch) -> None:
        self.rows += len(batch.ids)
        for column in COLUMNS:
            groups = self.groups[column]
            for sample_id, values in zip(batch.ids, groups_of(batch, column), strict=True):
                for value in values:
                    groups.add(value, sample_id)
        self.lengths["question"].update(length_bin(len(text)) for text in batch.questions)
        self.lengths["answer"].update(length_bin(len(text)) for text in batch.answers)

    def merge(self, other: Shape) -> None:
        self.rows += other.rows
        for column, groups in other.groups.items():
            self.groups[column].merge(groups)
        for name, lengths in other.lengths.items():
            self.lengths[name].update(lengths)

    def counts(self, column: Column) -> dict[str, int]:
        return {str(group): count for group, count in self.groups[column].counts().items()}

    def to_json(self) -> dict[str, Any]:
        lengths = {name: sorted(bins.items()) for name, bins in self.lengths.items()}
        return {
            "rows": self.rows,
            "groups": {name: self.counts(name) for name in COLUMNS},
            "bounds": {name: min(self.groups[name].bound, MOST_IN_JSON) for name in COLUMNS},
            "lengths": lengths,
        }


@dataclass(frozen=True)
class Earlier:
    """The shape of another dataset, as it was written down. `bounds` by column: groups whose hash lies above it were
    not kept."""

    rows: int
    groups: Mapping[str, Mapping[str, int]]
    bounds: Mapping[str, int]
    lengths: Mapping[str, Mapping[int, int]]


def from_json(value: Mapping[str, Any]) -> Earlier:
    """Raises ValueError for what is no shape."""
    written = typed(_Written, value)
    return Earlier(
        written.rows, written.groups, written.bounds, {name: dict(bins) for name, bins in written.lengths.items()}
    )


@dataclass(frozen=True)
class _Written:
    """A shape as `Shape.to_json` has it: lengths are (bin, rows)."""

    rows: int
    groups: Mapping[str, Mapping[str, int]]
    bounds: Mapping[str, int]
    lengths: Mapping[str, tuple[tuple[int, int], ...]]


def groups_of(batch: Batch, column: Column) -> Iterable[tuple[str, ...]]:
    """The groups that each row is in: one, but for sources, of which it may have several."""
    if column == "source":
        names = [sorted({place["source"] or NONE for place in places or ()}) for places in batch.values("attribution")]
        return [tuple(each) or (NONE,) for each in names]
    return [(NONE if value in (None, "") else str(value),) for value in batch.values(column)]


def length_bin(characters: int) -> int:
    if characters < EXACT_LENGTHS:
        return characters
    return EXACT_LENGTHS + int(math.log2(characters / EXACT_LENGTHS) * BINS_AN_OCTAVE)


def bin_start(place: int) -> int:
    """The least length in a bin."""
    if place < EXACT_LENGTHS:
        return place
    return math.ceil(EXACT_LENGTHS * 2 ** ((place - EXACT_LENGTHS) / BINS_AN_OCTAVE) - 1e-9)


def quantile(bins: Mapping[int, int], at: float) -> int:
    """The bin in which the quantile `at` (0 to 1) of the lengths lies; of no lengths 0."""
    rank, seen = at * (sum(bins.values()) - 1), 0
    for place in sorted(bins):
        seen += bins[place]
        if seen > rank:
            return place
    return 0
