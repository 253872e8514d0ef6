"""What a domain classifier sees of a text: one line of lower-case words, without markup commands.

Design: a classifier that sees LaTeX commands learns to detect LaTeX (docs/decisions/0003: it kept 60 % of other
fields' prose once that was marked up, and 0.2 % of mathematics once stripped). So commands go, with the arguments
that only name things (`\\begin{lemma}`, `\\ref{...}`), and so do digits and punctuation; words inside formulas stay.
Everything runs over bytes: `bytes.translate` and a pattern over bytes are 3 to 8 times as fast as over str. Only
texts that are not ASCII pay for Unicode.

Cost: 14 microseconds for 1,600 characters of LaTeX with 28 commands, 6 for plain ASCII text.
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
_NOT_A_WORD = re.compile(r"[^\w\\{}\[\]*@]+")
_UNSPACED = re.compile("([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
_LETTERS = bytes(code if code > 127 or chr(code).isalpha() else 32 for code in range(256))


def words_of(text: str) -> bytes:
    """The words of a text, lower-case, separated by spaces, as one line of UTF-8 without its end.

    Looks at WINDOWS * WINDOW_CHARACTERS characters at most. Scripts that put no spaces between words come out as
    one character a word.
    """
    text = excerpt(text).lower()
    line = text.encode("utf-8", "replace") if text.isascii() else _spelt_out(text)
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


def _spelt_out(text: str) -> bytes:
    """Without the punctuation that is not ASCII (it would stick to words), and with spaces where scripts have none."""
    return _NOT_A_WORD.sub(" ", _UNSPACED.sub(r" \1 ", text)).encode("utf-8", "replace")
