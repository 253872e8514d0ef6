"""Prose dressed as LaTeX: texts of any field with the markup of mathematics and none of its subject.

For asking whether a selector detects a field or its markup. Deterministic: the same text gives the same LaTeX.
"""

from __future__ import annotations

import random
import re

from factory.identity import seed_for

ENVIRONMENTS = ("definition", "lemma", "example", "remark", "theorem", "proof", "itemize")
LETTERS = "xyzntkmABCFG"
_NUMBER = re.compile(r"\d+([.,]\d+)?")


def as_latex(text: str) -> str:
    """Sections, environments, emphasis, citations and small formulas around the words of `text`."""
    draw = random.Random(seed_for("as latex", text))
    title = " ".join(text.split()[:4])
    parts = [f"\\section{{{title}}}\n\\label{{section-{draw.randint(1, 99)}}}"]
    for paragraph in re.split(r"\n\s*\n", text):
        dressed = " ".join(_dressed(word, draw) for word in paragraph.split(" "))
        if draw.random() < 0.3:
            name = draw.choice(ENVIRONMENTS)
            item = "\\item " if name == "itemize" else ""
            label = f"\\label{{{name}-{draw.randint(1, 99)}}}"
            dressed = f"\\begin{{{name}}}\n{label}\n{item}{dressed}\n\\end{{{name}}}"
        parts.append(dressed)
    return "\n\n".join(parts)


def _dressed(word: str, draw: random.Random) -> str:
    chance = draw.random()
    if _NUMBER.fullmatch(word):
        return f"${word}$"
    if chance < 0.035:
        return f"\\{draw.choice(('emph', 'textit', 'textbf'))}{{{word}}}"
    if chance < 0.05:
        return f"${draw.choice(LETTERS)}$ {word}"
    if chance < 0.06:
        return f"{word}~\\cite{{reference-{draw.randint(1, 40)}}}"
    if chance < 0.07:
        return f"$\\mathcal{{{draw.choice('ABCF')}}}_{{{draw.choice('ijk')}}}$ {word}"
    if chance < 0.075:
        return f"${draw.choice('xyt')} \\to {draw.choice('ABz')}$, {word}"
    return word
