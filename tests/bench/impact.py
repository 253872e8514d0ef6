"""`factory impact` on a published dataset of a million rows: what rests on a document, a licence, a model.

The dataset is shards as publishing encodes them, with every column of SAMPLE: rows are drawn from templates with
questions of a sentence and answers of a paragraph, and each gets its own id, one or two of 100,000 documents, a licence
and models. What is measured is the command as it is typed, in a process of its own, start and imports included; what
the search alone takes stands beside it, and the command's processor seconds, of all its threads: what it takes on two
cores that nobody else works on is no more than those. Of repetitions the fastest and the slowest are shown, and the
targets are held against the slowest.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from factory.identity import make_id
from factory.publish.samples import SAMPLE
from factory.store.local import LocalStore
from tests.bench.figures import Figures, Row
from tests.bench.select import documents_of
from tests.evaluate.dataset.published import put_dataset, row_of
from tests.runs import REPOSITORY, environment

TARGET_SECONDS = 5.0
LICENCES = ("MIT", "Apache-2.0", "CC-BY-4.0", "CC-BY-SA-4.0", "LicenseRef-unknown")
MODELS = (("house", "r1"), ("house", "r2"), ("garden", "r1"))
SHARD_ROWS = 50_000
TEMPLATES = 2_000
REPEATS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--impact-rows", type=int, default=1_000_000, help="impact: rows (default 1,000,000)")
    parser.add_argument("--impact-documents", type=int, default=100_000, help="impact: source documents (100,000)")


@dataclass(frozen=True)
class Lookup:
    """Seconds by the clock of the command by repetition, its processor seconds, and seconds of the search alone; `rows`
    found."""

    name: str
    command: tuple[float, ...]
    processor: tuple[float, ...]
    search: tuple[float, ...]
    rows: int

    def to_json(self) -> dict[str, Any]:
        seconds = {"command": self.command, "processor": self.processor, "search": self.search}
        return {**{name: [round(each, 3) for each in of] for name, of in seconds.items()}, "rows": self.rows}


def measure(options: argparse.Namespace) -> Figures:
    rows, documents = (2_000, 200) if options.tiny else (options.impact_rows, options.impact_documents)
    repeats = 1 if options.tiny else REPEATS
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        started = time.monotonic()
        size = published(LocalStore(folder), rows, documents)
        made = time.monotonic() - started
        listed = str(Path(folder) / "rows.parquet")
        lookups = [
            _lookup("a document", folder, [document_of(documents // 2)], repeats),
            _lookup("a document that nothing rests on", folder, ["0" * 32], repeats),
            _lookup("a licence", folder, ["--license", LICENCES[3]], repeats),
            _lookup("a model", folder, ["--model", "house"], repeats),
            _lookup("a document, rows by name", folder, [document_of(1), "--rows", listed], repeats),
            _lookup("a licence, rows by name", folder, ["--license", LICENCES[3], "--rows", listed], repeats),
        ]
    return _figures(rows, documents, size, made, lookups)


def _lookup(name: str, root: str, asked: Sequence[str], repeats: int) -> Lookup:
    command, processor, search, rows = [], [], [], 0
    for _ in range(repeats):
        started, used = time.monotonic(), _processor_seconds()
        done = subprocess.run(
            [sys.executable, "-m", "factory.cli.main", "impact", root, *asked, "--json"],
            cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        command.append(time.monotonic() - started)
        processor.append(_processor_seconds() - used)
        told = json.loads(done.stdout)
        search.append(float(told["searched"]["seconds"]))
        rows = int(told["rows"])
    return Lookup(name, tuple(command), tuple(processor), tuple(search), rows)


def _processor_seconds() -> float:
    """Of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _figures(rows: int, documents: int, size: int, made: float, lookups: Sequence[Lookup]) -> Figures:
    full = rows >= 1_000_000
    slowest = max(seconds for each in lookups for seconds in each.command)
    most = max(seconds for each in lookups for seconds in each.processor)
    lines = [Row("rows, source documents, MB of shards", f"{rows:,}, {documents:,}, {size / 1e6:,.0f}")]
    for each in lookups:
        lines += [
            Row(f"{each.name} ({each.rows:,} rows), the command, seconds", _span(each.command)),
            Row("  processor seconds", _span(each.processor)),
            Row("  of it the search, seconds", _span(each.search)),
        ]
    target = f"< {TARGET_SECONDS:g}:" if full else ""
    lines += [
        Row(
            "slowest command, seconds by the clock",
            f"{slowest:.2f}",
            target,
            slowest < TARGET_SECONDS if full else None,
        ),
        Row("most processor seconds of a command", f"{most:.2f}", target, most < TARGET_SECONDS if full else None),
    ]
    return Figures(
        "impact",
        lines,
        {
            "slowest_seconds": round(slowest, 3),
            "processor_seconds": round(most, 3),
            "lookups": {each.name: each.to_json() for each in lookups},
            "making_seconds": round(made, 1),
            "sizes": {"rows": rows, "documents": documents, "bytes": size},
        },
    )


def _span(seconds: Sequence[float]) -> str:
    return f"{min(seconds):.2f} to {max(seconds):.2f}"


def document_of(number: int) -> str:
    return make_id("document", str(number))


def published(store: LocalStore, rows: int, documents: int) -> int:
    """Writes the dataset below the root; bytes of its shards."""
    draw = np.random.default_rng(17)
    templates = _templates()
    ids = pa.array([document_of(number) for number in range(documents)])
    edges = [*range(0, rows, SHARD_ROWS), rows]
    parts = (_shard(templates, ids, start, stop - start, draw) for start, stop in pairwise(edges))
    _, shards = put_dataset(store, "million", parts, len(edges) - 1, MODELS)
    return sum(shard.bytes for shard in shards)


def _templates() -> pa.Table:
    passages, draw = documents_of(400), random.Random(17)
    rows = []
    for number in range(TEMPLATES):
        question, answer = draw.choice(passages)[:160], draw.choice(passages)[:700]
        rows.append(row_of(number, f"What follows from this: {question}", answer))
    return pa.Table.from_pylist(rows, schema=SAMPLE)


def _shard(templates: pa.Table, documents: pa.Array, start: int, rows: int, draw: np.random.Generator) -> pa.Table:
    table = templates.take(pa.array(draw.integers(0, len(templates), rows)))
    counts = draw.integers(1, 3, rows)
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    drawn = documents.take(pa.array(draw.integers(0, len(documents), int(counts.sum()))))
    licences, models = draw.integers(0, len(LICENCES), rows), draw.integers(0, len(MODELS), rows)
    names, revisions = (pa.array([model[place] for model in MODELS]) for place in (0, 1))
    columns = {
        "sample_id": pa.array([make_id("sample", str(start + number)) for number in range(rows)]),
        "doc_ids": pa.ListArray.from_arrays(offsets, drawn),
        "license": pa.array(LICENCES).take(pa.array(licences)),
        "question_model": names.take(pa.array(models)),
        "question_model_revision": revisions.take(pa.array(models)),
    }
    for name, values in columns.items():
        field = SAMPLE.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, values.cast(field.type))
    return table
