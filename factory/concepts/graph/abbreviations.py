"""Abbreviations in brackets: "Fast Fourier Transform (FFT)" is one thing with two names.

Design: Schwartz and Hearst (2003, "A simple algorithm for identifying abbreviation definitions in biomedical text"):
the letters of the short form are looked for from the right in the long form, and its first letter must begin a
word. A bracket that does not fit stays part of the name: "Python (programming language)".

Cost: nothing without a bracket, else 3 microseconds.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_SHORT = 10
"""Characters of an abbreviation, as in the paper."""

_BRACKETS = re.compile(r"^(.*?\S)\s*[(\[]([^()\[\]]+)[)\]]\s*(.*)$", re.DOTALL)
_SHORT = re.compile(r"[^\W_][\w.&/\-]*")


class Split(NamedTuple):
    """A name without its abbreviation, and the abbreviation as written (None where it has none)."""

    name: str
    abbreviation: str | None


def split_abbreviation(text: str) -> Split:
    """ "Fast Fourier Transform (FFT)" and "FFT (Fast Fourier Transform)" give ("Fast Fourier Transform", "FFT")."""
    if "(" not in text and "[" not in text:
        return Split(text, None)
    found = _BRACKETS.match(text)
    if found is None:
        return Split(text, None)
    outside, inside, rest = found[1], found[2].strip(), found[3]
    if fits(inside, outside):
        return Split(f"{outside} {rest}".rstrip(), inside)
    if not rest and fits(outside, inside):
        return Split(inside, outside)
    return Split(text, None)


def fits(short: str, long: str) -> bool:
    """Whether `short` can abbreviate `long`: more than one word, whose letters hold those of `short` in order."""
    if not 2 <= len(short) <= MAX_SHORT or not _SHORT.fullmatch(short):
        return False
    wanted, words = short.casefold(), long.casefold()
    if len(words.split()) < 2 or len(wanted) >= len(words) or wanted in re.split(r"[\s\-]+", words):
        return False
    if _matches(wanted, words):
        return True
    return wanted.endswith("s") and len(wanted) > 2 and _matches(wanted[:-1], words)  # CNNs


def _matches(short: str, long: str) -> bool:
    place = len(long) - 1
    for index in range(len(short) - 1, -1, -1):
        letter = short[index]
        if not letter.isalnum():
            continue
        while place >= 0 and not (long[place] == letter and (index > 0 or place == 0 or not long[place - 1].isalnum())):
            place -= 1
        if place < 0:
            return False
        place -= 1
    return True
