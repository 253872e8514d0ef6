"""Which texts may be duplicates: those that share a band key.

Design: entries are sorted by key, and a compiled pass walks the buckets. Equal texts are paired with the first of
them and count once in every other bucket, so ten thousand copies of one question cost ten thousand pairs and not their
square. In a bucket of different texts each is paired with those that come before it in the order in which duplicates
are kept; in a crowded one only with its first few (HUBS), which are the ones that would be kept.

Cost, one core: 30 nanoseconds an entry; a question has one entry a band and one more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from factory.curate.bands import EQUAL_TEXTS, ROW_MASK, TEMPLATE, U32, Entries, packed, place_bits
from factory.curate.words import I64, U64, Mask
from factory.native import compiled

HUBS = 32
"""Texts of a bucket that all others are paired with. That many that share a band key and yet differ share a template,
and the key says nothing more; they are still met through other bands. Of 27,494 questions of a dozen templates, each a
dozen words long, 2,000 hubs dropped 9,716 after comparing 7.4 million pairs, 200 the same after 5.8, 64 and 32 all but
one of them after 4.0 and 3.0, 8 all but two after 1.4."""

PAIRS_A_BUCKET = 2_000_000
"""Beyond it a bucket has fewer hubs: 100,000 texts in one bucket would give 20 million pairs."""

FEWEST_HUBS = 8


class Candidates(NamedTuple):
    """P pairs, `first` < `second` (refs, uint64[P]), each once, sorted; `exact` bool[P]: their texts are
    equal, as far as 75 bits of their hashes say. `crowded` counts the buckets in which not all were paired."""

    first: U64
    second: U64
    exact: Mask
    crowded: int


def candidates(entries: Entries) -> Candidates:
    """All pairs of texts that share a key."""
    sizes = np.zeros(2, np.int64)
    given = (packed(entries.entries), np.uint64(place_bits(len(entries.entries))), *entries)
    pairs = np.empty((FIRST_PAIRS + len(entries.entries) // 8, 3), np.uint64)
    _pair(*given, HUBS, PAIRS_A_BUCKET, FEWEST_HUBS, pairs, sizes)
    if sizes[0] > len(pairs):
        pairs = np.empty((int(sizes[0]), 3), np.uint64)
        _pair(*given, HUBS, PAIRS_A_BUCKET, FEWEST_HUBS, pairs, sizes)
    pairs = pairs[: int(sizes[0])]
    return Candidates(*distinct_pairs(pairs[:, 0], pairs[:, 1], pairs[:, 2].astype(np.bool_)), int(sizes[1]))


FIRST_PAIRS = 1 << 16
"""Room for pairs before they are counted, with an eighth of the entries: where more are found, they are looked for a
second time. 200,000 questions of which a tenth repeat others have 0.06 pairs an entry."""


def distinct_pairs(first: U64, second: U64, exact: Mask) -> tuple[U64, U64, Mask]:
    """The pairs sorted, each once; exact where any of its occurrences is. `first` < `second`.

    Where a pair of refs fits into 63 bits, as of 2,000 files of a million rows it does, numpy's vectorised sort of
    integers does the work: 0.12 microseconds a pair of three million where `lexsort` takes 0.37.
    """
    row_bits = int(((first | second) & _ROW_OF_REF).max(initial=0)).bit_length()
    if int(second.max(initial=0) >> _PLACE_OF_REF).bit_length() + row_bits <= PAIR_BITS:
        return _distinct_small(first, second, exact, np.uint64(row_bits))
    by = np.lexsort((~exact, second, first))
    first, second, exact = first[by], second[by], exact[by]
    new = differs(first) | differs(second)
    return first[new], second[new], exact[new]


PAIR_BITS = 31
"""Of either ref of a pair that is sorted as one integer, beside a bit that says whether the texts are equal."""

_PLACE_OF_REF, _ROW_OF_REF = np.uint64(32), np.uint64(0xFFFFFFFF)


def _distinct_small(first: U64, second: U64, exact: Mask, row_bits: np.uint64) -> tuple[U64, U64, Mask]:
    def shorter(refs: U64) -> U64:
        return (refs >> _PLACE_OF_REF << row_bits) | (refs & _ROW_OF_REF)

    def refs(short: U64) -> U64:
        return (short >> row_bits << _PLACE_OF_REF) | (short & ((np.uint64(1) << row_bits) - np.uint64(1)))

    width, one = np.uint64(PAIR_BITS), np.uint64(1)
    pairs = (shorter(first) << width | shorter(second)) << one | (~exact).astype(np.uint64)
    pairs.sort()
    pairs = pairs[differs(pairs >> one)]
    return refs(pairs >> (width + one)), refs(pairs >> one & ((one << width) - one)), pairs & one == 0


def differs(values: U64 | U32) -> Mask:
    """Whether each differs from the one before it; the first does."""
    result = np.ones(len(values), np.bool_)
    result[1:] = values[1:] != values[:-1]
    return result


def both(one: Candidates, other: Candidates) -> Candidates:
    """The pairs of two."""
    first = np.concatenate((one.first, other.first))
    second = np.concatenate((one.second, other.second))
    pairs = distinct_pairs(first, second, np.concatenate((one.exact, other.exact)))
    return Candidates(*pairs, one.crowded + other.crowded)


@compiled
def _pair(
    ordered: U64, bits: np.uint64, entries: U64, exact: U32, order: U32, starts: I64,
    hubs: int, most: int, fewest: int, pairs: U64, sizes: I64,
) -> None:  # fmt: skip
    """Fills `pairs` uint64[P, 3] (ref, ref, equal), as many as it has rows, and `sizes` with (P, crowded buckets)."""
    found = crowded = 0
    start = 0
    total = len(ordered)
    mask = (np.uint64(1) << bits) - np.uint64(1)
    while start < total:
        stop = start + 1
        key = ordered[start] >> bits
        while stop < total and ordered[stop] >> bits == key:
            stop += 1
        if entries[ordered[start] & mask] & TEMPLATE:
            pass
        elif stop - start == 2:
            # Nearly all buckets that are any: without the arrays of the general way, a fifth of the time.
            one = _ref(ordered[start] & mask, entries, starts)
            other = _ref(ordered[start + 1] & mask, entries, starts)
            first, second = ordered[start] & mask, ordered[start + 1] & mask
            equal = exact[first] == exact[second]
            marked = entries[first] & EQUAL_TEXTS != 0
            if one != other and (marked or not equal):
                if found < len(pairs):
                    pairs[found, 0], pairs[found, 1] = min(one, other), max(one, other)
                    pairs[found, 2] = np.uint64(equal)
                found += 1
        elif stop - start > 2:
            # Equal texts stand together. Places name files in order and rows within, so the first has the lowest ref.
            members = (ordered[start:stop] & mask).astype(np.int64)
            refs = _refs(members, entries, starts)
            by = np.argsort(refs)
            members, refs = members[by], refs[by]
            by = np.argsort(exact[members], kind="mergesort")
            members, refs = members[by], refs[by]
            chosen = np.empty(len(members), np.int64)
            count = 0
            at = 0
            while at < len(members):
                end = at + 1
                while end < len(members) and exact[members[end]] == exact[members[at]]:
                    end += 1
                if entries[members[at]] & EQUAL_TEXTS:
                    for place in range(at + 1, end):
                        if found < len(pairs):
                            pairs[found, 0], pairs[found, 1] = refs[at], refs[place]
                            pairs[found, 2] = np.uint64(1)
                        found += 1
                else:
                    chosen[count] = at
                    count += 1
                at = end
            if count > 1:
                chosen = chosen[:count]
                wide = count
                if count > hubs:
                    wide = max(fewest, min(hubs, most // count))
                    # By place first: what has no order of its own comes after what has, by its ref.
                    chosen = chosen[np.argsort(refs[chosen])]
                    chosen = chosen[np.argsort(order[members[chosen]], kind="mergesort")]
                    crowded += 1
                for later in range(1, count):
                    for earlier in range(min(later, wide)):
                        one, other = refs[chosen[earlier]], refs[chosen[later]]
                        if found < len(pairs):
                            pairs[found, 0], pairs[found, 1] = min(one, other), max(one, other)
                            pairs[found, 2] = np.uint64(0)
                        found += 1
        start = stop
    sizes[0], sizes[1] = found, crowded


@compiled
def _refs(members: I64, entries: U64, starts: I64) -> U64:
    """bands.ref_of the texts of these entries."""
    refs = np.empty(len(members), np.uint64)
    for index in range(len(members)):
        refs[index] = _ref(np.uint64(members[index]), entries, starts)
    return refs


@compiled
def _ref(entry: np.uint64, entries: U64, starts: I64) -> np.uint64:
    low, high = 0, len(starts) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if np.uint64(starts[middle]) <= entry:
            low = middle
        else:
            high = middle
    found: np.uint64 = (np.uint64(low) << np.uint64(32)) | (entries[entry] & ROW_MASK)
    return found
