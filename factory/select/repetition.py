"""How much a text repeats itself: lines, paragraphs and word n-grams (Rae et al. 2021, appendix A1, table A1).

Design: a repeat is every occurrence but the first. Whether something was there before is seen by sorting
(text, hash, place) packed into 64 bits, which NumPy sorts with vector instructions; equal neighbours are
copies, in order of their places. An n-gram can only be a copy where the (n-1)-gram at its place is one, so each
size looks at what the size before left: of technical prose a fifth of the 2-grams and a twentieth of the 5-grams.
Characters are those of words, without the white space between; those in several repeats count once.

Cost: 11 microseconds for five sizes on a text of 1,500 characters, in batches of 256.

Of the hash 38 bits are left in a batch of half a million characters. Two different 2-grams of a text of 1,000
words meet in one of 500,000 such texts, which moves a share by a thousandth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from factory.curate.words import mix64
from factory.select.text_arrays import F64, I64, U64, Mask, Spans, TextArrays

_ODD = np.uint64(0x9E3779B97F4A7C15)


class Copies(NamedTuple):
    """Places that hold something that stands elsewhere in the same text too, sorted by text and content.

    `first` marks the first occurrence of each content; `places` index what was compared.
    """

    places: I64
    first: Mask


def find_copies(owners: I64, hashes: U64, places: I64) -> Copies:
    """Which of the `places`, each with the text it lies in and a hash of its content, are copies of another.

    `owners` and `places` ascend.
    """
    if not len(places):
        return Copies(places, np.zeros(0, bool))
    place_bits = np.uint64(max(1, int(places[-1]).bit_length()))
    owner_bits = np.uint64(max(1, int(owners[-1]).bit_length()))
    keys = owners.astype(np.uint64) << (np.uint64(64) - owner_bits)
    keys |= (hashes >> (owner_bits + place_bits)) << place_bits
    keys |= places.astype(np.uint64)
    keys.sort()
    content = keys >> place_bits
    same = content[1:] == content[:-1]
    copied = np.zeros(len(keys), bool)
    copied[1:] = same
    copied[:-1] |= same
    keys, content = keys[copied], content[copied]
    first = np.ones(len(keys), bool)
    first[1:] = content[1:] != content[:-1]
    return Copies((keys & ((np.uint64(1) << place_bits) - np.uint64(1))).astype(np.int64), first)


class Repetition:
    """Measures of one batch of texts; float64, one a text, 0 where a text has nothing to measure."""

    def __init__(self, arrays: TextArrays) -> None:
        self._arrays = arrays
        self._words = arrays.words
        self._owners = self._words.owners
        self._lengths = self._words.lengths
        self._before = np.concatenate((np.zeros(1, np.int64), np.cumsum(self._lengths)))
        ends = self._words.offsets
        self._total = self._before[ends[1:]] - self._before[ends[:-1]]
        self._room = np.repeat(ends[1:], self._words.counts) - np.arange(len(self._owners))
        self._copies: dict[int, Copies] = {}

    def repeated(self, spans: Spans) -> tuple[F64, F64]:
        """Share of the spans (lines, paragraphs) that repeat another, and of their characters."""
        copies = find_copies(spans.owners, self._arrays.hashes(spans), np.arange(len(spans.starts)))
        repeats = np.zeros(len(spans.starts), np.int64)
        repeats[copies.places[~copies.first]] = 1
        lengths = spans.lengths
        by_count = share(self._arrays.sums(repeats, spans), spans.counts)
        by_length = share(self._arrays.sums(repeats * lengths, spans), self._arrays.sums(lengths, spans))
        return by_count, by_length

    def top_ngram_share(self, size: int) -> F64:
        """Share of the characters in the commonest n-gram (of several the longest) if it is there twice or more.

        Occurrences that overlap count in full, as in the paper's other implementations, up to 1.
        """
        copies = self._find(size)
        starts = np.flatnonzero(copies.first)
        counts = np.diff(np.append(starts, len(copies.places)))
        places = copies.places[starts]
        lengths = self._before[places + size] - self._before[places]
        best = np.zeros((2, len(self._total)), np.int64)
        owners = self._owners[places]
        np.maximum.at(best[0], owners, counts)
        commonest = counts == best[0][owners]
        np.maximum.at(best[1], owners[commonest], lengths[commonest])
        return np.minimum(1.0, share(best[0] * best[1], self._total))

    def duplicate_ngram_share(self, size: int) -> F64:
        """Share of the characters that lie in n-grams that stood in the text before."""
        copies = self._find(size)
        repeats = copies.places[~copies.first]
        if not len(repeats):
            return np.zeros(len(self._total))
        change = np.zeros(len(self._owners) + 1, np.int32)
        change[repeats] += 1
        change[repeats + size] -= 1
        covered = np.cumsum(change[:-1]) > 0
        return share(self._arrays.sums(self._lengths * covered, self._words), self._total)

    def _find(self, size: int) -> Copies:
        if size not in self._copies:
            smaller = max((known for known in self._copies if known < size), default=None)
            if smaller is None:
                places = np.arange(len(self._owners))
            else:
                places = np.sort(self._copies[smaller].places)
            places = places[self._room[places] >= size]
            hashes = self._arrays.word_hashes
            value = np.zeros(len(places), np.uint64)
            for step in range(size):
                value = value * _ODD + hashes[places + step]
            self._copies[size] = find_copies(self._owners[places], mix64(value), places)
        return self._copies[size]


def share(part: I64 | F64, whole: I64 | F64) -> F64:
    """`part` of `whole`, element by element; 0 where the whole is 0."""
    result: F64 = np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
    return result
