"""All rows of a mix on local disk, in places of equal size, with what few bytes of each stay in memory.

Design: sources are read once. A row's text, chat and origin go to a Parquet file of PLACE rows in a temporary folder;
in memory stay its hashes, its draw key, its tokens and three codes, 64 bytes. Everything later (candidates, comparison,
drawing, writing) works on these arrays and goes back to the places it needs. Rows come in the order of the inputs, so a
row's number in its file follows from where it lies. What rows are looked up by (curate/bands.py) is spilled by ranges
of keys, of which one at a time is held.

Cost: disk for the compared texts and chats, zstd; 250 bytes a row of band entries for questions of 60 words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from factory.curate.bands import Entries, key_range
from factory.curate.words import I64, U64
from factory.publish.samples import ATTRIBUTIONS, MESSAGES

I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]

PLACE = 4096
"""Rows a place: some MiB, so that reading one for a few of its rows is cheap."""

PARTITIONS = 64
"""Ranges of keys: ten million rows leave eight million entries (130 MB) in one."""

SPOOLED = pa.schema(
    [
        ("text", pa.string()),  # what is compared
        ("messages", MESSAGES),
        ("source_id", pa.string()),
        ("stratum", pa.string()),
        ("licenses", pa.list_(pa.string())),
        ("duties", pa.list_(pa.string())),
        ("attribution", ATTRIBUTIONS),
        ("reason", pa.string()),  # why it cannot be used, "" where it can
        ("evidence", pa.string()),
    ]
)

_ENTRY = np.dtype([("entry", "<u8"), ("exact", "<u4"), ("order", "<u4")])

KEPT, UNUSABLE, CONTAMINATED, EXACT, NEAR, NOT_DRAWN = range(6)
"""What became of a row."""


class Facts(NamedTuple):
    """Of N rows: 128 bits of what is compared, the draw key (content alone decides it), tokens, bytes of text, codes of
    the input and the stratum, and what became of it."""

    text_hashes: U64  # [N, 2]
    keys: U64
    tokens: I32
    sizes: I32
    inputs: I32
    strata: I32
    status: I8

    @property
    def rows(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Spool:
    """A finished spool; `starts` int64[I + 1] is where each input's rows begin, `counts` int64[places, PARTITIONS] how
    many entries a place has in a range of keys, `strata` the names of their codes."""

    folder: Path
    facts: Facts
    starts: I64
    counts: I64
    strata: tuple[str, ...]

    @property
    def places(self) -> int:
        return len(self.counts)

    def read(self, place: int, columns: Sequence[str] | None = None) -> pa.Table:
        return pq.read_table(_place(self.folder, place), columns=None if columns is None else list(columns))

    def entries(self, partition: int) -> Entries:
        """The band entries of one range of keys, by place."""
        held = np.fromfile(_band(self.folder, partition), _ENTRY)
        starts = np.concatenate(([0], np.cumsum(self.counts[:, partition])))
        entries, exact, order = (np.ascontiguousarray(held[name]) for name in ("entry", "exact", "order"))
        return Entries(entries, exact, order, starts)

    def number(self, row: int) -> int:
        """A row's number in its file."""
        return row - int(self.starts[self.facts.inputs[row]])


class Writer:
    """Takes places in order and gives the spool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._facts: list[Facts] = []
        self._counts: list[I64] = []
        self._bands = [_band(folder, partition).open("wb") for partition in range(PARTITIONS)]
        self._edges = np.array([key_range(partition, PARTITIONS)[0] for partition in range(PARTITIONS)], np.uint64)

    def add(self, table: pa.Table, facts: Facts, bands: pa.Table) -> None:
        """One place: SPOOLED rows, their facts, and their band entries sorted by key."""
        if self._facts and self._facts[-1].rows != PLACE:
            raise ValueError("only the last place may have fewer rows than others")
        pq.write_table(table, _place(self.folder, len(self._facts)), compression="zstd")
        held = np.empty(bands.num_rows, _ENTRY)
        for name in ("entry", "exact", "order"):
            held[name] = bands.column(name).to_numpy()
        cuts = np.append(np.searchsorted(held["entry"], self._edges), len(held))
        for partition, file in enumerate(self._bands):
            held[cuts[partition] : cuts[partition + 1]].tofile(file)
        self._counts.append(np.diff(cuts).astype(np.int64))
        self._facts.append(facts)

    def close(self) -> None:
        for file in self._bands:
            file.close()

    def finish(self, starts: Sequence[int], strata: Sequence[str]) -> Spool:
        self.close()
        columns: list[Any] = [np.concatenate(column) for column in zip(*self._facts, strict=True)]
        counts = np.stack(self._counts)
        return Spool(self.folder, Facts(*columns), np.asarray(starts, np.int64), counts, tuple(strata))


def rows_of(refs: U64) -> I64:
    """Rows as numbers, from what bands.py names texts by: place and row in it."""
    return ((refs >> np.uint64(32)).astype(np.int64) * PLACE) + (refs & np.uint64(0xFFFFFFFF)).astype(np.int64)


def by_place(rows: I64) -> Iterator[tuple[int, I64]]:
    """(place, rows in it) of rows in ascending order."""
    places = rows // PLACE
    for place in np.unique(places).tolist():
        start, stop = np.searchsorted(places, [place, place + 1])
        yield place, rows[start:stop] % PLACE


def _place(folder: Path, place: int) -> Path:
    return folder / f"place-{place:07d}.parquet"


def _band(folder: Path, partition: int) -> Path:
    return folder / f"bands-{partition:03d}.bin"
