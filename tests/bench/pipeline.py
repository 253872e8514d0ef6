"""Everything around the language model: real runs with the scripted engine, which answers at once.

Two runs of the same recipe, over 10,000 and over 100,000 generated documents, each in a process of its own
and watched from outside. The clock of the main figure runs from the first unit of `extract` to the dataset's
manifest, so Ray's and the engine's start are outside it; requests are those of all LLM steps. The plain loop
(plain_loop.py) does the same work in one process, without Ray, units or commits: its rate over the
pipeline's per core is what the factory's promises cost. Memory is the driver's own high-water mark.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.bench.figures import Figures, Row
from tests.bench.observe import Observed, observe
from tests.bench.plain_loop import documents_table
from tests.corpora import row_of, write_corpus
from tests.runs import LLM_STEPS, REPOSITORY, environment

RECIPE = (
    "preset=paper",
    "question.levels=[1,2]",  # level 3 has a benchmark of its own: graph
    "engine=scripted",
    "corpus=files",
    "answer.samples=1",
    "limit=null",
    "engine.units_in_flight=4",
    "gate.min_samples=1",
    "gate.min_yield=null",
    "gate.max_duplicate_start=null",
    "gate.max_copied_share=null",
)
"""The paper's shape (up to 5 questions a level and document) in units of 256 rows, four of them open: each is
a process, and an engine that answers at once needs no more than keep two cores busy. The gates are computed but
let everything pass: the corpus is drawn from templates, so its questions begin alike. Filters of `select` have a
benchmark of their own (select.py); here only those are on that every configuration has."""

DOCUMENTS_A_SHARD = 2048
RATE_TARGET = 1000.0
GROWTH_ALLOWED_MIB = 32.0
"""Noise of a driver's peak between two runs: interpreter, allocator and import order. A row held in the driver
would show: 90,000 documents more are at least 130 MiB."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pipeline-documents", default="10000,100000", help="pipeline: sizes, smallest first (default 10000,100000)"
    )


@dataclass(frozen=True)
class Measured:
    """One run, from the first unit of extract to the manifest unless said otherwise."""

    documents: int
    requests: int
    samples: int
    units: int
    seconds: float
    processor_seconds: float
    """Of the whole process tree: driver, Ray's services, workers, engine."""
    seconds_with_select: float
    """From the first unit of select."""
    command_seconds: float
    """Of the whole command, start-up of Python, Ray and the engine included."""
    driver_peak_mib: float
    driver_anonymous_mib: float
    driver_mib_after_steps: Mapping[str, float]
    worker_peak_mib: float
    by_process: Mapping[str, float]
    steps: list[dict[str, Any]]

    def rate(self, cores: int) -> float:
        return self.requests / self.seconds / cores


def measure(options: argparse.Namespace) -> Figures:
    from tests.bench.figures import machine_now

    sizes = [100, 200] if options.tiny else [int(size) for size in options.pipeline_documents.split(",")]
    cores = machine_now()["cores"]
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        loop = _plain_loop(sizes[0], Path(folder, "loop"))
        runs = [run_pipeline(size, Path(folder, str(size))) for size in sizes]
    first, last = runs[0], runs[-1]
    loop_rate = loop["requests"] / loop["seconds"]
    loop_processor_rate = loop["requests"] / loop["processor_seconds"]
    rate, processor_rate = first.rate(cores), first.requests / first.processor_seconds
    # The loop's own processor seconds a request are the work itself; what the tree spent beyond is framework.
    framework = first.processor_seconds - loop["processor_seconds"] * first.requests / loop["requests"]
    growth = last.driver_peak_mib - first.driver_peak_mib
    rows = [
        Row("documents, requests, units, samples", _sizes(first)),
        Row(
            "requests per second per core, extract to manifest",
            f"{rate:,.0f}",
            f">= {RATE_TARGET:,.0f}:",
            rate >= RATE_TARGET,
        ),
        Row("the same from select on", f"{first.requests / first.seconds_with_select / cores:,.0f}"),
        Row("requests per processor second (all processes)", f"{processor_rate:,.0f}"),
        Row("plain loop in one process, requests per second", f"{loop_rate:,.0f}"),
        Row("pipeline / plain loop, per core of wall time", f"{rate / loop_rate:.2f}"),
        Row("pipeline / plain loop, per processor second", f"{processor_rate / loop_processor_rate:.2f}"),
        Row("cores busy between extract and manifest", f"{first.processor_seconds / first.seconds:.2f} of {cores}"),
        Row("framework, processor time per unit", f"{framework / first.units * 1000:,.0f} ms"),
        Row("seconds extract to manifest / whole command", f"{first.seconds:.1f} / {first.command_seconds:.1f}"),
        Row(f"driver's peak memory, {first.documents:,} documents", f"{first.driver_peak_mib:,.0f} MiB"),
    ]
    if last is not first:
        rows += [
            Row(f"driver's peak memory, {last.documents:,} documents", f"{last.driver_peak_mib:,.0f} MiB"),
            Row("growth of it", f"{growth:+.0f} MiB", f"< {GROWTH_ALLOWED_MIB:.0f} MiB:", growth < GROWTH_ALLOWED_MIB),
            Row(f"requests per second per core, {last.documents:,} documents", f"{last.rate(cores):,.0f}"),
            Row("documents, requests, units, samples", _sizes(last)),
        ]
    values = {
        "requests_per_second_per_core": round(rate, 1),
        "requests_per_processor_second": round(processor_rate, 1),
        "plain_loop_requests_per_second": round(loop_rate, 1),
        "ratio_to_plain_loop": round(rate / loop_rate, 4),
        "ratio_to_plain_loop_processor": round(processor_rate / loop_processor_rate, 4),
        "framework_ms_per_unit": round(framework / first.units * 1000, 2),
        "driver_peak_mib": {str(run.documents): round(run.driver_peak_mib, 1) for run in runs},
        "driver_peak_growth_mib": round(growth, 1),
        "sizes": {"documents": sizes, "unit_rows": 256},
        "runs": [vars(run) for run in runs],
        "plain_loop": loop,
    }
    return Figures("pipeline", rows, values, [_where_time_goes(first)])


