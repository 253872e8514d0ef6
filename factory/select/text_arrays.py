"""Characters, words, lines and paragraphs of many texts as arrays, so that heuristics cost no Python per word.

Design: the texts lie end to end, each ended by a newline, as one array of code points; a table gives every code
point its classes (bits). Words are runs without white space (what `str.split` gives), lines are lines with a
word, from their first word to their last, and paragraphs are runs of lines without a blank line between. All
are spans of that array, found by comparing neighbours. A span's hash is the difference of prefix sums of
code point x odd power modulo 2^64, brought to a common place by the inverse power (Rabin 1981's rolling hash), so
words, lines and paragraphs are hashed by the same two arrays. Everything is made when first asked for.

Cost: 7 microseconds for words and their hashes of a text of 1,500 characters, in batches of 256.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from factory.curate.words import mix64

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
U32 = npt.NDArray[np.uint32]
U8 = npt.NDArray[np.uint8]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SPACE, NEWLINE, LETTER, DIGIT, PART_OF_WORD, SENTENCE_END, LINE_END, BULLET = (1 << bit for bit in range(8))
"""Classes of characters. PART_OF_WORD: letters, digits and the marks that combine with them. SENTENCE_END: what
ends a sentence. LINE_END: what may end a line of prose, quotes and brackets included."""

_SENTENCE_ENDS = ".!?…。！？।؟۔"
_LINE_ENDS = _SENTENCE_ENDS + "\"'”’»)"
_BULLETS = "•‣◦⁃∙▪▫●○■□–—-*+·"
"""Gopher's rule is about bullets of web pages; here the marks of Markdown and reStructuredText count too."""

_CODE_POINTS = 0x110000
_MARKS_BELOW = 0x1F000
"""No combining marks lie beyond, but for variation selectors; asking each code point costs 50 ms a process."""


@lru_cache(maxsize=1)
def _classes() -> U8:
    """uint8[0x110000]: the classes of every code point. 40 ms, once a process."""
    characters = np.arange(_CODE_POINTS, dtype=np.uint32).view("<U1")
    letters, digits = np.strings.isalpha(characters), np.strings.isdecimal(characters)
    table = np.zeros(_CODE_POINTS, np.uint8)
    table[np.strings.isspace(characters)] |= SPACE
    table[letters] |= LETTER
    table[digits] |= DIGIT
    table[letters | digits | np.strings.isnumeric(characters)] |= PART_OF_WORD
    marks = [code for code in range(_MARKS_BELOW) if unicodedata.category(chr(code))[0] == "M"]
    table[marks] |= PART_OF_WORD
    for group, bit in (("\n", NEWLINE), (_SENTENCE_ENDS, SENTENCE_END), (_LINE_ENDS, LINE_END), (_BULLETS, BULLET)):
        table[[ord(character) for character in group]] |= bit
    return table


_ODD = 0x9E3779B97F4A7C15


COMMON_CHARACTERS = 1 << 20
"""Tables of powers for so many characters stay (16 MB); those for a longer text are made for it."""


def _powers(size: int) -> tuple[U64, U64]:
    """The odd base to the powers 0 to at least size - 1, and its inverse modulo 2^64 to the same."""
    return _common_powers() if size <= COMMON_CHARACTERS else _make_powers(size)


@lru_cache(maxsize=1)
def _common_powers() -> tuple[U64, U64]:
    return _make_powers(COMMON_CHARACTERS)


def _make_powers(size: int) -> tuple[U64, U64]:
    up = np.full(size, _ODD, np.uint64)
    down = np.full(size, pow(_ODD, -1, 1 << 64), np.uint64)
    up[0] = down[0] = 1
    return np.multiply.accumulate(up), np.multiply.accumulate(down)


