"""Statements of licences as they are compared: without look-alikes, invisible characters, accents and case.

Design: a corpus may hold full-width letters, typographic hyphens or zero-width characters inside a name, and
"CC-BY-N<zero width space>C-4.0" must not be read as anything but what a reader sees. `normalised` keeps what can
be seen; `folded` goes on to what words are compared by. Letters of other scripts that merely look alike are not
folded: such a name is unknown, never permissive.
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Characters that are drawn as nothing though their category is a letter or a mark (Default_Ignorable_Code_Point)."""

_HYPHENS = re.compile("[\u2010-\u2015\u2043\u2212]")

_STROKES = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i"})
"""Letters that Unicode does not take apart."""


def normalised(stated: str) -> str:
    """What can be seen of a statement: compatibility forms folded (NFKC), format and control characters dropped,
    hyphens plain, white space single."""
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFKC", _INVISIBLE.sub("", stated)))
    kept = "".join(c for c in visible if c.isspace() or unicodedata.category(c) not in {"Cf", "Cc"})
    return " ".join(unicodedata.normalize("NFKC", _HYPHENS.sub("-", kept)).split())


def folded(stated: str) -> str:
    """The normalised statement without case and accents: "Tous Droits Réservés" is "tous droits reserves"."""
    apart = unicodedata.normalize("NFKD", normalised(stated).casefold())
    bare = "".join(c for c in apart if unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", bare).translate(_STROKES)


def is_balanced(stated: str) -> bool:
    """Whether every parenthesis has its other half; an expression that was cut off says something else."""
    depth = 0
    for character in stated:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0
