"""Hashes of names, and the names in a row of words, compiled."""

from __future__ import annotations

import numpy as np

from factory.curate import scan
from factory.curate.words import I64, U64
from factory.native import compiled

_BASE = np.uint64(0x9E3779B97F4A7C15)


def name_keys(hashes: U64, offsets: I64) -> U64:
    """uint64[N]: one hash of the words of each of N names, in order."""
    keys = np.empty(len(offsets) - 1, np.uint64)
    _name_keys(hashes, offsets, keys)
    return keys


@compiled
def _name_keys(hashes: U64, offsets: I64, keys: U64) -> None:
    for name in range(len(keys)):
        value = np.uint64(0)
        for place in range(offsets[name], offsets[name + 1]):
            value = value * _BASE + hashes[place]
        keys[name] = scan.mix(value)


@compiled
def find_names(words: U64, firsts: U64, longest: I64, keys: U64, found: I64) -> int:
    """Fills `found` with (first word, number of words, place in `keys`) of every name in `words`, by first word, the
    longest first; returns how many there are. `found` has room for as many as the longest name has words, a word."""
    count = 0
    for start in range(len(words)):
        first = scan.first_place(firsts, words[start])
        if first == len(firsts):
            continue
        begin = count
        value = np.uint64(0)
        for length in range(1, min(longest[first], len(words) - start) + 1):
            value = value * _BASE + words[start + length - 1]
            at = scan.first_place(keys, scan.mix(value))
            if at < len(keys):
                found[count, 0], found[count, 1], found[count, 2] = start, length, at
                count += 1
        # Found shortest first; what is wanted is the longest.
        low, high = begin, count - 1
        while low < high:
            for part in range(3):
                found[low, part], found[high, part] = found[high, part], found[low, part]
            low, high = low + 1, high - 1
    return count
