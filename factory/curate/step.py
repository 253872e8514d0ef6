"""Accepted and rejected questions: curation's decisions applied to a question file.

Design: last of curation's passes, row-wise again: a unit is a question file (or some of its rows), and its
parameter `decisions` names the outputs index of the pass that decides. Of each of its units it reads the one part
that concerns the file, once per process. Accepted rows keep their order and every column; a dropped row
becomes a reject with reason, evidence and text.

Cost: 5 microseconds a question, reading its file included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from factory.curate.decide import DECISION, part_of
from factory.errors import ConservationError
from factory.identity import ids_digest
from factory.run.outputs import by_unit, read_outputs
from factory.run.reject import Reject
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet

STEP_VERSION = 3


@dataclass(frozen=True)
class CurateStep:
    """Work step over question files."""

    name: str = "curate"

    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        if unit.file is None:
            raise ValueError("a curate unit covers a question file")
        table = read_parquet(store, unit.file.key)
        rows = np.arange(table.num_rows) if unit.picks is None else np.array(unit.picks, np.int64)
        if unit.picks is not None:
            table = table.take(rows)
        decisions = read_decisions(store, unit.parameters["decisions"], unit.file.name)
        return apply_decisions(table, rows.tolist(), decisions)


def apply_decisions(table: pa.Table, rows: list[int], decisions: pa.Table) -> UnitResult:
    """Splits question rows (`rows`: their places in the question file) by the file's DECISION rows.

    Raises ConservationError when a decision names another question than the one that lies there.
    """
    dropped = {decision["row"]: decision for decision in decisions.to_pylist()}
    ids = table.column("question_id").to_pylist()
    texts = table.column("text")
    rejects: list[Reject] = []
    keep = np.ones(len(rows), np.bool_)
    for position, row in enumerate(rows):
        decision = dropped.get(row)
        if decision is None:
            continue
        if decision["question_id"] != ids[position]:
            raise ConservationError(
                f"decision about question {decision['question_id']} points at row {row} of {decision['file']}, "
                f"where {ids[position]} lies",
                cause="the question file was replaced after its duplicates were judged",
                remedy="start the run again; curation is planned anew from the files that are committed",
            )
        keep[position] = False
        evidence = orjson.loads(decision["evidence"])
        rejects.append(Reject(ids[position], decision["reason"], "input", evidence, texts[position].as_py()))
    accepted = table.filter(pa.array(keep))
    return UnitResult(
        inputs=len(ids),
        used=accepted.num_rows,
        tables=(accepted,) if accepted.num_rows else (),
        id_column="question_id",
        rejects=tuple(rejects),
        input_ids_digest=ids_digest(ids),
    )


def read_decisions(store: Store, index: str, file: str) -> pa.Table:
    """DECISION rows about one question file."""
    found = [DECISION.empty_table()]
    units = by_unit(read_outputs(store, index)).values()
    for parts in units or [[]]:
        if not parts or any(not part.name.endswith(f"/{number}") for number, part in enumerate(parts)):
            raise ConservationError(
                f"{index} does not list every part of the decisions about duplicates",
                cause="the index was changed, or written by another version of the factory",
                remedy="delete it and start the run again; the decisions are made anew",
            )
        table, spans = _load_part(store, parts[part_of(file, len(parts))])
        start, stop = spans.get(file, (0, 0))
        found.append(table.slice(start, stop - start))
    return pa.concat_tables(found)


Part = tuple[pa.Table, dict[str, tuple[int, int]]]
"""Decisions in order of their files, and which rows are about which file."""

_PARTS: dict[str, Part] = {}
"""Parts by content, of this process: the units that meet one part come again and again."""
_PARTS_KEPT = 4


def _load_part(store: Store, ref: FileRef) -> Part:
    if ref.content_sha256 not in _PARTS:
        table = read_parquet(store, ref.key)
        counted = table.column("file").value_counts().to_pylist()  # in order of first appearance
        stops = np.cumsum([entry["counts"] for entry in counted]).tolist()
        starts = [0, *stops[:-1]]
        names = [entry["values"] for entry in counted]
        while len(_PARTS) >= _PARTS_KEPT:
            _PARTS.pop(next(iter(_PARTS)))
        _PARTS[ref.content_sha256] = table, dict(zip(names, zip(starts, stops, strict=True), strict=False))
    return _PARTS[ref.content_sha256]
