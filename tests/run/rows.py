"""Small committed files for tests of planning, merging and committing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from factory.identity import ids_digest, make_id
from factory.run.attempt import StepRun, begin, finish
from factory.run.outputs import Output
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.tables import DOCUMENT


def document(
    doc: str, *, chunk: int = 0, chunks: int = 1, shard: str = "a.jsonl", row: int = 0, url: str = ""
) -> dict[str, Any]:
    doc_id = make_id("doc", doc)
    return {
        "chunk_id": make_id("chunk", doc_id, chunk),
        "doc_id": doc_id,
        "text": f"text of {doc}, part {chunk}",
        "span_start": chunk * 100,
        "span_end": chunk * 100 + 100,
        "chunk": chunk,
        "chunks": chunks,
        "source": "test",
        "license": "MIT",
        "url": url or f"http://example.org/{doc}",
        "shard": shard,
        "shard_row": row,
    }


def documents(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=DOCUMENT)


def commit_documents(store: Store, unit: str, parts: Sequence[Sequence[dict[str, Any]]]) -> list[Output]:
    """Commits `parts` as the data files of one select unit and gives their outputs."""
    tables = tuple(documents(rows) for rows in parts)
    ids = [row["chunk_id"] for rows in parts for row in rows]
    result = UnitResult(len(ids), len(ids), tables, "chunk_id", input_ids_digest=ids_digest(ids))
    run = StepRun("select-0000000000000000", "run0")
    receipt = finish(store, run, begin(store, run, Unit(unit), {}), result)
    assert receipt.commit is not None
    return [Output(unit, "", file) for file in receipt.commit.files]


@dataclass(frozen=True)
class CopyStep:
    """A step that gives every row back; enough to commit units over a file."""

    name = "copy"
    version = 1

    def identity(self) -> dict[str, Any]:
        return {}


def file_of(outputs: Sequence[Output]) -> FileRef:
    assert len(outputs) == 1
    return outputs[0].file
