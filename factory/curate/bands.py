"""Band entries: what a text is looked up by, sorted so that a part of the keys can be read from every file alone.

Design: an entry is one integer: the upper 42 bits of a band key (minhash.py), two that say which kind of key it is, and
in the lower 20 the row of the text in its file. One entry more, made of the hash of the text, brings equal texts
together; texts with numbers have another, made of their template (templates.py). Beside it stand 32 bits of the hash,
and 32 of the text's place in the order in which duplicates are kept: what candidates are chosen by. Keys that agree in
42 bits by chance are candidates like others: every pair is compared, equal texts by all bits of their hashes. The file
is sorted by key and cut into row groups at equal key ranges, so a worker that owns a range of keys (match.py) reads
that range of every file: M files, no shuffle, nothing in memory but its range (as the concept graph does it, decision
0004). Nothing is encoded or compressed: these are random bits.

Cost, one core, a question of 60 words, 25 bands, in files of 16,384: 0.4 microseconds to make, 0.4 for its Parquet;
some 500 bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.curate.words import I64, U64, mix64
from factory.native import compiled
from factory.store.parquet import Layout

U32 = npt.NDArray[np.uint32]

BAND = pa.schema(
    [
        pa.field("entry", pa.uint64(), nullable=False),
        pa.field("exact", pa.uint32(), nullable=False),  # upper half of the first half of the normal form's hash
        pa.field("order", pa.uint32(), nullable=False),  # which of two is kept: the lower one; BY_PLACE: see there
    ]
)

ROW_BITS = 20
"""Lowest bits of an entry: the row in the file."""

ROW_MASK = np.uint64((1 << ROW_BITS) - 1)
EQUAL_TEXTS, TEMPLATE = np.uint64(1 << ROW_BITS), np.uint64(2 << ROW_BITS)
KIND_BITS = EQUAL_TEXTS | TEMPLATE
"""The bits of an entry of which one is set in those made of a text's hash, or of its template."""

BY_PLACE = 2**32 - 1
"""Order of texts that are kept after all others, among themselves as their files and rows come."""

ENTRIES_A_PARTITION = 6_000_000
"""Entries one worker sorts at most, about: 30 bytes each with their sorting."""

ENTRIES_A_SHARE = 1_000_000
SHARES = 16
"""Up to so many partitions there are where each still has that many entries, so that several workers have work."""

ENTRIES_A_GROUP = 1 << 14
MAX_RANGES = 256

EXACT = np.uint64(0x5851F42D4C957F2D)
"""Keeps the keys of equal texts apart from band keys."""


class Entries(NamedTuple):
    """E band entries of F files end to end: `entries` uint64[E], `exact` and `order` uint32[E]; those of the file at
    place p are entries[starts[p]:starts[p + 1]]."""

    entries: U64
    exact: U32
    order: U32
    starts: I64  # [F + 1]

    def refs(self, chosen: I64) -> U64:
        """What the texts of these entries are called within a pass (see `ref_of`)."""
        places = np.searchsorted(self.starts, chosen, "right") - 1
        return ref_of(places.astype(np.uint64), self.entries[chosen] & ROW_MASK)


def ref_of(place: int | U64, row: npt.NDArray[np.integer]) -> U64:
    """Names a text within a pass: the place of its file among the pass's files, and its row there."""
    return (np.asarray(place, np.uint64) << np.uint64(32)) | row.astype(np.uint64)


def place_of(refs: U64) -> I64:
    return (refs >> np.uint64(32)).astype(np.int64)


def row_of(refs: U64) -> I64:
    return (refs & np.uint64(0xFFFFFFFF)).astype(np.int64)


def entries_of(keys: U64, owners: I64, rows: npt.NDArray[np.integer], exact: U64) -> U64:
    """uint64[K * bands + N]: entries of N texts, band after band and then those made of their hashes.

    `keys` uint64[K, bands] with the text each row of them is of, `owners` int64[K]; `rows` [N], `exact` uint64[N]
    (first halves of the normal forms' hashes). Raises ValueError for a row that an entry cannot name.
    """
    own = _nameable(rows)
    cleared = ~(ROW_MASK | KIND_BITS)
    bands = (keys & cleared) | own[owners][:, None]
    equal = (mix64(exact ^ EXACT) & cleared) | EQUAL_TEXTS | own
    return np.concatenate((bands.reshape(-1), equal))


