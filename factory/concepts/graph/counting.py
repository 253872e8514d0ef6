"""Counting which nodes occur together: pairs as sorted integer keys, added up by sorting.

Design: within a table of passages a node is its position among the distinct, sorted ids, so a directed pair is one
integer whose order is the order of the files, (src, kind of dst, dst), and numpy's vectorised sort of integers does the
work; no hash table, no matrix. The same holds when files are added up: sources and destinations are numbered first.
Multiplicities ride outside the sort, because most are 1: what exceeds 1 is added afterwards.

Cost, one core: 50 ns a pair within passages, 96 ns a row when files are added up. Memory: 60 bytes a pair of the
block being sorted, some 90 a row of the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from factory.concepts.graph.lookup import buckets_of
from factory.concepts.graph.tables import CONCEPT, I64, ID_BITS, TOPIC, U32, U64, kind_of

BLOCK_PAIRS = 1 << 23
"""Pairs made before they are added up, some 500 MB of arrays at a time however large the table: 2,048 passages of 45
nodes, 4.1 million, are one block, and of 105 nodes (five topics of 20 concepts) three."""


CODE_BITS = 63
"""Bits of a destination's code at most."""


class Pairs(NamedTuple):
    """Directed pairs, each once, sorted by (src, kind of dst, dst); `freq` is how many passages hold both."""

    src: U64
    dst: U64
    freq: U32


NO_PAIRS = Pairs(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.uint32))


