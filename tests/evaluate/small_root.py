"""A root as a run leaves it, in miniature: records, one committed passage file, a dataset of a few rows."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa

from factory.publish.samples import SAMPLE
from factory.run.attempt import StepRun, begin, finish
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import to_parquet
from factory.tables import DOCUMENT

RUN = "feedbeef00000001"
DATASET = "datasets/small/v1"
NAME = "select-00aa/0badc0de0badc0de0badc0de0badc0de/0"
PASSAGE = "Nothing to see in this opening line. " * 40 + "The determinant of a triangular matrix is the product."


def passages(store: Store) -> None:
    folder, unit, _ = NAME.split("/")
    row = dict.fromkeys(DOCUMENT.names) | {"chunk_id": "c0", "doc_id": "d0", "text": PASSAGE}
    table = pa.Table.from_pylist([row], schema=DOCUMENT)
    run = StepRun(folder, RUN)
    attempt = begin(store, run, Unit(unit), {})
    finish(store, run, attempt, UnitResult(inputs=1, used=1, tables=(table,), id_column="chunk_id"))


def sample(number: int, **changes: Any) -> dict[str, Any]:
    source = {
        "doc_id": "d0", "chunk_id": "c0", "span_start": 0, "span_end": len(PASSAGE), "file": NAME, "row": 0,
        "source": "book", "license": "MIT", "url": "https://example.org/d0", "shard": "a.jsonl", "shard_row": 3,
    }  # fmt: skip
    row: dict[str, Any] = dict.fromkeys(SAMPLE.names) | {
        "sample_id": f"{number:032x}",
        "question": f"What is the determinant of triangular matrix {number}?",
        "answer": "The product of its diagonal. Final answer: product",
        "level": 1 + (number % 10 == 0),
        "subject": f"subject {number % 3}",
        "agreement": 1.0 if number % 2 else 0.5,
        "copied_share": 0.0,
        "license": "MIT",
        "question_tokens": number,
        "answer_tokens": 10,
        "lineage": {"run": RUN, "answer_file": "answer-01/u/0", "answer_row": number, "sources": [source]},
    }
    return row | changes


def dataset(store: Store, rows: list[dict[str, Any]], shards: int = 2) -> None:
    listed = []
    for number in range(shards):
        table = pa.Table.from_pylist(rows[number::shards], schema=SAMPLE)
        path = f"data/train-{number:05d}-of-{shards:05d}.parquet"
        store.put(f"{DATASET}/{path}", to_parquet(table, {"synthetic": "true"}))
        listed.append({"path": path, "rows": table.num_rows})
    manifest = {
        "name": "small",
        "version": "v1",
        "tokenizer": "words",
        "license": {"dataset": "MIT", "combined_sources": "MIT"},
        "totals": {"rows": len(rows), "licenses": {"MIT": len(rows)}},
        "splits": [{"name": "train", "rows": len(rows), "shards": shards}],
        "shards": listed,
        "software": {"factory": "0.1.0"},
        "gates": [
            {"name": "min_samples", "bound": "min", "threshold": 1.0, "measured": float(len(rows)), "passed": True,
             "meaning": "samples to publish", "evidence": []},
        ],
        "digest": "ab" * 32,
    }  # fmt: skip
    store.put(f"{DATASET}/manifest.json", orjson.dumps(manifest))


def counts(used: int, rejected: int, accepted: int) -> dict[str, int]:
    return {
        "inputs": used + rejected, "used": used, "rejected": rejected, "quarantined": 0,
        "produced": accepted, "accepted": accepted, "output_rejected": 0,
    }  # fmt: skip


def records(store: Store, rows: int, **changes: Any) -> None:
    dones = {
        "shards": {"counts": counts(rows, 0, rows), "reasons": {}},
        "answer": {
            "counts": counts(rows, 3, rows),
            "reasons": {"input": {"truncated": 1, "nothing_accepted": 2}},
            "ledger": {"requests": 9, "prompt_tokens": 900, "generated_tokens": 90, "engine_seconds": 3.0},
            "spent_now": {"requests": 9, "generated_tokens": 90},
            "lost": {"attempts": 1, "requests_at_most": 4.0},
            "engines": [{"kind": "vllm", "model": "m-7B", "revision": "abc", "versions": {"vllm": "0.29.0"}}],
            "wall_seconds": 3.5,
        },
        "select": {"counts": counts(rows, 3, rows + 3), "reasons": {"input": {"too_short": 3}}},
    }
    for name, done in dones.items():
        body = {"step": name, "folder": f"{name}-01", "units": 2, "units_reused": 1, "ledger": {}, **done}
        store.put(f"runs/{RUN}/{name}.done.json", orjson.dumps(body))
    record = {
        "run": RUN,
        "state": "finished",
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:05+00:00",
        "config": {"engine": {"kind": "vllm"}, "domain": {"name": "general"}, "publish": {"name": "small"}},
        "models": {
            "generator": {"id": "house", "revision": "abc", "license": "MIT", "output_terms": "free"},
            "answerer": {"id": "house", "revision": "abc", "license": "MIT", "output_terms": "free"},
        },
        "engine_starts": {"abc": {"first": 1, "replacements": 2, "seconds": 4.0}},
        "steps": {name: f"{name}-01" for name in ("select", "answer", "shards")},
        "dataset": DATASET,
    }
    store.put(f"runs/{RUN}.json", orjson.dumps(record | changes))


def small_root(store: Store, rows: int = 40) -> None:
    passages(store)
    dataset(store, [sample(number) for number in range(rows)])
    records(store, rows)