def band_table(keys: U64, owners: I64, rows: I64, exact: U64, order: U64, templates: U64 | None = None) -> pa.Table:
    """BAND rows of N texts, sorted by entry: `keys` and `owners` as `entries_of` takes them, the others [N], rows
    ascending. `order` is given by its upper half, but for BY_PLACE. `templates` are 0 for texts without one."""
    own = _nameable(rows)
    every = entries_of(keys, owners, np.arange(len(rows)), exact)
    if templates is not None:
        numbered = np.flatnonzero(templates)
        every = np.append(
            every, (templates[numbered] & ~(ROW_MASK | KIND_BITS)) | TEMPLATE | numbered.astype(np.uint64)
        )
    every.sort()
    columns = every, np.empty(len(every), np.uint32), np.empty(len(every), np.uint32)
    _described(*columns, own, upper_half(exact), short_order(order))
    return pa.table([pa.array(column) for column in columns], schema=BAND)


@compiled
def _described(entries: U64, exact: U32, order: U32, rows: U64, exact_of: U32, order_of: U32) -> None:
    """Of entries with the texts' places in their lowest bits: fills `exact` and `order`, and puts the rows there, which
    are others where a unit picks some rows of its file."""
    for index in range(len(entries)):
        text = entries[index] & ROW_MASK
        exact[index], order[index] = exact_of[text], order_of[text]
        entries[index] = (entries[index] & ~ROW_MASK) | rows[text]


def _nameable(rows: npt.NDArray[np.integer]) -> U64:
    if len(rows) and int(rows.max()) > int(ROW_MASK):
        raise ValueError(f"row {int(rows.max())} of a file, of which an entry can name {int(ROW_MASK) + 1}")
    return rows.astype(np.uint64)


def upper_half(values: U64) -> U32:
    return (values >> np.uint64(32)).astype(np.uint32)


def short_order(order: U64) -> U32:
    """Upper halves of places in the order of keeping; BY_PLACE stays what it is."""
    return np.where(order == BY_PLACE, np.uint32(BY_PLACE), np.minimum(upper_half(order), np.uint32(BY_PLACE - 1)))


def packed(entries: U64) -> U64:
    """uint64[N], sorted: each entry with its `place_bits` lowest bits replaced by its place.

    So numpy's vectorised sort of integers does the work: 7 nanoseconds a key where `argsort` takes 44.
    """
    values = np.empty(len(entries), np.uint64)
    _with_places(entries, np.uint64(place_bits(len(entries))), values)
    values.sort()
    return values


@compiled
def _with_places(entries: U64, bits: np.uint64, values: U64) -> None:
    for place in range(len(entries)):
        values[place] = (entries[place] >> bits << bits) | np.uint64(place)


def sorted_places(entries: U64) -> I64:
    """int64[N]: places of `entries` in the order of their highest bits, equal ones in the order given."""
    places: I64 = (packed(entries) & np.uint64((1 << place_bits(len(entries))) - 1)).astype(np.int64)
    return places


def place_bits(count: int) -> int:
    """Bits that name one of `count` entries, and at least those that hold the row."""
    return max(ROW_BITS, count.bit_length())


def band_layout(table: pa.Table) -> Layout:
    """Row groups at equal key ranges, so many that each has about ENTRIES_A_GROUP entries."""
    plain = dict.fromkeys(BAND.names, "PLAIN")
    ranges = 1
    while ranges < MAX_RANGES and table.num_rows >= 2 * ranges * ENTRIES_A_GROUP:
        ranges *= 2
    if ranges == 1:
        return Layout(max(1, table.num_rows), plain, "none")
    keys = table.column("entry").to_numpy()
    counts = np.bincount((keys >> np.uint64(65 - ranges.bit_length())).astype(np.int64), minlength=ranges)
    return Layout(tuple(counts[counts > 0].tolist()), plain, "none")


def key_range(partition: int, partitions: int) -> tuple[int, int]:
    """First and last entry of a partition; `partitions` is a power of two."""
    width = (1 << 64) // partitions
    return partition * width, (partition + 1) * width - 1


def partitions_for(entries: int) -> int:
    """The power of two that keeps a partition within ENTRIES_A_PARTITION, and gives several workers their share."""
    count = 1
    while entries > count * ENTRIES_A_PARTITION or (count < SHARES and entries >= 2 * count * ENTRIES_A_SHARE):
        count *= 2
    return count