class Spans(NamedTuple):
    """N half-open spans of characters in order, and `offsets` (one more than texts): text i has the spans
    offsets[i] to offsets[i + 1]."""

    starts: I64
    stops: I64
    offsets: I64

    @property
    def counts(self) -> I64:
        """How many each text has."""
        return np.diff(self.offsets)

    @property
    def lengths(self) -> I64:
        return self.stops - self.starts

    @property
    def owners(self) -> I64:
        """Which text each span lies in."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.counts)


class TextArrays:
    """The arrays of `texts`. Arrays of characters are as long as all texts together and one newline for each."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
        self.offsets: I64 = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
        joined = "\n".join([*texts, ""])
        self.codes: U32 = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        self.classes: U8 = _classes()[self.codes]

    def has(self, bits: int) -> Mask:
        """Of every character whether it is of one of the classes."""
        found: Mask = (self.classes & np.uint8(bits)) != 0
        return found

    def count(self, mask: Mask) -> I64:
        """How many characters of `mask` (bool, one a character) each text has."""
        bounds = pairwise(self.offsets.tolist())
        return np.array([np.count_nonzero(mask[start:stop]) for start, stop in bounds], np.int64)

    @cached_property
    def spaces(self) -> Mask:
        return self.has(SPACE)

    @cached_property
    def words(self) -> Spans:
        return self._split(self.spaces)

    @cached_property
    def lines(self) -> Spans:
        return self._covering(self._line_of_word, self.words)

    @cached_property
    def paragraphs(self) -> Spans:
        """Lines with no blank line between them."""
        lines = self.lines
        numbers = self._line_of_word[np.searchsorted(self.words.starts, lines.starts)]
        # A text ends with a newline of its own, so neighbours in different texts have consecutive numbers.
        first = np.diff(numbers, prepend=-2) != 1
        first[lines.offsets[:-1][lines.counts > 0]] = True
        return self._covering(np.cumsum(first), lines)

    @cached_property
    def word_hashes(self) -> U64:
        return self.hashes(self.words)

    def hashes(self, spans: Spans) -> U64:
        """One hash a span, equal for equal characters wherever they stand."""
        prefix, down = self._prefix_hashes
        return mix64((prefix[spans.stops] - prefix[spans.starts]) * down[spans.starts])

    def sums(self, values: I64 | Mask, spans: Spans) -> I64:
        """Sum over each text of `values`, one a span."""
        totals = np.concatenate((np.zeros(1, np.int64), np.cumsum(values, dtype=np.int64)))
        summed: I64 = totals[spans.offsets[1:]] - totals[spans.offsets[:-1]]
        return summed

    def lasts(self, spans: Spans, before: int = 0) -> U32:
        """The code point `before` places before each span's last; 0 where the span is too short."""
        at = spans.stops - 1 - before
        return np.where(at >= spans.starts, self.codes[np.maximum(at, 0)], 0)

    @cached_property
    def _line_of_word(self) -> I64:
        """Number of newlines before each word."""
        return np.searchsorted(np.flatnonzero(self.has(NEWLINE)), self.words.starts)

    @cached_property
    def _prefix_hashes(self) -> tuple[U64, U64]:
        size = len(self.codes)
        up, down = _powers(size)
        prefix = np.zeros(size + 1, np.uint64)
        np.cumsum(self.codes * up[:size], out=prefix[1:])
        return prefix, down

    def _split(self, between: Mask) -> Spans:
        """Runs of characters where `between` is false. The last character of a text always is between."""
        edges = np.flatnonzero(np.diff(between, prepend=True))
        starts, stops = edges[0::2], edges[1::2]
        return Spans(starts, stops, np.searchsorted(starts, self.offsets))

    def _covering(self, groups: I64, parts: Spans) -> Spans:
        """One span for every run of equal `groups` over neighbouring parts. Groups do not cross texts."""
        first = np.flatnonzero(np.diff(groups, prepend=-1))
        last = np.append(first[1:], len(groups))[: len(first)] - 1
        starts = parts.starts[first]
        return Spans(starts, parts.stops[last], np.searchsorted(starts, self.offsets))
