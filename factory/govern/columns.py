"""The columns of a dataset as a tree, from the Arrow types that its manifest names as text.

Design: the manifest says what was published, whatever schema this version of the factory writes; pyarrow writes types
as text (`list<item: struct<role: string, content: string>>`) but does not read them. Linear in the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

DEEPEST = 32
"""Types inside types; the published ones nest four deep."""


@dataclass(frozen=True)
class Column:
    """`kind` is the innermost Arrow type, "struct" where there are `fields`; `lists` how many lists are around it."""

    name: str
    kind: str
    lists: int = 0
    fields: tuple[Column, ...] = ()


def columns_of(named: Iterable[tuple[str, str]]) -> tuple[Column, ...]:
    """(name, Arrow type) as columns. Raises ValueError where a text is no type."""
    return tuple(column(name, kind) for name, kind in named)


def column(name: str, kind: str) -> Column:
    """One column. Raises ValueError naming it where its type cannot be read."""
    found, rest = _read(name, kind, 0)
    if rest:
        raise ValueError(f"column {name}: {rest!r} follows its type")
    return found


def _read(name: str, text: str, depth: int) -> tuple[Column, str]:
    """The type that `text` begins with, and what follows it."""
    if depth > DEEPEST:
        raise ValueError(f"column {name}: its type nests deeper than {DEEPEST}")
    if text.startswith(("list<", "large_list<")):
        _, _, rest = text.partition(": ")
        inner, rest = _read(name, rest, depth + 1)
        return Column(name, inner.kind, inner.lists + 1, inner.fields), _after(">", name, rest)
    if text.startswith("struct<"):
        fields: list[Column] = []
        rest = text.removeprefix("struct<")
        while True:
            own, colon, rest = rest.partition(": ")
            if not colon:
                raise ValueError(f"column {name}: a field of its type has no type")
            found, rest = _read(own, rest, depth + 1)
            fields.append(found)
            if not rest.startswith(", "):
                return Column(name, "struct", 0, tuple(fields)), _after(">", name, rest)
            rest = rest.removeprefix(", ")
    end = next((place for place, character in enumerate(text) if character in ",>"), len(text))
    kind = text[:end].removesuffix(" not null")
    if not kind:
        raise ValueError(f"column {name}: a type is missing")
    return Column(name, kind), text[end:]


def _after(mark: str, name: str, text: str) -> str:
    if not text.startswith(mark):
        raise ValueError(f"column {name}: {mark!r} is missing in its type")
    return text.removeprefix(mark).removeprefix(" not null")
