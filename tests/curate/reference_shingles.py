"""The reference for shingles by length, in plain Python: kinds, shingles and similarities by their definition."""

from __future__ import annotations

from factory.curate.shingles import CHARACTERS, LEAST_TOKENS, WORDS
from factory.curate.words import normal_text, tokens


def kind_of(text: str) -> int:
    return max(kind for kind, least in enumerate(LEAST_TOKENS) if len(tokens(text)) >= least)


def grams(text: str, kind: int) -> set[tuple[str, ...]]:
    """A text's shingles of a kind, from its normal form."""
    units, size = (tuple(tokens(text)), 3) if kind == WORDS else (tuple(normal_text(text)), CHARACTERS[kind])
    if len(units) < size:
        return {(normal_text(text),)}
    return {units[start : start + size] for start in range(len(units) - size + 1)}


def true_similarity(one: str, other: str) -> float:
    kind = min(kind_of(one), kind_of(other))
    first, second = grams(one, kind), grams(other, kind)
    return len(first & second) / len(first | second)
