"""Text as the checks of this pack read it: one way of writing a number and its unit, whatever was typed.

Design: a dose that is written unusually is still a dose, so everything that only looks different is taken away before
anything is looked for: HTML entities, Markdown and LaTeX around a number, invisible characters, thin spaces within
numbers, Cyrillic letters that look Latin, the letter O for a zero before a unit, numbers in words. Both answers and
passages go through it, so what is lost is lost on both sides.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

from factory.curate.characters import fold

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(*_]*[A-Z])|\n+|;\s+")
_JOINED_DIGITS = re.compile("(?<=\\d)[\u00a0\u2007-\u200a\u202f](?=\\d{3}(?!\\d))")
_THOUSANDS = re.compile(r"(?<![\w.,])(\d{1,3}) (?=000(?!\d)|\d{3} \d{3}(?!\d))")
"""A plain space within a number: "2 500 mg tablets" are two, "1 000 mg" is one amount."""
_LATEX_SPACE = re.compile(r"\\[,;:! ]|~|\$")
_LATEX_WORD = re.compile(r"\\(?:text|mathrm|mbox|textrm|si|SI|qty|num|unit)\b")
_TIMES = re.compile(r"\\(?:times|cdot)\b")
_MARKUP = re.compile(r"[{}*`]|(?<!\w)_|_(?!\w)")
_CYRILLIC = str.maketrans("асеорхумткгіјѕАСЕОРХУМТК", "aceopxymtkgijsACEOPXYMTK")

_SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
VALUES = {word: value for value, word in enumerate(_SMALL.split())} | {
    word: 20 + 10 * n for n, word in enumerate(_TENS.split())
}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
FRACTIONS = {"half": 0.5, "quarter": 0.25}

_WORD = "|".join(sorted([*VALUES, *SCALES], key=len, reverse=True))
_NUMBER_WORDS = re.compile(
    rf"\b(?:a )?(?:{_WORD})(?:(?:[ -]|(?:(?<=hundred)|(?<=thousand)) and )(?:{_WORD}))*(?: and a (?:half|quarter))?\b"
    rf"|\b(?:(?:a|one)[ -])?(?:half|quarter)(?:[ -](?:of[ -])?an?)?\b"
)


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, as they were written."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip()]


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """A sentence in lower case with every number in digits and nothing around it."""
    text = _JOINED_DIGITS.sub("", html.unescape(text))
    text = _TIMES.sub("x", _LATEX_SPACE.sub(" ", text))
    text = _MARKUP.sub("", _LATEX_WORD.sub("", text)).translate(_CYRILLIC)
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    text = " ".join(fold(text).replace("–", "-").replace("—", " - ").split())
    return _NUMBER_WORDS.sub(_in_digits, _THOUSANDS.sub(r"\1", text))


def _in_digits(found: re.Match[str]) -> str:
    words = [word for word in re.split(r"[ -]", found.group()) if word not in ("a", "an", "and", "of")]
    if words[0] == "one" and words[1:] and words[1] in FRACTIONS:
        del words[0]
    total = current = 0.0
    for word in words:
        if word == "hundred":
            current = (current or 1) * 100
        elif word in SCALES:
            total, current = total + (current or 1) * SCALES[word], 0.0
        else:
            current += FRACTIONS.get(word) or VALUES[word]
    return f"{total + current:.12g}"
