"""Chunks of a range as tables of the document schema, each about one unit of the steps that follow.

Design: a part ends before a document that would overfill it, so a document lies in one part unless it alone has
more chunks than a part holds. Finished parts stay in memory up to a bound; from then on they are written to a
temporary file that Arrow maps and that is unlinked at once, so the space is given back even after a kill.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from factory.corpus.documents import Span, chunk_id
from factory.corpus.records import SourceRow
from factory.tables import DOCUMENT, FINDINGS

CHARACTERS_A_TOKEN = 6
"""More than any language averages; bounds a part whose chunks are full of long runs of one character."""

HELD_CHARACTERS = 256 << 20


class PartWriter:
    """`add` documents, `finish` gives the tables. `characters` is the sum over chunks."""

    def __init__(self, unit_rows: int, chunk_tokens: int, held_characters: int = HELD_CHARACTERS) -> None:
        self.characters = 0
        self._most_rows = unit_rows
        self._most_characters = unit_rows * chunk_tokens * CHARACTERS_A_TOKEN
        self._may_hold = held_characters
        self._tables: list[pa.Table] = []
        self._clear()

    def add(
        self, doc_id: str, text: str, spans: Sequence[Span], origin: SourceRow, findings: Mapping[str, Any]
    ) -> None:
        found = tuple(findings.get(name) for name in FINDINGS.names)
        masked = findings.get("masked")
        size = self._begin(spans)
        for number, span in enumerate(spans):
            self._room_for(span)
            row = (
                chunk_id(doc_id, span),
                doc_id,
                text[span.start : span.stop],
                span.start,
                span.stop,
                number,
                len(spans),
                origin.source,
                origin.license,
                origin.url,
                origin.shard,
                origin.shard_row,
                *found[:_MASKED],
                None if masked is None else _within(masked, span),
                *found[_MASKED + 1 :],
            )
            for column, value in zip(self._columns, row, strict=True):
                column.append(value)
            self._take(span)
        self.characters += size

    def leave_out(self, spans: Sequence[Span]) -> None:
        """Keeps free the room of a document that is left out: those behind it lie in the parts they lay in when it was
        there, and what was paid for them is found again."""
        self._begin(spans)
        for span in spans:
            self._room_for(span)
            self._take(span)

    def _begin(self, spans: Sequence[Span]) -> int:
        """Makes room for a whole document, if a part has that; its characters."""
        size = sum(span.stop - span.start for span in spans)
        if self._full(len(spans), size):
            self._close()
        return size

    def _room_for(self, span: Span) -> None:
        if self._full(1, span.stop - span.start):
            self._close()

    def _take(self, span: Span) -> None:
        self._rows += 1
        self._size += span.stop - span.start

    def finish(self) -> tuple[pa.Table, ...]:
        self._close()
        return tuple(self._tables)

    def _full(self, rows: int, characters: int) -> bool:
        too_many = self._rows + rows > self._most_rows or self._size + characters > self._most_characters
        return bool(self._rows) and too_many

    def _close(self) -> None:
        if not self._columns[0]:
            self._clear()
            return
        arrays = [pa.array(values, field.type) for values, field in zip(self._columns, DOCUMENT, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=DOCUMENT)
        self._may_hold -= self._size
        self._tables.append(table if self._may_hold >= 0 else _mapped(table))
        self._clear()

    def _clear(self) -> None:
        self._columns: list[list[object]] = [[] for _ in DOCUMENT]
        self._rows = self._size = 0


_MASKED = FINDINGS.names.index("masked")


def _within(masked: Sequence[Mapping[str, Any]], span: Span) -> Sequence[Mapping[str, Any]]:
    """Placeholders that a chunk holds any part of: a long document may have thousands, each in one chunk or two."""
    first = bisect_right(masked, span.start, key=lambda each: int(each["end"]))
    return masked[first : bisect_left(masked, span.stop, key=lambda each: int(each["start"]))]


def _mapped(table: pa.Table) -> pa.Table:
    """The same rows, backed by a file without a name."""
    with tempfile.TemporaryDirectory(prefix="factory-select-") as folder:
        path = str(Path(folder) / "part.arrow")
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return pa.ipc.open_file(pa.memory_map(path)).read_all()
