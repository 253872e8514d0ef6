"""One attempt at a unit: receipt, files under attempt-unique names, then the commit.

Design: the order is fixed: receipt; data, rejects and requests, side by side; commit. Killed between any two, the
unit is simply not committed and its files are garbage that no reader sees. An attempt past its deadline may not
commit (garbage collection counts on that). Cost: one read and 3 to 5 puts a unit, one of them
conditional; in time three of the puts.
"""

from __future__ import annotations

import hashlib
import io
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from factory.identity import add_digests, canonical_json, ids_digest, sha256_hex
from factory.observe.config import UNOBSERVED, OnWorkers
from factory.observe.phases import Timeline
from factory.run.reject import Reject
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import AbsentObjectError, Store
from factory.store.commits import Commit, Counts, put_commit, read_commit
from factory.store.parquet import DEFAULT_LAYOUT, Layout, to_parquet
from factory.tables import REJECT, SCHEMA_VERSION

PARALLEL_PUTS = 4
"""Files of a unit written at once: most have two to four, and a put waits for a disk (3 ms) or a network (20 ms)."""

PARALLEL_BYTES = 32 << 20
"""Tables that take more than this together are written one after another: side by side each is held as bytes once
more, and their puts are not what they wait for."""


@dataclass(frozen=True)
class StepRun:
    """A step as one run executes it: its folder name, the run's id, and the attempt deadline in seconds."""

    folder: str
    run: str
    deadline_s: float = 3600
    observed: OnWorkers = UNOBSERVED


@dataclass(frozen=True)
class Attempt:
    """`started` is in seconds of `clock()`: begun and finished by one process."""

    unit: Unit
    attempt: str
    started: float

    @property
    def seconds(self) -> float:
        return clock() - self.started

    def expired(self, deadline_s: float) -> bool:
        return self.seconds > deadline_s


