"""A text without its markup: what is left when LaTeX, formulas, code and tags are taken out.

Used for training (a second view of every example, so that no class can be told by its markup) and for measuring
(does the score hold when the markup goes?). Scoring itself only drops commands (preprocessing.py).
"""

from __future__ import annotations

import re

FORMULAS = "equation|align|alignat|eqnarray|gather|multline|displaymath|math|xymatrix|tikzcd|array|matrix|cases"
CODE = "verbatim|lstlisting|minted"

_CODE = re.compile(rf"```.*?```|~~~.*?~~~|\\begin\{{({CODE})\*?\}}.*?\\end\{{\1\*?\}}", re.DOTALL)
_FORMULA = re.compile(
    rf"\$\$.{{0,4000}}?\$\$|\$[^$\n]{{1,300}}\$|\\\[.{{0,4000}}?\\\]|\\\(.{{0,2000}}?\\\)"
    rf"|\\begin\{{({FORMULAS})\*?\}}.{{0,8000}}?\\end\{{\1\*?\}}",
    re.DOTALL,
)
_NAMING = re.compile(r"\\(?:begin|end|label|[A-Za-z]{0,8}ref|cite[A-Za-z]{0,8}|bibitem)\*?\s?\{[^}\n]{0,200}\}")
_COMMAND = re.compile(r"\\[A-Za-z@]+\*?|\\.")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,300}>")
_LEFT_OVER = re.compile(r"[{}$&^_~`#*|\\]+")


def strip_markup(text: str) -> str:
    """Plain words: code blocks, formulas, commands with the arguments that only name things, and tags removed."""
    for pattern in (_CODE, _FORMULA, _NAMING, _COMMAND, _TAG, _LEFT_OVER):
        text = pattern.sub(" ", text)
    return text
