"""What `factory diff` has found, with types: the same for terminal, JSON and page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from factory.publish.gates.divergence import Divergence


@dataclass(frozen=True)
class Change:
    """One thing that both datasets say and say differently; None: that one does not say it."""

    what: str
    before: Any
    now: Any


@dataclass(frozen=True)
class Section:
    """`same` is how many things of this kind are equal in both."""

    name: str
    title: str
    changes: tuple[Change, ...]
    same: int


@dataclass(frozen=True)
class TextChange:
    """A prompt, rubric or set of words that shaped both datasets, or one of them: `lines` are of a unified diff."""

    name: str
    before_id: str | None
    now_id: str | None
    lines: tuple[str, ...]

    @property
    def both(self) -> bool:
        return (self.before_id is None) == (self.now_id is None)


@dataclass(frozen=True)
class Apart:
    """How far one column's distribution is from that of the earlier dataset."""

    column: str
    divergence: Divergence


@dataclass(frozen=True)
class Example:
    """A row that one of the datasets has, and the other has not, or has differently."""

    sample_id: str
    question: str


@dataclass(frozen=True)
class Shared:
    """Rows of both, by a key. `changed` is of keys that both have, with `changed_in` by group of columns; where a key
    names several rows of a dataset they count as one. Examples are some rows of each kind."""

    key: str
    same: int
    changed: int
    only_before: int
    only_now: int
    changed_in: Mapping[str, int]
    examples: Mapping[str, tuple[Example, ...]]


@dataclass(frozen=True)
class Difference:
    """`before` and `now` are the addresses of the datasets."""

    before: str
    now: str
    sections: tuple[Section, ...]
    texts: tuple[TextChange, ...]
    same_texts: int
    distributions: tuple[Apart, ...]
    rows: tuple[Shared, ...]

    @property
    def same(self) -> bool:
        """Whether both hold the same rows, made in the same way; names, versions and dates may differ."""
        made = all(not section.changes for section in self.sections if section.name != "dataset")
        return made and not self.texts and all(self._equal(each) for each in self.rows)

    @staticmethod
    def _equal(shared: Shared) -> bool:
        return not (shared.changed or shared.only_before or shared.only_now)

    def to_json(self) -> dict[str, Any]:
        return {"same": self.same, **asdict(self)}