def clock() -> float:
    """Seconds that nobody can set, and that go on while the machine is suspended where the system counts those: an
    attempt that slept through its deadline may not commit, and one whose machine had its time corrected may."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True)
class Receipt:
    """What the driver learns of a finished unit; a few hundred bytes. `begun` is False where the run was leaving."""

    unit: str
    attempt: str
    commit: Commit | None
    spent: Mapping[str, float] = field(default_factory=dict)
    timeline: Timeline | None = None
    begun: bool = True


def committed_before(store: Store, run: StepRun, unit: Unit) -> Receipt | None:
    """The receipt of a unit that somebody has committed since it was planned; None where it is still to be worked."""
    try:
        commit = read_commit(store, run.folder, unit.unit_id)
    except AbsentObjectError:
        return None
    return Receipt(unit.unit_id, commit.attempt, commit)


def begin(store: Store, run: StepRun, unit: Unit, planned: Mapping[str, float]) -> Attempt:
    """Leaves the start receipt; `planned` (requests, prompt characters) bounds what a lost attempt cost."""
    attempt = Attempt(unit, uuid.uuid4().hex[:12], clock())
    body = {"unit": unit.unit_id, "attempt": attempt.attempt, "run": run.run, "planned": dict(planned)}
    store.put(receipt_key(run.folder, unit.unit_id, attempt.attempt), canonical_json(body))
    return attempt


def receipt_key(folder: str, unit: str, attempt: str) -> str:
    return f"steps/{folder}/attempts/{unit}.{attempt}.json"


def finish(
    store: Store,
    run: StepRun,
    attempt: Attempt,
    result: UnitResult,
    requests: pa.Table | None = None,
    engine: Mapping[str, Any] | None = None,
) -> Receipt:
    """Writes the result's files and commits them. `commit` is None in the receipt of an expired attempt.

    Raises ConservationError when the result does not add up, StoreError when the store gives up.
    """
    unit = attempt.unit
    ledger = {**result.ledger, "seconds": attempt.seconds}
    if attempt.expired(run.deadline_s):
        return Receipt(unit.unit_id, attempt.attempt, None, ledger)
    counts, reasons = account(result)
    counts.check(f"{run.folder} unit {unit.unit_id}")
    metadata = {
        "run": run.run,
        "step": run.folder,
        "unit": unit.unit_id,
        "synthetic": "true",
        "schema_version": str(SCHEMA_VERSION),
    }
    layouts = result.layouts or (DEFAULT_LAYOUT,) * len(result.tables)
    digests = result.ids_digests or tuple(ids_digest(_ids(table, result.id_column)) for table in result.tables)
    beside = {
        kind: table
        for kind, table in (("rejects", rejects_table(result.rejects)), ("requests", requests))
        if table is not None and table.num_rows
    }
    held = sum(table.nbytes for table in (*result.tables, *beside.values()))
    with ThreadPoolExecutor(PARALLEL_PUTS if held <= PARALLEL_BYTES else 1) as pool:
        parts = pool.map(
            lambda part: _write_table(store, run.folder, attempt, metadata, *part),
            zip(range(len(layouts)), result.tables, layouts, digests, strict=True),
        )
        written = pool.map(
            lambda other: (other[0], _write_other(store, run.folder, attempt, metadata, *other)), beside.items()
        )
        files, others = tuple(parts), dict(written)
    commit = Commit(
        unit=unit.unit_id,
        attempt=attempt.attempt,
        step=run.folder,
        run=run.run,
        parent=unit.file.name if unit.file else "",
        picks=unit.picks,
        files=files,
        other_files=others,
        counts=counts,
        reasons=reasons,
        input_ids_digest=result.input_ids_digest,
        accepted_ids_digest=result.accepted_ids_digest if result.accepted is not None else add_digests(digests),
        ledger=ledger,
        engine=engine,
        facts=dict(result.facts),
    )
    winner = put_commit(store, commit)
    return Receipt(unit.unit_id, attempt.attempt, winner, ledger)


def account(result: UnitResult) -> tuple[Counts, dict[str, dict[str, int]]]:
    """Counts and reasons of a result; rejects are counted by side."""
    sides = Counter(reject.side for reject in result.rejects)
    accepted = sum(table.num_rows for table in result.tables) if result.accepted is None else result.accepted
    counts = Counts(
        inputs=result.inputs,
        used=result.used,
        rejected=sides["input"],
        quarantined=sides["quarantine"],
        accepted=accepted,
        output_rejected=sides["output"],
    )
    reasons: dict[str, dict[str, int]] = {}
    for (side, reason), number in sorted(Counter((reject.side, reject.reason) for reject in result.rejects).items()):
        reasons.setdefault(side, {})[reason] = number
    return counts, reasons


def rejects_table(rejects: Sequence[Reject]) -> pa.Table:
    columns = {
        "item_id": [reject.item_id for reject in rejects],
        "side": [reject.side for reject in rejects],
        "reason": [reject.reason for reject in rejects],
        "evidence": [canonical_json(dict(reject.evidence)).decode() for reject in rejects],
        "text": [reject.text for reject in rejects],
    }
    return pa.table(columns, schema=REJECT)


def content_sha256(table: pa.Table) -> str:
    """Hash of a table's rows, whatever its chunking or metadata: two runs that made the same rows agree."""
    batch = table.replace_schema_metadata(None).combine_chunks()
    sink = _Hashed()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), batch.schema) as writer:
        # take() rebuilds every buffer, so offsets and padding left by slicing cannot leak into the hash
        writer.write_table(batch.take(pa.array(np.arange(batch.num_rows))))
    return sink.hasher.hexdigest()


class _Hashed(io.RawIOBase):
    """Hashes what is written and keeps nothing: a partition of a graph would take its size in memory again."""

    def __init__(self) -> None:
        self.hasher = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.hasher.update(data)
        return len(data)


def _ids(table: pa.Table, column: str) -> list[str]:
    return table.column(column).to_pylist() if column in table.column_names else []


def _write_table(
    store: Store,
    folder: str,
    attempt: Attempt,
    metadata: Mapping[str, str],
    part: int,
    table: pa.Table,
    layout: Layout,
    digest: str,
) -> FileRef:
    unit = attempt.unit.unit_id
    key = f"steps/{folder}/data/{unit}.{attempt.attempt}.{part}.parquet"
    data = to_parquet(table, dict(metadata), layout)
    store.put(key, data)
    return FileRef(f"{folder}/{unit}/{part}", key, sha256_hex(data), content_sha256(table), table.num_rows, digest)


def _write_other(
    store: Store, folder: str, attempt: Attempt, metadata: Mapping[str, str], kind: str, table: pa.Table
) -> dict[str, Any]:
    key = f"steps/{folder}/{kind}/{attempt.unit.unit_id}.{attempt.attempt}.parquet"
    data = to_parquet(table, dict(metadata))
    store.put(key, data)
    return {"key": key, "rows": table.num_rows, "bytes": len(data), "sha256": sha256_hex(data)}
