"""What the characters of a text are to the normal form: its folding, and the classes of code points.

Design: `fold` is NFKC and case folding with the few signs taken care of that NFKC would fuse with their
neighbours (superscripts become `^n`, which would turn 10² into 102). `classes` gives every code point its
bits in one table, so that the scanner of words.py asks an array instead of the Unicode database.

Cost: `fold` 0.7 microseconds for an ASCII question of 350 characters, 7 for another; the table 30 ms, once a process.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt

LETTER, DIGIT, UNSPACED, SYMBOL, IN_WORD, SPACE, OPERATES = (1 << bit for bit in range(7))
"""Classes of characters. LETTER: letters, numerals like Ⅷ, and the marks that combine with letters. DIGIT: decimal
digits of any script. UNSPACED: a word by itself. SYMBOL: signs of mathematics, a token each. IN_WORD: what a regular
expression's \\w matches. OPERATES: a token that begins with it is an operator."""

CODE_POINTS = 0x40000
"""Code points with classes: beyond lie tags, variation selectors and private characters, which are no words."""

_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF), (0x20000, 0x3FFFF),
)  # fmt: skip
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese, written without spaces: a character is a word there."""

UNSPACED_RANGES = "".join(f"{chr(first)}-{chr(last)}" for first, last in _UNSPACED)
"""The same as the inside of a regular expression's character class."""

_SYMBOLS = ((0xAC, 0xAC), (0xB1, 0xB1), (0x2190, 0x23FF), (0x2A00, 0x2AFF))
_MARKS = (0x300, 0x20000)

_ALIKE = str.maketrans("−‐‑–×÷⁄∗’ʼ", "----*//*''")
"""Signs that mean what an ASCII one means."""
_ALIKE_SIGNS = re.compile(f"[{''.join(map(chr, _ALIKE))}]")


def fold(text: str) -> str:
    """A text in NFKC and lower case (case folded), where 10² does not become 102."""
    if text.isascii():
        return text.lower()
    # Most texts have none of these signs, and a search for them takes a tenth of `str.translate`.
    if _fused().search(text):
        text = text.translate(_before_nfkc())
    folded = unicodedata.normalize("NFKC", text).casefold()
    return folded.translate(_ALIKE) if _ALIKE_SIGNS.search(folded) else folded


@lru_cache(maxsize=1)
def _before_nfkc() -> dict[int, str]:
    """Superscripts, subscripts and vulgar fractions, which NFKC would fuse with the digits around them."""
    table: dict[int, str] = {}
    for code in (0xB2, 0xB3, 0xB9, *range(0xBC, 0xBF), *range(0x2070, 0x2090), *range(0x2150, 0x2160)):
        kind, _, plain = unicodedata.decomposition(chr(code)).partition(" ")
        text = "".join(chr(int(part, 16)) for part in plain.split())
        if kind == "<super>":
            table[code] = f"^{text}"
        elif kind in ("<sub>", "<fraction>"):
            table[code] = f" {text} "
    return table


@lru_cache(maxsize=1)
def _fused() -> re.Pattern[str]:
    return re.compile(f"[{''.join(map(chr, _before_nfkc()))}]")


@lru_cache(maxsize=1)
def classes() -> npt.NDArray[np.uint8]:
    """uint8[CODE_POINTS]: the classes of every code point."""
    codes = np.arange(CODE_POINTS, dtype=np.uint32)
    characters = codes.view("<U1")
    digit = np.strings.isdecimal(characters)
    alphanumeric = np.strings.isalnum(characters)
    mark = np.zeros(CODE_POINTS, np.bool_)
    mark[[code for code in range(*_MARKS) if unicodedata.category(chr(code)) in ("Mn", "Mc")]] = True
    unspaced = _within(_UNSPACED) & ~digit & ~mark
    letter = (alphanumeric & ~digit & ~unspaced) | mark
    symbol = _within(_SYMBOLS) & ~letter
    table = np.zeros(CODE_POINTS, np.uint8)
    table[letter] |= LETTER
    table[digit] |= DIGIT
    table[unspaced] |= UNSPACED
    table[symbol] |= SYMBOL
    table[alphanumeric | (codes == ord("_"))] |= IN_WORD
    table[np.strings.isspace(characters)] |= SPACE
    table[~alphanumeric & ~mark] |= OPERATES
    return table


def _within(ranges: tuple[tuple[int, int], ...]) -> npt.NDArray[np.bool_]:
    inside = np.zeros(CODE_POINTS, np.bool_)
    for first, last in ranges:
        inside[first : last + 1] = True
    return inside
