"""What an erasure looks for, and how it is found in a row, a cell or a line.

Design: ids are looked for as whole runs of 32 hexadecimal digits, wherever they stand, so that an id inside a sentence
of evidence or inside JSON is met as well. Rows go by the columns that say whose they are (OWN); in other columns an id
only says that another row resembles it, and the cell alone goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa

from factory.govern.erasure.records import ID, Work
from factory.identity import canonical_json

OWN = (
    "doc_id", "doc_ids", "chunk_id", "question_id", "answer_id", "sample_id", "walk_id", "item_id", "request_id", "id",
    "name",
)  # fmt: skip
"""Columns that say what a row is, or is made of: a row that has an erased id there goes as a whole."""

PASSED_ON = (
    "chunk_id", "question_id", "answer_id", "sample_id", "walk_id", "request_id", "answer_request_ids",
    "judge_request_id",
)  # fmt: skip
"""Columns of an erased row whose ids are erased as well. Never documents: a question over two has another one."""

QUOTE, STRIDE = 32, 8
"""Characters that a line has to share with an erased text to be a quotation of it (up to STRIDE more, as they fall): a
question's beginning, which many share, is shorter."""


@dataclass(frozen=True)
class Matcher:
    """The ids, names and texts of an erasure, ready to be looked for."""

    work: Work
    ids: frozenset[str] = field(default=frozenset())

    @staticmethod
    def of(work: Work) -> Matcher:
        return Matcher(work, frozenset(work.ids))

    @cached_property
    def id_values(self) -> pa.Array:
        return pa.array(sorted(self.ids), pa.string())

    @cached_property
    def name_values(self) -> pa.Array:
        return pa.array(sorted(self.words | self.subjects), pa.string())

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset({*self.work.words, *self.work.normals})

    @cached_property
    def subjects(self) -> frozenset[str]:
        return frozenset(self.work.subjects)

    @cached_property
    def _windows(self) -> frozenset[str]:
        texts = map(plain, self.work.texts)
        return frozenset(
            text[at : at + QUOTE] for text in texts for at in range(0, max(1, len(text) - QUOTE + 1), STRIDE)
        )

    def named(self, text: str) -> bool:
        """Whether an erased id stands in it."""
        return any(found in self.ids for found in ID.findall(text))

    def quoted(self, text: str) -> bool:
        """Whether it repeats a piece of an erased text."""
        said = plain(text)
        return any(said[at : at + QUOTE] in self._windows for at in range(len(said) - QUOTE + 1))

    def cell(self, text: str) -> str:
        """A cell of a row that stays: without erased ids, and empty where they cannot be taken out alone."""
        if not self.named(text):
            return text
        if text[:1] in "{[":
            try:
                return canonical_json(self.value(orjson.loads(text))).decode()
            except orjson.JSONDecodeError:
                pass
        return ""

    def name(self, text: str) -> str:
        """A cell of the graph or of a walk: also without names that only erased extractions have."""
        return "" if text in self.words or text in self.subjects else self.cell(text)

    def line(self, text: str) -> str:
        """A line of evidence about many rows, or of a small record: nothing where it names or quotes an erased row."""
        return "" if self.named(text) or self.quoted(text) else text

    def value(self, found: Any, quoting: bool = False) -> Any:
        """Parsed JSON without erased ids, and without quotations where text may be quoted. Entries of a list that are
        about an erased row are left out, and so are subjects that only erased rows had."""
        if isinstance(found, str):
            return "" if self.named(found) or (quoting and self.quoted(found)) else found
        if isinstance(found, list):
            return [self.value(item, quoting) for item in found if not self.about_erased(item)]
        if isinstance(found, Mapping):
            return {
                # What a step's record charges to subjects is the rest's where it names none (factory/run/ledger.py).
                key: self._sums(item)
                if key == "subject" and isinstance(item, Mapping)
                else ""
                if (key == "stratum" or (key == "name" and "drawn" in found)) and item in self.subjects
                else self.value(item, quoting or key in QUOTING)
                for key, item in found.items()
                if not self.named(key)
            }
        return found

    def about_erased(self, found: Any) -> bool:
        """Whether an entry of a list is an erased id, or an object that says that it is about an erased row."""
        if isinstance(found, str):
            return found in self.ids
        return isinstance(found, Mapping) and any(found.get(name) in self.ids for name in ("sample_id", "item"))

    def _sums(self, groups: Mapping[str, Any]) -> dict[str, Any]:
        return {name: part for name, part in groups.items() if name not in self.subjects}


QUOTING = ("evidence", "examples", "comment", "text", "question", "answer")
"""Fields of small records that may repeat a row's text; elsewhere a line that a text has in common with a
configuration is no quotation."""


def plain(text: str) -> str:
    """Without what quoting changes: white space and case."""
    return " ".join(text.split()).lower()


def flat(values: Any) -> Iterator[str]:
    """The strings of a column's cell, whether it holds one or a list."""
    if isinstance(values, str):
        yield values
    elif isinstance(values, Iterable) and not isinstance(values, bytes | Mapping):
        for value in values:
            yield from flat(value)


PIECES = 64
"""Pieces of text that are looked for in the end: the longest sentences or lines of what was erased."""

LEAST = 24
"""Characters of a piece: shorter ones are said by many."""

_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")


def pieces_of(texts: Iterable[str]) -> list[str]:
    """The longest sentences and lines of texts, as `plain` leaves them."""
    found = {plain(piece) for text in texts for piece in _ENDS.split(text)}
    return sorted((piece for piece in found if len(piece) >= LEAST), key=lambda piece: (-len(piece), piece))[:PIECES]
