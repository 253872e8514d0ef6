"""A root with a step of very many committed units, written in seconds: what planning, resuming and looking read.

Design: objects have the keys, sizes and contents that runs give them (a commit of an LLM step is some 1.5 kB), but they
are written straight into the folder, without syncing; files whose bytes nobody here reads are hard links to one. On S3
they are put by many threads. The step copies the rows of a parent that exists as its outputs index alone.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from factory.identity import add_digests, canonical_json, fingerprint, make_id, sha256_hex
from factory.run.outputs import Output, outputs_key, read_outputs, write_outputs
from factory.run.plan import Part, plan_rows, row_wise_folder, step_identity
from factory.run.record import kept_plan_key, plan_key, record_key
from factory.run.stage import Dones, Planned, Stage
from factory.run.units import FileRef, Unit, UnitResult, unit_over
from factory.store.base import Store
from factory.store.commits import Commit, Counts, commit_key, committed_units
from factory.store.local import LocalStore

RUN = "ab" * 8
PARENT = "parent-" + "0" * 16
ROWS = 2
ATTEMPT = "0" * 12
BYTES = b"x" * 64
LINKS = 50_000
"""Names of one file: ext4 allows 65,000."""

PUTS_AT_ONCE = 32

LEDGER = {
    "requests": 2,
    "prompt_tokens": 512,
    "cached_tokens": 128,
    "generated_tokens": 96,
    "samples": 2,
    "samples_saved": 0,
    "tokens_saved": 0,
    "seconds": 1.2345678,
}
ENGINE = {
    "kind": "scripted",
    "version": "1",
    "model": "toy/model",
    "revision": "r1",
    "dtype": "bfloat16",
    "max_model_len": 2048,
    "device": "cpu",
}


@dataclass(frozen=True)
class CopyRows:
    """A step that gives back what it reads; never worked here but by `feed` (units_action.py)."""

    name = "copied"
    version = 1

    def identity(self) -> dict[str, Any]:
        return {}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        return UnitResult(ROWS, ROWS, (pa.table({"id": [unit.unit_id] * ROWS}),), "id")


STEP: Any = CopyRows()
FOLDER = row_wise_folder(STEP, None)


def parent_files(count: int) -> Iterator[Output]:
    for number in range(count):
        unit = make_id("parent", number)
        digest = sha256_hex(unit.encode())
        key = f"steps/{PARENT}/data/{unit}.{ATTEMPT}.0.parquet"
        file = FileRef(f"{PARENT}/{unit}/0", key, digest, digest[::-1], ROWS, f"{number:064x}")
        yield Output(unit, f"select-{'0' * 16}/{unit}/0", file)


def dones(count: int) -> dict[str, dict[str, Any]]:
    """What the stage reads of its parent's record."""
    digest = add_digests(f"{number:064x}" for number in range(count))
    return {"parent": {"folder": PARENT, "counts": {"accepted": ROWS * count}, "accepted_digest": digest}}


def stage() -> Stage:
    """The stage as chain.py plans one that works row by row."""

    def plan(store: Store, _dones: Dones) -> Planned:
        parts = [Part(output.file) for output in read_outputs(store, outputs_key(RUN, "parent"))]
        return Planned(STEP, FOLDER, plan_rows(store, FOLDER, parts, committed_units(store, FOLDER)))

    return Stage(STEP.name, plan, ("parent",), step=STEP)


def write_plan(store: Store, count: int) -> dict[str, Any]:
    """The parent's outputs, the step's plan and the run's record; what a manifest would say of the step."""
    write_outputs(store, RUN, "parent", parent_files(count))
    units = [unit_over(output.file).unit_id for output in parent_files(count)]
    identity = step_identity(STEP, None)
    digest = fingerprint(sorted(units))
    body = canonical_json({"step": STEP.name, "folder": FOLDER, "units": units})
    store.put(f"steps/{FOLDER}/step.json", canonical_json(identity))
    store.put(plan_key(RUN, STEP.name), body)
    store.put(kept_plan_key(FOLDER, digest), body)
    started = "2026-01-01T00:00:00+00:00"
    record = {"run": RUN, "state": "finished", "started": started, "steps": {STEP.name: FOLDER}}
    store.put(record_key(RUN), canonical_json({**record, "config": {}, "dataset": None}))
    return {"name": STEP.name, "folder": FOLDER, "plan": digest, "identity": identity, "units": count}


def write_units(store: Store, count: int, first: int, last: int) -> None:
    """Commits the units number `first` to `last` - 1 of `count`, with data, requests and receipts."""
    objects = (
        each for number, output in enumerate(parent_files(count)) if first <= number < last for each in _unit(output)
    )
    if isinstance(store, LocalStore):
        _write_here(Path(store.root), objects)
        return
    with ThreadPoolExecutor(PUTS_AT_ONCE) as pool:
        for _ in pool.map(lambda each: store.put(*each), objects):
            pass


def _unit(parent: Output) -> Sequence[tuple[str, bytes]]:
    unit = unit_over(parent.file).unit_id
    data = f"steps/{FOLDER}/data/{unit}.{ATTEMPT}.0.parquet"
    requests = f"steps/{FOLDER}/requests/{unit}.{ATTEMPT}.parquet"
    sha256, digest = sha256_hex(BYTES), parent.file.ids_digest
    file = FileRef(f"{FOLDER}/{unit}/0", data, sha256, sha256_hex(unit.encode()), ROWS, digest)
    commit = Commit(
        unit=unit,
        attempt=ATTEMPT,
        step=FOLDER,
        run=RUN,
        parent=parent.file.name,
        picks=None,
        files=(file,),
        other_files={"requests": {"key": requests, "rows": ROWS, "bytes": len(BYTES), "sha256": sha256}},
        counts=Counts(inputs=ROWS, used=ROWS, accepted=ROWS),
        reasons={},
        input_ids_digest=digest,
        accepted_ids_digest=digest,
        ledger=LEDGER,
        engine=ENGINE,
    )
    body = canonical_json(commit.to_json())
    receipt = f"steps/{FOLDER}/attempts/{unit}.{ATTEMPT}.json"
    return (data, BYTES), (requests, BYTES), (receipt, BYTES), (commit_key(FOLDER, unit), body)


def _write_here(root: Path, objects: Iterator[tuple[str, bytes]]) -> None:
    folders: set[str] = set()
    linked, source = 0, root
    for key, data in objects:
        folder, _, _ = key.rpartition("/")
        if folder not in folders:
            (root / folder).mkdir(parents=True, exist_ok=True)
            folders.add(folder)
        if data is not BYTES:
            (root / key).write_bytes(data)
            continue
        if linked % LINKS == 0:
            source = root / f".tmp-bytes-{uuid.uuid4().hex}"
            source.write_bytes(BYTES)
        os.link(source, root / key)
        linked += 1
