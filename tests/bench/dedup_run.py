"""One contender of the deduplication benchmark in a process of its own: `python -m tests.bench.dedup_run JSON`.

Ours: the steps of curation (or of selection, for documents) as a run works them, unit by unit with a commit each, by a
pool of worker processes; between steps the driver waits, as a run does. gaoya: one index, filled and asked in bulk by
its own threads, and the same rule for what is dropped. Both read the same Parquet files; starting processes, importing
and loading compiled code is done before the clock starts. Prints one JSON object: seconds, processor seconds, the rows
dropped and what they repeat, the largest resident memory of a worker.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from factory.leaving import leave
from factory.run.attempt import StepRun, begin, finish
from factory.run.outputs import Output, read_outputs, write_outputs
from factory.run.step import WorkStep
from factory.run.units import FileRef, Unit, unit_over
from factory.store.base import Store
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from tests.memory import memory_mib

WARM_TEXTS = ["What is a prime number and why are there so many of them?", "What is a prime number?"]


def main(task: dict[str, Any]) -> dict[str, Any]:
    if task["cores"] == 1:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[task.get("core", 0)]})
    return gaoya(task) if task["contender"] == "gaoya" else ours(task)


def ours(task: dict[str, Any]) -> dict[str, Any]:
    """`root` holds the rows as the outputs of a step `rows`, `kind` is questions or documents, `shingles` of questions
    is `curate.shingles`."""
    store = LocalStore(task["root"])
    steps = passes(task["kind"], task.get("shingles", "by_length"))
    with ProcessPoolExecutor(task["cores"]) as pool:
        list(pool.map(partial(_warm, steps), range(4 * task["cores"])))
        before, started = _spent(), time.monotonic()
        spent: dict[str, float] = {}
        previous = time.monotonic()
        for name, step, units in plan(store, steps):
            commits = list(pool.map(partial(_worked, task["root"], step), units))
            write_outputs(
                store, "bench", name, [Output(unit, parent, file) for unit, parent, files in commits for file in files]
            )
            spent[name], previous = time.monotonic() - previous, time.monotonic()
        seconds = time.monotonic() - started
        after = _spent()
        memory = max(pool.map(_memory, range(4 * task["cores"])))
    dropped, kept = _dropped(store, task["kind"])
    return {
        "seconds": seconds,
        "processor_seconds": after - before,
        "by_step": spent,
        "worker_peak_mib": memory,
        "dropped": dropped,
        "kept": kept,
    }


def passes(kind: str, shingles: str = "by_length") -> Any:
    from factory.curate.compare import CompareStep, Questions
    from factory.curate.config import CurateConfig
    from factory.curate.decide import DecideStep
    from factory.curate.match import MatchStep
    from factory.curate.minhash import LshParameters
    from factory.curate.sketch import sketch_step
    from factory.run.steps import DuplicateSteps, document_steps

    if kind == "documents":
        return document_steps(LshParameters(5, 128, 0.7))
    sketch = sketch_step(CurateConfig.model_validate({"shingles": shingles}))
    return DuplicateSteps(
        sketch,
        MatchStep(),
        CompareStep(sketch.parameters, Questions(sketch.parameters.shingling)),
        DecideStep(sketch.parameters),
    )


def plan(store: Store, steps: Any) -> Any:
    """(name, step, units) of every pass; each is planned when the one before it is done."""
    from factory.curate.compare import compare_units
    from factory.curate.decide import decide_units
    from factory.curate.match import match_units, sketched_files

    def key(name: str) -> str:
        return f"runs/bench/{name}.outputs.json"

    rows = read_outputs(store, key("rows"))
    yield "sketch", steps.sketch, [unit_over(output.file) for output in rows]
    sketched = read_outputs(store, key("sketch"))
    yield "match", steps.match, match_units("match", key("sketch"), sketched)
    files, found = sketched_files(sketched), read_outputs(store, key("match"))
    yield "compare", steps.compare, compare_units("compare", key("sketch"), key("match"), files, found)
    yield (
        "decide",
        steps.decide,
        decide_units(
            "decide", key("sketch"), key("match"), key("compare"), sketched, read_outputs(store, key("compare"))
        ),
    )


def _worked(root: str, step: WorkStep, unit: Unit) -> tuple[str, str, tuple[FileRef, ...]]:
    store = LocalStore(root)
    run = StepRun(f"{step.name}-bench", "bench")
    commit = finish(store, run, begin(store, run, unit, {}), step.work(store, unit)).commit
    assert commit is not None
    return commit.unit, commit.parent, commit.files


def _warm(steps: Any, _number: int) -> None:
    """Loads what a worker needs, compiled code included; unpickling `steps` imports what they are made of."""
    import numpy as np

    from factory.curate.minhash import LshParameters
    from factory.curate.words import template_keys, tokenise
    from tests.curate.one_process import Rows, find_duplicates

    rows = Rows(
        WARM_TEXTS, np.array(["a", "b"], "S"), np.ones(2, np.int8), np.zeros(2, np.uint64), np.ones(2, np.bool_)
    )
    find_duplicates(rows, LshParameters(3, 128, 0.1, by_length=True))
    find_duplicates(rows, LshParameters(3, 128, 0.1))
    template_keys(tokenise(WARM_TEXTS))
    time.sleep(0.1)  # so that every worker takes part


def _memory(_number: int) -> float:
    time.sleep(0.05)
    return memory_mib("VmHWM")


def _spent() -> float:
    """Processor seconds of this process and of its workers, which must not have ended."""
    import psutil

    me = psutil.Process()
    return sum(sum(each.cpu_times()[:2]) for each in [me, *me.children(recursive=True)])


def _dropped(store: Store, kind: str) -> tuple[list[int], list[int]]:
    """Rows that are dropped, and the row each one repeats."""
    column = "doc_id" if kind == "documents" else "question_id"
    rows: list[int] = []
    kept: list[int] = []
    for output in read_outputs(store, "runs/bench/decide.outputs.json"):
        table = read_parquet(store, output.file.key)
        rows += [int(name, 16) for name in table.column(column).to_pylist()]
        kept += [int(name, 16) for name in table.column("kept_id").to_pylist()]
    return rows, kept


def gaoya(task: dict[str, Any]) -> dict[str, Any]:
    """The package gaoya is not one of ours: `pip install gaoya==0.2.2`."""
    os.environ["RAYON_NUM_THREADS"] = str(task["cores"])
    from gaoya.minhash import MinHashStringIndex  # type: ignore[import-not-found]

    shingle = 5 if task["kind"] == "documents" else 3
    before, started = _spent(), time.monotonic()
    texts: list[str] = []
    for path in task["files"]:
        texts += pq.read_table(path, columns=["text"]).column("text").to_pylist()
    index = MinHashStringIndex(32, 0.7, 25, 5, None, "word", True, (shingle, shingle), "smallvec")
    index.par_bulk_insert_docs(list(range(len(texts))), texts)
    dropped = _greedy(index.par_bulk_query(texts))
    seconds = time.monotonic() - started
    return {
        "seconds": seconds,
        "processor_seconds": _spent() - before,
        "worker_peak_mib": _memory(0),
        "dropped": dropped,
        "kept": [],
    }


def _greedy(found: Sequence[Sequence[int]]) -> list[int]:
    """A row goes when an earlier one that stays is among those found for it."""
    fallen: set[int] = set()
    for row, others in enumerate(found):
        if any(other < row and other not in fallen for other in others):
            fallen.add(row)
    return sorted(fallen)


def put_rows(root: Path, kind: str, texts: Sequence[str], rows_a_file: int) -> list[str]:
    """The rows as committed files of a step `rows` under a root; paths of the files."""
    from factory.run.units import UnitResult
    from tests.bench.dedup_rows import document_table, question_table

    make, column = (document_table, "chunk_id") if kind == "documents" else (question_table, "question_id")
    store, run = LocalStore(str(root)), StepRun("rows-bench", "bench")
    outputs = []
    for start in range(0, len(texts), rows_a_file):
        table = make(texts[start : start + rows_a_file], start)
        unit = Unit(f"{start:032x}")
        commit = finish(
            store, run, begin(store, run, unit, {}), UnitResult(table.num_rows, table.num_rows, (table,), column)
        ).commit
        assert commit is not None
        outputs += [Output(commit.unit, "", file) for file in commit.files]
    write_outputs(store, "bench", "rows", outputs)
    return [str(root / output.file.key) for output in outputs]


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))), flush=True)
    leave(0)
