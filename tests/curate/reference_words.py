"""The rules of factory/curate/words.py as regular expressions: slow, and what its scanner is held against."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from factory.curate.characters import UNSPACED_RANGES as UNSPACED
from factory.curate.characters import fold

_OPERATORS = (
    r"(?=[-+=<>^*/%!'&|])(?:"  # one look rules operators out at every space: 10 to 6.6 microseconds a question
    r"[+=<>^]+"  # rarely anything but mathematics
    r"|&&|\|\|"  # and, or, as programs have them
    r"|-(?=\s*(?:\d|[a-z]\b|[(\\{|]))|(?<=[)\]}])-"  # a minus, not the hyphen of well-known
    r"|(?<!\*)\*(?=\s*(?:\d|[a-z]\b|\())|(?<=[\w)])\*\*(?=[\d(a-z])"  # a product or power, not Markdown
    r"|/(?=\s*(?:\d|[a-z]\b|[(\\{]))"  # a quotient, not and/or
    r"|(?<=[\d\\])%|(?<=[\d)])!|(?<=\b[a-z])'+(?![a-z]))"  # percent, factorial, derivative
)
_THOUSANDS = re.compile(r",(?<=\d,)(?=\d{3}(?!\d))")  # begins with its comma, which is searched for at memchr's speed
_MARKER = re.compile(r"\s*(?:q(?:uestion)?\s*\d*\s*[.:)]|\d{1,3}[.)])\s+(?=\S)")
"""Numbering in front of a question ("3. ", "Q2: "), which says nothing about it."""


def tokens(text: str) -> list[str]:
    """Tokens of a text in order."""
    folded = fold(text)
    if marker := _MARKER.match(folded):
        folded = folded[marker.end() :]
    return _token().findall(_THOUSANDS.sub("", folded))


@lru_cache(maxsize=1)
def _token() -> re.Pattern[str]:
    """Combining marks belong to the letter before them."""
    marks = _ranges([code for code in range(0x300, 0x20000) if unicodedata.category(chr(code)) in ("Mn", "Mc")])
    letter = rf"(?:[^\W\d_{UNSPACED}]|[{marks}])"
    symbols = "\u00ac\u00b1\u2190-\u23ff\u2a00-\u2aff"
    return re.compile(rf"{letter}++(?:'{letter}++)?+|\d++(?:\.\d++)*+|[{UNSPACED}]|[{symbols}]|{_OPERATORS}")


def _ranges(codes: Sequence[int]) -> str:
    parts: list[str] = []
    start = previous = codes[0]
    for code in [*codes[1:], sys.maxunicode + 2]:
        if code != previous + 1:
            parts.append(chr(start) if start == previous else f"{chr(start)}-{chr(previous)}")
            start = code
        previous = code
    return "".join(parts)
