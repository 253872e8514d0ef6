"""The words of a text as decontamination compares them: curation's words, with notation put aside.

Design: operators are left out (curation's `words()`), LaTeX's layout commands too, Greek letters go by their names and
spelled-out numbers by their digits, so that `$\\dfrac{\\pi}{2}$`, `\\frac{\\pi}{2}` and `π/2` are the same three words.
A small open-addressed table says for a token's hash what stands for it; nothing is looked at but hashes.

Cost: 0.2 microseconds a row of 31 words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from factory.curate.scan import OPERATOR
from factory.curate.words import I64, NORMALISER_VERSION, U64, TokenArray, plain_words, tokenise
from factory.native import compiled

VIEW_VERSION = 1
"""Raised when a text could get other words; part of the identity of every index."""

LAYOUT = """
frac dfrac tfrac cfrac sqrt left right bigl bigr displaystyle textstyle mathrm mathbf mathbb mathcal mathit textbf
textit textrm operatorname quad qquad cdot cdots ldots dots times div le leq leqslant ge geq geqslant ne neq infty pm
mp text approx equiv rightarrow longrightarrow
"""
"""Commands of LaTeX that say how something looks or that stand for a sign (which curation counts as an operator, left
out here). Some are words of English as well; they are put aside in benchmark and row alike."""

GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi "
GREEK += "chi psi omega"
NUMBERS = "zero two three four five six seven eight nine ten eleven twelve"
"""Spelled-out numbers that stand for one number; "one" is mostly a pronoun, and larger ones come in parts."""

_SLOTS = 1024
_DROPPED = np.uint64(1)


@dataclass(frozen=True)
class Words:
    """Words of N texts: `hashes` uint64[L] end to end (kind in the two lowest bits), `offsets` int64[N + 1]."""

    hashes: U64
    offsets: I64

    @property
    def counts(self) -> I64:
        return np.diff(self.offsets)


def identity() -> dict[str, int]:
    return {"normaliser": NORMALISER_VERSION, "view": VIEW_VERSION}


def view(array: TokenArray) -> Words:
    """The words of tokenised texts."""
    hashes = np.empty(len(array.hashes), np.uint64)
    offsets = np.empty(len(array.offsets), np.int64)
    count = _view(array.hashes, array.offsets, *_aliases(), hashes, offsets)
    return Words(hashes[:count], offsets)


def viewed_words(text: str) -> list[str]:
    """The words of one text as strings, in the places that `view` has their hashes."""
    words = plain_words(text)
    hashes = tokenise([text]).words().hashes
    return [word for word, value in zip(words, hashes.tolist(), strict=True) if value not in _dropped()]


@compiled
def _view(tokens: U64, bounds: I64, keys: U64, values: U64, hashes: U64, offsets: I64) -> int:
    count = 0
    offsets[0] = 0
    for text in range(len(bounds) - 1):
        for place in range(bounds[text], bounds[text + 1]):
            token = tokens[place]
            if token & np.uint64(3) == np.uint64(OPERATOR):
                continue
            slot = token >> np.uint64(54)
            while keys[slot] != np.uint64(0) and keys[slot] != token:
                slot = (slot + np.uint64(1)) & np.uint64(_SLOTS - 1)
            if keys[slot] == token:
                if values[slot] == _DROPPED:
                    continue
                token = values[slot]
            hashes[count] = token
            count += 1
        offsets[text + 1] = count
    return count


@lru_cache(maxsize=1)
def _aliases() -> tuple[U64, U64]:
    """What stands for a token: keys and values uint64[_SLOTS], a value of 1 for a word that is left out."""
    keys, values = np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.uint64)
    pairs = [(_hash(word), int(_DROPPED)) for word in LAYOUT.split()]
    pairs += [(_hash(letter), _hash(name)) for name in GREEK.split() for letter in _greek_letters(name)]
    digits = [0, *range(2, 13)]
    pairs += [(_hash(word), _hash(str(digit))) for word, digit in zip(NUMBERS.split(), digits, strict=True)]
    for key, value in pairs:
        slot = key >> 54
        while keys[slot] and int(keys[slot]) != key:
            slot = (slot + 1) % _SLOTS
        keys[slot], values[slot] = key, value
    return keys, values


@lru_cache(maxsize=1)
def _dropped() -> frozenset[int]:
    return frozenset(_hash(word) for word in LAYOUT.split())


def _greek_letters(name: str) -> list[str]:
    """The letter of a name. Its final form, `ς`, is folded to `σ` by the normal form."""
    start = ord("α") + GREEK.split().index(name)
    return [chr(start if start < ord("ς") else start + 1)]


def _hash(word: str) -> int:
    return int(tokenise([word]).hashes[0])