def pairs_within(ids: U64, starts: I64, members: I64) -> Pairs:
    """The pairs that the passages of a NodeSets hold: (ids, starts, members) as there."""
    order = _dst_order(ids)
    parts = list(_counted(ids, starts, members, order))
    if not parts:
        return NO_PAIRS
    merged = parts[0] if len(parts) == 1 else add_up(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    return _named(ids, order, *merged)


def pair_blocks(ids: U64, starts: I64, members: I64) -> Iterator[Pairs]:
    """The same in parts that add up to it, each of a block of passages: what a block takes is let go before the next.
    At least one part."""
    order = _dst_order(ids)
    found = False
    for keys, freq in _counted(ids, starts, members, order):
        yield _named(ids, order, keys, freq)
        found = True
    if not found:
        yield NO_PAIRS


def _counted(ids: U64, starts: I64, members: I64, order: I64) -> Iterator[tuple[U64, U32]]:
    """Keys and frequencies of blocks of about as many pairs each, BLOCK_PAIRS unless one passage has more."""
    sizes = np.diff(starts)
    before = np.concatenate(([0], np.cumsum(sizes * sizes)))
    blocks = -(-int(before[-1]) // BLOCK_PAIRS)
    cuts = np.unique(np.searchsorted(before, np.arange(blocks + 1) * before[-1] // max(blocks, 1)))
    for first, last in pairwise(cuts.tolist()):
        yield _added_up(_keys(ids, starts[first : last + 1], members, order))


def _named(ids: U64, order: I64, keys: U64, freq: U32) -> Pairs:
    count = np.uint64(len(ids))
    return Pairs(ids[keys // count], ids[np.argsort(order)[keys % count]], freq)


def _dst_order(ids: U64) -> I64:
    """Place of each of the sorted ids in the order (kind, id)."""
    order = np.empty(len(ids), np.int64)
    order[np.argsort(kind_of(ids), kind="stable")] = np.arange(len(ids))
    return order


def _keys(ids: U64, starts: I64, members: I64, order: I64) -> U64:
    """src * N + place of dst of every directed pair within the passages; repeats where passages repeat it."""
    sizes = np.diff(starts)
    block = members[starts[0] : starts[-1]]
    row_sizes = np.repeat(sizes, sizes)  # one row a member: itself beside every member of its passage
    src = np.repeat(block, row_sizes)
    first = np.repeat(starts[:-1] - starts[0], sizes)
    row_ends = np.cumsum(row_sizes)
    dst = block[np.arange(len(src)) + np.repeat(first - (row_ends - row_sizes), row_sizes)]
    kinds = kind_of(ids)
    wanted = (src != dst) & ~((kinds[src] == CONCEPT) & (kinds[dst] == TOPIC))
    keys: U64 = src[wanted].astype(np.uint64) * np.uint64(len(ids)) + order[dst[wanted]].astype(np.uint64)
    return keys


def _added_up(keys: U64) -> tuple[U64, U32]:
    """Distinct keys, sorted, and how often each occurs. Sorts `keys` in place."""
    keys.sort()
    new = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, np.int64)
    return keys[new], np.diff(np.append(new, len(keys))).astype(np.uint32)


def add_up(keys: U64, freq: U32) -> tuple[U64, U32]:
    """Distinct keys, sorted, with the sum of `freq` over the rows of each. Sorts `keys` in place.

    Raises OverflowError beyond 32 bits.
    """
    often = np.flatnonzero(freq > 1)
    repeated, extra = keys[often], freq[often].astype(np.int64) - 1
    distinct, once = _added_up(keys)
    total = once.astype(np.int64)
    np.add.at(total, np.searchsorted(distinct, repeated), extra)
    if len(total) and int(total.max()) > np.iinfo(np.uint32).max:
        raise OverflowError("a pair of nodes occurs in more than 2^32 passages")
    return distinct, total.astype(np.uint32)


def summed(parts: list[pa.Table]) -> Pairs:
    """PAIR tables as one: frequencies added, order kept. Empties the list, so that columns are let go on the way."""
    if not parts:
        return NO_PAIRS
    whole = pa.concat_tables(parts).drop_columns(["src"])
    sources, keys = _numbered_sources([part.column("src").to_numpy() for part in parts])
    parts.clear()
    room = ID_BITS - max(len(sources) - 1, 1).bit_length()
    codes, known, table, bits = _coded_destinations(whole.column("dst").to_numpy(), room)
    keys <<= np.uint64(room)
    keys |= codes
    del codes
    freq = whole.column("freq").to_numpy()
    del whole
    keys, freq = add_up(keys, freq)
    destinations = known[_places(table, keys & np.uint64((1 << room) - 1), bits)]
    return Pairs(sources[keys >> np.uint64(room)], destinations, freq)


def _places(table: U64, codes: U64, bits: int) -> U32:
    """Where each code stands in `table`, which holds them all; they have `bits` bits."""
    from factory.concepts.graph.kernels import find_all

    found = np.empty(len(codes), np.uint32)
    find_all(table, *buckets_of(table, bits), codes, found)
    return found


def _numbered_sources(columns: list[U64]) -> tuple[U64, U64]:
    """Distinct ids in order, and the place of each row's id among them. A file is sorted by source, so one comparison
    with the row before replaces looking an id up."""
    runs = [_heads(column) for column in columns]
    heads = np.concatenate([column[run] for column, run in zip(columns, runs, strict=True)])
    lengths = np.concatenate([np.diff(run, append=len(column)) for column, run in zip(columns, runs, strict=True)])
    found, place = np.unique(heads, return_inverse=True)
    return found, np.repeat(place.astype(np.uint64), lengths)


def _coded_destinations(ids: U64, room: int) -> tuple[U64, U64, U64, int]:
    """A code of at most `room` bits for each row, in order of kind and id; the distinct ids in that order, their codes,
    and how many bits codes have.

    The code is the kind and the upper bits of the id, which is a hash: with 46 bits 10^6 nodes have two alike in one
    graph of 70, and are numbered by searching then. Looking every row up in a hash table of as many took 120 ns.
    """
    ordered = np.sort(ids)
    known = ordered[_heads(ordered)]
    order = np.argsort(kind_of(known), kind="stable")
    bits = min(room, CODE_BITS)
    table = _shortened(known[order], bits)
    if (table[1:] > table[:-1]).all():
        return _shortened(ids, bits), known[order], table, bits
    numbers = np.arange(len(known), dtype=np.uint64)
    place = np.empty(len(known), np.uint64)
    place[order] = numbers
    # Of as many bits as numbers have: among `room` bits all of them would share one bucket.
    return place[np.searchsorted(known, ids)], known[order], numbers, len(known).bit_length()


def _shortened(ids: U64, bits: int) -> U64:
    short: U64 = kind_of(ids) << np.uint64(bits - 1) | ids >> np.uint64(ID_BITS - bits + 1)
    return short


def _heads(column: U64) -> I64:
    """Where a run of equal values begins."""
    return np.flatnonzero(np.r_[True, column[1:] != column[:-1]]) if len(column) else np.zeros(0, np.int64)
