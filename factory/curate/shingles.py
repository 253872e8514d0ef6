"""What two texts are compared by: word n-grams where there are words enough, else n-grams of characters.

Design: of a question of seven words one typo changes three of five word 3-grams, so the shorter a text, the shorter the
shingle: 4 characters below eight tokens, 6 below twelve, 10 below twenty-one, words from there on (decision 0006 has
the measurement). Characters are those of the normal form, tokens joined by a space. Two texts are compared by the kind
of the shorter one. So that they meet across a border, a text that something shorter may resemble (its length times the
threshold lies below its kind's least length) is shingled by the kind below as well: each text has two views, the second
often empty.

Cost, one core, on top of tokenising: 0.7 microseconds a question of 60 words, 3 one of 15; signing the second view
takes another 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from factory.curate.scan import Codes, mix, ngram_hash
from factory.curate.words import I64, U64, Mask, Piece, TokenArray, gathered, scan_pieces
from factory.native import compiled

I8 = npt.NDArray[np.int8]
U32 = npt.NDArray[np.uint32]

LEAST_TOKENS = (0, 8, 12, 21)
"""Tokens from which on a text is of a kind."""

CHARACTERS = (4, 6, 10)
"""Characters a shingle, of the kinds below WORDS."""

WORDS = 3
"""The last kind: word n-grams."""


@dataclass(frozen=True)
class Shingling:
    """words: size of a word n-gram. by_length: whether shorter texts are compared by characters. threshold: least
    similarity that matters, which decides who may meet across a border."""

    words: int
    by_length: bool
    threshold: float

    def identity(self) -> dict[str, Any]:
        identity: dict[str, Any] = {"shingle_words": self.words}
        if self.by_length:
            identity["characters"] = [list(LEAST_TOKENS[1:]), list(CHARACTERS)]
            # The threshold acts on shingles through this alone: which texts have a second view.
            identity["second_view_up_to"] = self.second_view_up_to
        return identity

    @property
    def second_view_up_to(self) -> list[int]:
        """By kind, the most tokens of a text that a shorter one may resemble whose kind is the one below."""
        # A little off the quotient, which is 30.000000000000004 for 21 / 0.7.
        return [math.ceil(least / self.threshold - 1e-9) - 1 for least in LEAST_TOKENS]

    def in_words(self, kind: int) -> str:
        """A kind as evidence has it."""
        return f"{self.words} words" if kind == WORDS else f"{CHARACTERS[kind]} characters"


class Views(NamedTuple):
    """Shingle hashes of N texts, end to end; text i has hashes[offsets[2i]:offsets[2i + 1]] by its own kind, kinds[i],
    and hashes[offsets[2i + 1]:offsets[2i + 2]] by the kind below, none where nothing shorter can resemble it."""

    hashes: U64
    offsets: I64  # [2 N + 1]
    kinds: I8  # [N]


def shingled(texts: Sequence[str], shingling: Shingling) -> tuple[TokenArray, Views]:
    """Tokens and shingles of texts."""
    pieces, views = [], []
    for piece, found in shingled_pieces(texts, shingling):
        pieces.append(piece)
        views.append(found)
    return gathered(pieces), joined(views)


def shingled_pieces(texts: Sequence[str], shingling: Shingling) -> Iterator[tuple[Piece, Views]]:
    """Tokens and shingles of texts, some texts at a time. By its own kind each text has at least one shingle: one
    shorter than a shingle is one, its whole normal form. Shingles repeat where they repeat in the text."""
    # Written anew for every piece, as those of a scan are.
    room, buffer = np.empty(0, np.uint64), np.empty(0, np.uint32)
    for piece in scan_pieces(texts, spans=shingling.by_length):
        counts = np.diff(piece.offsets)
        own = kinds_of(counts, shingling)
        below = _below(counts, own, shingling)
        # Both views of all texts together, each with a shingle a character or space at most, and one at least.
        most = len(piece.codes) + len(piece.hashes) + len(counts)
        if 2 * most > len(room):
            room, buffer = np.empty(2 * most, np.uint64), np.empty(most, np.uint32)
        starts = np.empty(2 * len(counts) + 1, np.int64)
        given = (piece.codes, piece.spans, piece.offsets, piece.hashes, piece.text_hashes, own, below, shingling.words)
        _fill(*given, buffer, starts, room)
        yield piece.tokens(), Views(room[: starts[-1]].copy(), starts, own)


def kinds_of(counts: I64, shingling: Shingling) -> I8:
    """int8[N]: the kind of texts of so many tokens."""
    if not shingling.by_length:
        return np.full(len(counts), WORDS, np.int8)
    return (np.searchsorted(np.array(LEAST_TOKENS), counts, "right") - 1).astype(np.int8)


def _below(counts: I64, kinds: I8, shingling: Shingling) -> I8:
    """int8[N]: the second kind that a text is shingled by; -1 for none."""
    if not shingling.by_length:
        return np.full(len(counts), -1, np.int8)
    return np.where(counts <= np.array(shingling.second_view_up_to)[kinds], kinds - 1, -1).astype(np.int8)


def joined(views: Sequence[Views]) -> Views:
    """The texts of all, in their order."""
    lengths = [np.zeros(1, np.int64), *(np.diff(each.offsets) for each in views)]
    return Views(
        np.concatenate([np.zeros(0, np.uint64), *(each.hashes for each in views)]),
        np.cumsum(np.concatenate(lengths)),
        np.concatenate([np.zeros(0, np.int8), *(each.kinds for each in views)]),
    )


def chosen(views: Views, texts: I64) -> Views:
    """Those of some of the texts."""
    of = (2 * texts[:, None] + np.arange(2)).reshape(-1)
    lengths = np.diff(views.offsets)[of]
    starts = np.concatenate(([0], np.cumsum(lengths)))
    within = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
    return Views(views.hashes[np.repeat(views.offsets[of], lengths) + within], starts, views.kinds[texts])


def signed(views: Views) -> tuple[I64, I64, I64]:
    """The views that are not empty, for signing: where each begins, int64[V + 1] in all, the text it is of, and its
    kind."""
    filled = np.flatnonzero(np.diff(views.offsets) > 0)
    owners = filled // 2
    return np.append(views.offsets[filled], views.offsets[-1]), owners, views.kinds[owners] - filled % 2


class Compared(NamedTuple):
    """Pairs as they are compared: the view of either text, the kind of both; `apart`: no view of the longer text is of
    the kind of the shorter, so they cannot resemble each other."""

    one: I64
    other: I64
    kinds: I8
    apart: Mask


def by_shorter(kinds: I8, one: I64, other: I64) -> Compared:
    """How texts one[i] and other[i] of those with these kinds are compared."""
    common = np.minimum(kinds[one], kinds[other])
    views = [2 * texts + (kinds[texts] > common) for texts in (one, other)]
    apart = np.maximum(kinds[one], kinds[other]) - common > 1
    return Compared(views[0], views[1], common, apart)


@compiled
def _fill(
    codes: Codes, spans: I64, bounds: I64, tokens: U64, text_hashes: U64, own: I8, below: I8, words: int,
    buffer: U32, starts: I64, hashes: U64,
) -> None:  # fmt: skip
    """Fills `hashes` with the views of a piece's texts, and `starts` int64[2 N + 1] with where each view begins."""
    at = 0
    for text in range(len(own)):
        first, last = bounds[text], bounds[text + 1]
        length = 0
        if own[text] < WORDS or below[text] >= 0:
            length = _normal_form(codes, spans, first, last, buffer)
        for second in range(2):
            kind = below[text] if second else own[text]
            starts[2 * text + second] = at
            if kind < 0:
                continue
            units, size = (last - first, words) if kind == WORDS else (length, CHARACTERS[kind])
            if units < size:
                hashes[at] = text_hashes[text, 0]
                at += 1
            elif kind == WORDS:
                for place in range(units - size + 1):
                    hashes[at + place] = ngram_hash(tokens, first + place, size)
                at += units - size + 1
            else:
                for place in range(units - size + 1):
                    hashes[at + place] = _gram(buffer, place, size)
                at += units - size + 1
    starts[2 * len(own)] = at


@compiled
def _normal_form(codes: Codes, spans: I64, first: int, last: int, buffer: U32) -> int:
    """Writes the tokens joined by a space; how many characters. A comma in a token separates thousands."""
    length = 0
    for token in range(first, last):
        if length:
            buffer[length] = 32
            length += 1
        for place in range(spans[token, 0], spans[token, 1]):
            if codes[place] != 44:
                buffer[length] = codes[place]
                length += 1
    return length


@compiled
def _gram(buffer: U32, start: int, size: int) -> np.uint64:
    value = np.uint64(0xCBF29CE484222325)
    for step in range(size):
        value = (value ^ np.uint64(buffer[start + step])) * np.uint64(0x9E3779B97F4A7C15)
    return mix(value)
