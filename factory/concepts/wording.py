"""Words as models write them: cleaned, compared, and seen through when they go round in circles.

Design: cleaning changes nothing a reader would miss (spaces, control characters, list numbers); the form
used for comparing folds case, compatibility characters (NFKC), spaces and punctuation, so that an echo
counts as one whatever its spacing or quotes. Costs 1-10 microseconds a string.
"""

from __future__ import annotations

import re
import unicodedata
import zlib

# "1. ", "2.3) ", "- ", "• " before a name. Not "3D", "2-norm" or "1.5": a space has to follow the mark.
_LIST_MARK = re.compile(r"^(?:\d{1,2}(?:\.\d{1,2})*[.):]|[-*•–])\s+")
# With the marks that turn the direction of writing (U+202A to 202E, 2066 to 2069): what a person reads would not be
# what the row holds (Boucher and Anderson, "Trojan Source", 2021).
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
# Within names also what cannot be seen; joiners (U+200C, 200D) are letters' business in Persian and Indic scripts.
_UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u2060-\u2064]")
# A semicolon before a space ends a name, but not one that ends a character reference ("AT&amp; T").
_SEVERAL = re.compile(r"(?<!&\w\w)(?<!&\w\w\w)(?<!&\w\w\w\w);\s+|\n")
_BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")
_SPACES = re.compile(r"[^\S\n]+(?=\n|$)")
# Punctuation between words of a name. Mathematical and programming signs stay: C, C++ and C# are three names.
_BETWEEN_WORDS = re.compile(r"[\s\"'`.,;:!?()\[\]{}_\u2018-\u201f\u00ab\u00bb\u2026]+")
# The same for ASCII, where translating and splitting takes a third of the time.
_ASCII_BETWEEN_WORDS = str.maketrans(dict.fromkeys("\"'`.,;:!?()[]{}_\x1c\x1d\x1e\x1f", " "))

# Whisper (Radford et al. 2022, section 4.5) calls a text degenerate above a gzip ratio of 2.4. That holds
# for texts of some length; a short one needs more than that.
_DEGENERATE_RATIO = 2.4
_MIN_BYTES_FOR_RATIO = 120
_MIN_WORDS_FOR_TRIGRAMS = 12
_MIN_DISTINCT_TRIGRAMS = 0.5


def clean_name(text: str) -> str:
    """A topic, concept or subject on one line, without list number and closing punctuation."""
    name = _LIST_MARK.sub("", " ".join(seen(text).split()))
    return name.rstrip(" .,;:").lstrip(" ,;:")


def seen(text: str) -> str:
    """A name with a space for every control character, and without what cannot be seen."""
    text = _CONTROL.sub(" ", text)
    return text if text.isascii() else _UNSEEN.sub("", text)


def names_in(text: str) -> list[str]:
    """The cleaned names a model wrote as one: "limits; continuity" is two. Empty names are left out."""
    parts = _SEVERAL.split(text) if ";" in text or "\n" in text else [text]
    return [name for name in map(clean_name, parts) if name]


def clean_text(text: str) -> str:
    """A question as it will be published: no control characters, no spaces at line ends, no piled-up blank
    lines. Indentation stays, because questions hold code."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _BLANK_LINES.sub("\n\n", _SPACES.sub("", _CONTROL.sub("", text))).strip()


def comparable(text: str) -> str:
    """The form in which two names are compared; empty for a text of punctuation alone."""
    if text.isascii():
        return " ".join(text.lower().translate(_ASCII_BETWEEN_WORDS).split())
    return _BETWEEN_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def repetition(text: str) -> float | None:
    """How far a text that goes round in circles does so, or None for one that does not.

    Share of distinct word trigrams where there are words enough (below one half is a loop), else the zlib
    ratio, which also sees loops in scripts without spaces and inside one endless word.
    """
    words = text.split()
    if len(words) >= _MIN_WORDS_FOR_TRIGRAMS:
        trigrams = set(zip(words, words[1:], words[2:], strict=False))
        share = len(trigrams) / (len(words) - 2)
        if share < _MIN_DISTINCT_TRIGRAMS:
            return round(share, 3)
        if len(words) * 20 > len(text):
            return None
    data = text.encode("utf-8", "replace")
    if len(data) < _MIN_BYTES_FOR_RATIO:
        return None
    ratio = len(data) / len(zlib.compress(data, 1))
    return round(ratio, 3) if ratio > _DEGENERATE_RATIO else None
