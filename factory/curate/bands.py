"""Band entries: what a text is looked up by, sorted so that a part of the keys can be read from every file alone.

Design: an entry is a band key of a text (minhash.py), the row of the text in its file, the text's hash, and its place
in the order in which duplicates are kept. One entry more, made of the text's hash, brings equal texts together. The
file is sorted by key and cut into row groups at equal key ranges, so a worker that owns a range of keys (match.py)
reads that range of every file: M files, no shuffle, nothing in memory but its range (as the concept graph does it,
decision 0004).

Cost, one core: 0.5 microseconds a question of 25 bands in files of 4,096, and 2 more to write it; 360 bytes a question
with the sketches beside them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.curate.words import I64, U64, mix64
from factory.store.parquet import Layout

BAND = pa.schema(
    [
        ("key", pa.uint64()),
        ("row", pa.uint32()),  # of the text in its file
        ("exact", pa.uint64()),  # first half of the hash of its normal form
        ("order", pa.uint64()),  # which of two is kept: the lower one; BY_PLACE: the one that lies first
    ]
)

BY_PLACE = 0

ENTRIES_A_PARTITION = 6_000_000
"""Entries one worker sorts at most, about: 50 bytes each with their sorting."""

ENTRIES_A_GROUP = 1 << 14
MAX_RANGES = 256

EXACT = np.uint64(0x5851F42D4C957F2D)
"""Keeps the keys of equal texts apart from band keys."""


class Entries(NamedTuple):
    """E band entries of many files: `keys`, `exact` and `order` uint64[E], `refs` uint64[E] (see `ref_of`)."""

    keys: U64
    refs: U64
    exact: U64
    order: U64


def ref_of(place: int | U64, row: npt.NDArray[np.integer]) -> U64:
    """Names a text within a pass: the place of its file among the pass's files, and its row there."""
    return (np.asarray(place, np.uint64) << np.uint64(32)) | row.astype(np.uint64)


def place_of(refs: U64) -> I64:
    return (refs >> np.uint64(32)).astype(np.int64)


def row_of(refs: U64) -> I64:
    return (refs & np.uint64(0xFFFFFFFF)).astype(np.int64)


def exact_keys(exact: U64) -> U64:
    """The keys under which equal texts meet."""
    return mix64(exact ^ EXACT)


def band_table(keys: U64, rows: I64, exact: U64, order: U64) -> pa.Table:
    """BAND rows of N texts: `keys` uint64[N, bands], the others [N]. Sorted by key, but for keys alike in all but
    their lowest bits, which no range of keys separates."""
    count, bands = keys.shape
    every = np.concatenate((keys.reshape(-1), exact_keys(exact)))
    owner = np.concatenate((np.repeat(np.arange(count), bands), np.arange(count)))
    by = sorted_places(every)
    owner = owner[by]
    columns = [every[by], rows[owner].astype(np.uint32), exact[owner], order[owner]]
    return pa.table([pa.array(column) for column in columns], schema=BAND)


def sorted_places(keys: U64) -> I64:
    """int64[N]: places of `keys` in the order of their highest bits, equal ones in the order given."""
    places: I64 = (packed(keys) & np.uint64((1 << place_bits(len(keys))) - 1)).astype(np.int64)
    return places


def packed(keys: U64) -> U64:
    """uint64[N], sorted: each key with its `place_bits` lowest bits replaced by its place.

    So numpy's vectorised sort of integers does the work: 7 nanoseconds a key where `argsort` takes 44.
    """
    bits = np.uint64(place_bits(len(keys)))
    values: U64 = ((keys >> bits) << bits) | np.arange(len(keys), dtype=np.uint64)
    values.sort()
    return values


def place_bits(count: int) -> int:
    return max(1, count.bit_length())


def band_layout(table: pa.Table) -> Layout:
    """Row groups at equal key ranges, so many that each has about ENTRIES_A_GROUP entries."""
    ranges = 1
    while ranges < MAX_RANGES and table.num_rows >= 2 * ranges * ENTRIES_A_GROUP:
        ranges *= 2
    plain = {"key": "PLAIN"}  # no key comes again often enough for a dictionary
    if ranges == 1:
        return Layout(max(1, table.num_rows), plain)
    keys = table.column("key").to_numpy()
    counts = np.bincount((keys >> np.uint64(65 - ranges.bit_length())).astype(np.int64), minlength=ranges)
    return Layout(tuple(counts[counts > 0].tolist()), plain)


def key_range(partition: int, partitions: int) -> tuple[int, int]:
    """First and last key of a partition; `partitions` is a power of two."""
    width = (1 << 64) // partitions
    return partition * width, (partition + 1) * width - 1


def partitions_for(entries: int) -> int:
    """The power of two that keeps a partition within ENTRIES_A_PARTITION."""
    count = 1
    while entries > count * ENTRIES_A_PARTITION:
        count *= 2
    return count
