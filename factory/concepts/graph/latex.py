"""LaTeX and mathematical signs in a name, as the words and letters they are read as.

Design: names hold a symbol or two, not formulas, so a table of what is read aloud (`\\alpha` is alpha, `\\mathbb{R}` is
R, an unknown command is its own name) does, and nothing is parsed. Greek letters and a few signs have the same
reading whether typed as a command or as a character; a Greek letter beside another one is Greek text and stays.

Cost: nothing for a name without a backslash, dollar or letter beyond ASCII; else 2 to 5 microseconds.
"""

from __future__ import annotations

import re

_GREEK_NAMES = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma tau upsilon phi chi
psi omega
"""
GREEK = dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω", _GREEK_NAMES.split(), strict=True))

SIGNS = {
    "∞": " infinity ",
    "∇": " nabla ",
    "∂": " partial ",
    "√": " sqrt ",
    "∑": " sum ",
    "∫": " integral ",
    "×": "x",  # a 3×3 matrix
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "−": "-",
    "⁄": "/",
}
"""How single characters are read; applied after NFKC and case folding, which leave all of them as they are."""

_SILENT_COMMANDS = """
mathbb mathcal mathrm mathbf mathfrak mathscr mathsf mathit mathtt bm boldsymbol text textbf textit texttt textrm textsf
emph operatorname left right big bigl bigr displaystyle limits rm bf it cal hat bar tilde vec widehat overline underline
dot ddot quad qquad cdot ldots cdots dots
"""
_READINGS = {
    **dict.fromkeys(_SILENT_COMMANDS.split(), ""),
    "infty": "infinity",
    "ell": "l",
    "varepsilon": "epsilon",
    "vartheta": "theta",
    "varphi": "phi",
    "int": "integral",
    "times": "x",
    "le": "<=",
    "leq": "<=",
    "ge": ">=",
    "geq": ">=",
    "ne": "!=",
    "neq": "!=",
}
"""LaTeX commands that are not read as their own name."""
_UNSPACED = frozenset(("<=", ">=", "!=", "x"))

_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ACCENT = re.compile(r"\\(?:[\"'`^~=.]\s*|[cvhuk](?=\{)(?:\s*))\{?\\?([a-z])\}?")
_ESCAPED = re.compile(r"\\([%&#_])")
_COMMAND = re.compile(r"\\([a-z]+)\*?\s*")
_DELIMITER = re.compile(r"\\[()\[\]]|\$")
_SPACE = re.compile(r"\\[^a-z]|\\$|(?<=\S)~(?=\S)")
_GREEK_LETTERS = "\u0370-\u03ff\u1f00-\u1fff"
_LONE_GREEK = re.compile(rf"(?<![{_GREEK_LETTERS}])([{''.join(GREEK)}])(?![{_GREEK_LETTERS}])(\w?)")
_SIGN = re.compile(f"[{''.join(SIGNS)}]")


def without_latex(text: str) -> str:
    """`text`, case folded, with its LaTeX read out: "$l^p$ norm" becomes "l^p norm", "\\alpha-helix" "alpha-helix"."""
    if "\\" not in text:
        return text.replace("$", "") if "$" in text else text
    text = _FRACTION.sub(r"\1/\2", text)
    text = _ACCENT.sub(r"\1", text)
    text = _DELIMITER.sub("", text)
    text = _ESCAPED.sub(r"\1", text)
    text = _COMMAND.sub(_reading, text)
    return _SPACE.sub(" ", text)


def _reading(match: re.Match[str]) -> str:
    read = _READINGS.get(match[1], match[1])
    return read if not read or read in _UNSPACED else f" {read} "


def with_signs_read(text: str) -> str:
    """`text`, NFKC and case folded, with lone Greek letters and mathematical signs as words."""
    text = _SIGN.sub(lambda match: SIGNS[match[0]], text)
    return _LONE_GREEK.sub(lambda match: GREEK[match[1]] + _apart(match[2]), text)


def _apart(following: str) -> str:
    """A letter right behind a Greek one is a name of its own (Δx); a digit is an index (σ2)."""
    return f" {following}" if following.isalpha() else following
