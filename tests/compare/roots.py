"""A root with a sweep as runs leave it, in miniature: records, done records, gates, an evaluation; no row in it."""

from __future__ import annotations

import datetime
from functools import cache
from typing import Any

import orjson
import pyarrow as pa

from factory.answers.check import check_facts
from factory.answers.verify.verdict import Verdict
from factory.publish.gates.results import GATE
from factory.run.outputs import Output, write_outputs
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.parquet import to_parquet
from factory.sweep.points import Point, points_of
from factory.sweep.record import PointRecord, State, SweepRecord, write_sweep

BASE = ("engine=scripted", "store.root=/nowhere")
SWEEP = "0123456789abcdef"
COUNTS = {
    "inputs": 50,
    "used": 50,
    "rejected": 0,
    "quarantined": 0,
    "produced": 50,
    "accepted": 45,
    "output_rejected": 5,
}


ANSWERS = [{"level": level} for level in (1, 1, 2, 2)]
VERDICTS = [Verdict("yes"), Verdict("yes"), Verdict("yes"), Verdict("unchecked")]


def run_name(number: int) -> str:
    return f"{number:x}" * 16


def record_of(point: Point, number: int, **changes: Any) -> dict[str, Any]:
    started = datetime.datetime(2026, 1, 2, 3, number, tzinfo=datetime.UTC)
    return {
        "run": run_name(number),
        "state": "finished",
        "started": started.isoformat(),
        "finished": (started + datetime.timedelta(minutes=5)).isoformat(),
        "config": point.config.model_dump(mode="json"),
        "models": {"generator": {"id": "scripted", "revision": "scripted-1"}},
        "steps": {
            "merge": "merge-aa",
            "extract": "extract-aa",
            "question_1": "question_1-aa",
            "answer": f"answer-{number}",
            "check": f"check-{number}",
            "samples": f"samples-{number}",
            "gate": f"gate-{number}",
        },
        "dataset": f"datasets/demo/v{number}",
        "samples": 40 + number,
    } | changes


def done(step: str, folder: str, **values: Any) -> dict[str, Any]:
    return {
        "step": step, "folder": folder, "units": 2, "units_reused": 0, "counts": COUNTS, "reasons": {}, "facts": {},
        "ledger": {}, "spent_now": {}, "lost": {}, "engines": [], "wall_seconds": 1.0,
    } | values  # fmt: skip


def ledger(requests: int) -> dict[str, float]:
    return {
        "requests": requests, "prompt_tokens": 100 * requests, "cached_tokens": 10 * requests,
        "generated_tokens": 20 * requests, "engine_seconds": requests / 10,
    }  # fmt: skip


def put_run(store: Store, point: Point, number: int, *, first: bool, upto: str = "gate", **changes: Any) -> None:
    """A run of the sweep; the `first` has paid for extraction and questions, and all share them."""
    record = record_of(point, number, **changes)
    shared, own = ledger(30), ledger(40)
    dones = {
        "merge": done("merge", "merge-aa", facts={"documents": 20}),
        "extract": done("extract", "extract-aa", ledger=shared, spent_now=shared if first else {}),
        "question_1": done(
            "question_1", "question_1-aa", ledger=shared, spent_now=shared if first else {},
            reasons={"output": {"too_short": 5}},
        ),
        "answer": done(
            "answer", f"answer-{number}", ledger=own, spent_now=own, reasons={"input": {"truncated": number}}
        ),
        "check": done("check", f"check-{number}", facts=check_facts(ANSWERS, VERDICTS)),
        "samples": done("samples", f"samples-{number}", counts={**COUNTS, "accepted": 40 + number}),
        "gate": done("gate", f"gate-{number}"),
    }  # fmt: skip
    for name in list(dones)[: list(dones).index(upto) + 1]:
        body = dones[name]
        payer = record["run"] if body["spent_now"] or not body["ledger"] else run_name(1)
        store.put(f"runs/{record['run']}/{name}.done.json", orjson.dumps({**body, "paid": {payer: body["ledger"]}}))
    if upto == "gate":
        put_gates(store, record["run"], number)
        store.put(f"{record['dataset']}/manifest.json", b"{}")
    store.put(f"runs/{record['run']}.json", orjson.dumps(record))


def put_gates(store: Store, run: str, number: int) -> None:
    rows = [
        ("min_samples", "min", 1.0, 40.0 + number, "error", True, "samples to publish", []),
        ("max_shared_start", "max", 0.1, 0.05 * number, "warn", 0.05 * number <= 0.1, "shared beginnings", []),
    ]
    table = pa.Table.from_pylist([dict(zip(GATE.names, row, strict=True)) for row in rows], schema=GATE)
    key = f"steps/gate-{number}/data/u.a.0.parquet"
    data = to_parquet(table, {})
    store.put(key, data)
    file = FileRef(f"gate-{number}/u/0", key, "0" * 64, "0" * 64, len(rows), "0")
    write_outputs(store, run, "gate", [Output("u", "", file)])


def put_evaluation(store: Store, number: int, value: float, name: str = "self-BLEU", created: str = "2026") -> None:
    figure = {"name": name, "value": value, "better": "lower", "unit": "share", "meaning": "likeness of rows"}
    body = {
        "kind": "factory-evaluation", "created": created,
        "sections": [{"name": "intrinsic", "figures": [figure]}],
    }  # fmt: skip
    store.put(f"datasets/demo/records/v{number}/evaluation-{created}/evaluation.json", orjson.dumps(body))


def put_sweep(store: Store, asked: list[Point], states: dict[int, State], **changes: Any) -> SweepRecord:
    record = SweepRecord(
        sweep=SWEEP,
        state="finished",
        launcher="here",
        at_once=1,
        started="2026-01-02T03:00:00+00:00",
        command=("seed=1,2,3",),
        points=tuple(
            PointRecord(
                point=point.number, name=point.name, overrides=point.varied, differs=point.differs,
                identity=point.identity, run=None, state=states.get(point.number, "finished"), same_as=point.same_as,
            )
            for point in asked
        ),
    )  # fmt: skip
    for name, value in changes.items():
        record = record.__class__(**{**record.__dict__, name: value})
    write_sweep(store, record)
    return record


@cache
def three(*items: str) -> list[Point]:
    return points_of([*BASE, *(items or ("seed=1,2,3",))])


def whole_sweep(store: Store) -> list[Point]:
    """Three finished points, the first of which paid for what all share."""
    points = three()
    for point in points:
        put_run(store, point, point.number, first=point.number == 1)
    put_sweep(store, points, {})
    return points