def _sizes(run: Measured) -> str:
    return f"{run.documents:,}, {run.requests:,}, {run.units:,}, {run.samples:,}"


def _where_time_goes(run: Measured) -> str:
    steps = ", ".join(f"{step['step']} {step['wall_seconds']:.1f}" for step in run.steps)
    return f"Seconds by step at {run.documents:,} documents: {steps}."


def _plain_loop(documents: int, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    source = folder / "documents.parquet"
    pq.write_table(documents_table([row_of(number) for number in range(documents)]), source)
    overrides = [*RECIPE, f"corpus.paths=[{source}]", f"store.root={folder}"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.plain_loop", str(source), str(folder), *overrides],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the plain loop failed:\n{done.stderr[-4000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run_pipeline(documents: int, folder: Path, extra: Sequence[str] = ()) -> Measured:
    """A run of RECIPE over so many generated documents, with the overrides `extra`."""
    corpus = write_corpus(folder / "corpus", documents, shards=max(3, -(-documents // DOCUMENTS_A_SHARD)))
    root = folder / "root"
    overrides = [*RECIPE, f"corpus.paths=[{corpus}]", f"store.root={root}", *extra]
    observed = observe([sys.executable, "-m", "jobs.run", *overrides])
    return _measured(documents, root, observed)


def _measured(documents: int, root: Path, observed: Observed) -> Measured:
    result, watch = observed.finished.result, observed.watch
    dones = [json.loads(path.read_text()) for path in root.glob(f"runs/{result['run']}/*.done.json")]
    ends = {path.name.split(".")[0]: path.stat().st_mtime for path in root.glob(f"runs/{result['run']}/*.done.json")}
    dones.sort(key=lambda done: ends[done["step"]])
    start, end = _first_unit(root, "extract"), Path(result["dataset"], "manifest.json").stat().st_mtime
    after_start = [done for done in dones if ends[done["step"]] > start]
    steps = []
    for done in dones:
        until = ends[done["step"]]
        used = watch.seconds_between(until - done["wall_seconds"], until)
        steps.append(
            {
                "step": done["step"],
                "units": done["units"],
                "rows_in": done["counts"]["inputs"],
                "rows_out": done["counts"]["accepted"],
                "requests": int(done["ledger"].get("requests", 0)),
                "wall_seconds": round(done["wall_seconds"], 3),
                "processor_seconds": round(sum(used.values()), 2),
                "driver_mib": round(watch.driver_mib_between(until - done["wall_seconds"], until), 1),
                "by_process": _rounded(used),
            }
        )
    used = watch.seconds_between(start, end)
    last = ends[dones[-1]["step"]]
    after = {"finalise": watch.driver_mib_between(last, end), "report": watch.driver_mib_between(end, time.time())}
    return Measured(
        documents=documents,
        requests=sum(int(done["ledger"]["requests"]) for done in dones if done["step"] in LLM_STEPS),
        samples=result["samples"],
        units=sum(done["units"] for done in after_start),
        seconds=round(end - start, 3),
        processor_seconds=round(sum(used.values()), 2),
        seconds_with_select=round(end - _first_unit(root, "select"), 3),
        command_seconds=round(observed.seconds, 3),
        driver_peak_mib=round(watch.driver_peak_kib.get("VmHWM", 0) / 1024, 1),
        driver_anonymous_mib=round(watch.driver_peak_kib.get("RssAnon", 0) / 1024, 1),
        driver_mib_after_steps={name: round(size, 1) for name, size in after.items()},
        worker_peak_mib=round(watch.worker_peak_bytes / 2**20, 1),
        by_process=_rounded(used),
        steps=steps,
    )


def _first_unit(root: Path, step: str) -> float:
    """When the first unit of a step left its start receipt."""
    return min(path.stat().st_mtime for path in root.glob(f"steps/{step}-*/attempts/*.json"))


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    largest = Counter(seconds).most_common()
    return {name: round(value, 2) for name, value in largest if value >= 0.01}
