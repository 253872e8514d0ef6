"""What a check of a bundle has found: which artefact says what, in which field, and what it should say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LONGEST = 120
"""Characters of a value that a message has room for."""


@dataclass(frozen=True)
class Finding:
    """`artefact` is a path inside the bundle or the dataset; `field` what of it; `expected` None: nothing to compare
    it with."""

    artefact: str
    field: str
    says: str
    expected: str | None = None

    def in_words(self) -> str:
        should = "" if self.expected is None else f" instead of {self.expected}"
        return f"{self.artefact}: {self.field}: {self.says}{should}"


def shown(value: Any) -> str:
    """A value as a message has it."""
    if isinstance(value, set | frozenset):
        return shown(sorted(value, key=str)) if value else "nothing"
    if isinstance(value, tuple | list):
        return _cut(", ".join(map(_word, value))) if value else "nothing"
    return _cut(_word(value))


def _word(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "@".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
