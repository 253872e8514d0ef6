"""What a domain classifier sees of a text: one line of lower-case words, without markup commands.

Design: a classifier that sees LaTeX commands learns to detect LaTeX (docs/decisions/0003: it kept 9.8 % of manuals
about LaTeX and 7.2 % of other fields' questions dressed as LaTeX, and lost 3.8 % of mathematics once stripped; on
words 0.8, 0.7 and 0.2 %). So commands go, with the arguments that only name things
(`\\begin{lemma}`, `\\ref{...}`), and so do digits and punctuation; words inside formulas stay.
Everything runs over UTF-8 bytes: `bytes.translate` and patterns over bytes are 3 to 8 times as fast as over str.

Cost: 11 microseconds for 1,500 characters of LaTeX, 25 over English, code and many scripts mixed; fastText itself
takes 16 and 23 for these. The parts: 6 without commands and in ASCII.
"""

from __future__ import annotations

import re

PREPROCESSING_VERSION = 1
"""Raise when `words_of` gives another line for some text: trained selectors say which one they know."""

WINDOWS, WINDOW_CHARACTERS = 8, 2000
"""A long document is judged by so many stretches of such length, spread evenly over it: a cost with a bound, and
no verdict by a table of contents alone."""

_COMMAND = re.compile(
    rb"\\(?:(?:begin|end|label|[a-z]{0,8}ref|cite[a-z]{0,8}|bibitem|input|include|includegraphics|usepackage"
    rb"|documentclass)\*?(?:\[[^\]\n]{0,200}\])?\{[^}\n]{0,200}\}|[a-z@]+\*?)"
)
_PUNCTUATION = re.compile(
    rb"\xc2[\x80-\xbf]|\xc3[\x97\xb7]|\xe2[\x80-\x82\x86-\xaf][\x80-\xbf]|\xe3\x80[\x80-\xbf]"
    rb"|\xef\xb8[\x80-\x8f]|\xef\xbc[\x80-\x8f\x9a-\xa0]|\xef\xbd[\x9b-\xa5]|\xf0\x9f[\x80-\xbf]{2}"
)
"""In UTF-8: punctuation of Latin-1, general, CJK and full-width; currency, arrows, operators, shapes, emoji."""

_UNSPACED = re.compile(
    rb"(\xe0[\xb8-\xbb][\x80-\xbf]|\xe1(?:[\x80-\x82\x9e\x9f])[\x80-\xbf]|[\xe3-\xe9][\x80-\xbf]{2}"
    rb"|\xef[\xa4-\xab][\x80-\xbf])"
)
"""In UTF-8: Thai, Lao, Burmese, Khmer, kana and Chinese characters, which are written without spaces."""

_LETTERS = bytes(code if code > 127 or chr(code).isalpha() else 32 for code in range(256))


def words_of(text: str) -> bytes:
    """The words of a text, lower-case, separated by spaces, as one line of UTF-8 without its end.

    Looks at WINDOWS * WINDOW_CHARACTERS characters at most. Scripts that put no spaces between words come out as
    one character a word.
    """
    line = excerpt(text).lower().encode("utf-8", "replace")
    if not line.isascii():
        line = _UNSPACED.sub(rb"\1 ", _PUNCTUATION.sub(b" ", line))
    if b"\\" in line:
        line = _COMMAND.sub(b" ", line)
    return line.translate(_LETTERS)


def excerpt(text: str) -> str:
    """The text, or evenly spread windows of one that is longer than they hold."""
    if len(text) <= WINDOWS * WINDOW_CHARACTERS:
        return text
    step = (len(text) - WINDOW_CHARACTERS) / (WINDOWS - 1)
    starts = [round(number * step) for number in range(WINDOWS)]
    return "\n".join(text[start : start + WINDOW_CHARACTERS] for start in starts)
