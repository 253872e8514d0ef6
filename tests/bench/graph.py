"""The concept graph at the paper's subset size, a quarter of it and four times it: time, memory, bytes.

The generated corpus (graph_corpus.py) is written as extract files first, which is not measured. Then the steps run as
they do in a factory run, unit by unit through Ray Data with a commit each: graph_pairs over groups of extract files,
graph_edges over its partitions, graph_index over its segments; at the smallest size also the graph grown by a tenth
from the earlier one. Texts are not generated, so signatures are off (they cost what docs/benchmarks.md says of
near-duplicate sketches). Memory is what all processes of this benchmark hold for themselves (USS), Ray's services
included, sampled twice a second. Walks and pairs of all epochs follow on each graph (walks.py).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psutil  # type: ignore[import-untyped]

from factory.cluster.config import ClusterConfig
from factory.concepts.graph.config import GraphConfig
from factory.concepts.graph.edges import EDGES, GraphEdgesStep, edges_units
from factory.concepts.graph.groups import pairs_units
from factory.concepts.graph.pairs import PAIRS, pairs_step
from factory.concepts.graph.segments import GraphIndexStep, index_units
from factory.concepts.walks.reading import stored_graph
from factory.run.attempt import StepRun
from factory.run.outputs import Output, by_unit, outputs_key, read_outputs, write_outputs
from factory.run.plan import global_folder, row_wise_folder
from factory.run.step import WorkStep
from factory.run.units import FileRef, Unit
from factory.store.base import Store
from factory.store.commits import committed_units, read_commits
from factory.store.local import LocalStore
from tests.bench import walks
from tests.bench.figures import Figures, Row
from tests.bench.graph_corpus import Shape, shape, write_corpus
from tests.bench.observe import Watch

SCALES = (0.25, 1.0, 4.0)
TINY_SCALE = 0.004
ROWS_A_FILE = 256
"""The default unit of `extract`, so as many files as a run would have."""

TARGET_SECONDS, TARGET_GIB = 600.0, 4.0
TARGET_LINEAR = 1.3
"""Seconds a passage at the largest size may take more than at the smallest, to be called close to linear."""

BLOCK = 65_536
"""Walks of a block that one core's speed is measured with."""

INTERVAL_S = 0.5
RUN = "bench"


@dataclass
class Built:
    """A graph in a store, and what it took: `seconds`, `processor` seconds of all processes, and `spans`, by step."""

    shape: Shape
    seconds: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    nodes: int = 0
    pair_units: int = 0
    pair_rows: int = 0
    edges: int = 0
    partitions: int = 0
    peak_bytes: int = 0
    worker_peak_bytes: int = 0
    walked: walks.Walked | None = None

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--graph-scales", type=float, nargs="+", default=SCALES, help="graph: sizes, 1 is the paper's subset"
    )


def measure(options: argparse.Namespace) -> Figures:
    scales = [TINY_SCALE] if options.tiny else sorted(options.graph_scales)
    built: dict[float, Built] = {}
    walked: dict[float, Built] = {}
    with _ray():
        for scale in scales:
            with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
                store = LocalStore(folder)
                built[scale] = build(store, shape(scale))
                walked[scale] = walk(store, built[scale], 64 if options.tiny else BLOCK)
                if scale == scales[0]:
                    grown = _grown(store, shape(scale))
    return _figures(built, grown, walked)


def build(store: Store, shape: Shape) -> Built:
    """Writes the corpus of `shape` and its graph, as run RUN; leaves the outputs indexes of all steps behind."""
    files = write_corpus(store, shape, ROWS_A_FILE, RUN)
    return _built(store, shape, files, RUN)


def _built(store: Store, shape: Shape, files: Sequence[FileRef], run: str) -> Built:
    built = Built(shape)
    config = GraphConfig(signature_permutations=0)
    with _watched(built):
        step = pairs_step(config)
        folder = row_wise_folder(step, None)
        before = read_commits(store, folder, sorted(committed_units(store, folder)))
        pairs = _worked(store, step, folder, pairs_units(files, before), run, built)
        folder = global_folder(GraphEdgesStep(), sorted({output.unit for output in pairs}))
        units = edges_units(store, folder, outputs_key(run, step.name), config.partitions)
        edges = _worked(store, GraphEdgesStep(), folder, units, run, built)
        segments = index_units(pairs, config.segment_passages)
        _worked(store, GraphIndexStep(), row_wise_folder(GraphIndexStep(), None), segments, run, built)
    built.partitions = len(units)
    built.pair_rows = sum(file.rows for files in by_unit(pairs).values() for file in files[PAIRS:])
    built.pair_units = len(by_unit(pairs))
    built.nodes, built.edges = _rows(edges, 1 - EDGES), _rows(edges, EDGES)
    return built


def walk(store: Store, built: Built, block: int) -> Built:
    """Walks of all epochs over the graph that is in the store, with their pairs, and how fast one core walks."""
    after = Built(built.shape)
    topics = len(stored_graph(store, outputs_key(RUN, "graph_edges")).nodes.topics)
    with _watched(after):
        count, paired = walks.walk_all(
            store, RUN, topics, built.shape.passages,
            lambda step, folder, units: _worked(store, step, folder, units, RUN, after),
        )  # fmt: skip
    found = walks.rates(store, RUN, built.shape.passages, block)
    after.walked = walks.Walked(count, paired, block, *found)
    return after


def _rows(outputs: Sequence[Output], part: int) -> int:
    return sum(output.file.rows for output in outputs if output.file.name.endswith(f"/{part}"))


def _grown(store: Store, shape: Shape) -> Built:
    """The graph after a tenth more passages came, on top of what is there."""
    files = [output.file for output in read_outputs(store, outputs_key(RUN, "extract"))]
    more = Shape(max(1, shape.passages // 10), shape.fields, shape.seed + 1)
    return _built(store, more, files + write_corpus(store, more, ROWS_A_FILE, "more"), "grown")


def _worked(
    store: Store, step: WorkStep, folder: str, units: Sequence[Unit], run: str, built: Built
) -> Sequence[Output]:
    """Works what is not committed of `units`; the outputs of all of them, in their order."""
    from factory.run.execute import run_work
    from factory.run.plan import plan_units

    started = time.time()
    pending = plan_units(units, committed_units(store, folder)).pending
    for receipt in run_work(store, step, StepRun(folder, run), pending):
        if receipt.commit is None:
            raise RuntimeError(f"a unit of {step.name} took longer than its deadline")
    built.spans[step.name] = started, time.time()
    built.seconds[step.name] = time.time() - started
    commits = list(read_commits(store, folder, [unit.unit_id for unit in units]))
    outputs = [Output(commit.unit, commit.parent, file) for commit in commits for file in commit.files]
    write_outputs(store, run, step.name, outputs)
    built.bytes[step.name] = sum(_size(store, output.file.key) for output in outputs)
    return outputs


def _size(store: Store, key: str) -> int:
    found = store.head(key)
    return found.size if found else 0


@contextmanager
def _ray() -> Iterator[None]:
    from factory.run.session import ray_session

    cores = len(os.sched_getaffinity(0))
    with ray_session(ClusterConfig(cpus=cores, object_store_mib=100), engines=0):
        yield


@contextmanager
def _watched(built: Built) -> Iterator[None]:
    """Samples the memory and processor time of this process and all below it into `built` while the body runs."""
    over = threading.Event()
    watch = Watch(os.getpid())
    watch.sample()  # what was spent before is not this graph's

    def sample() -> None:
        while not over.wait(INTERVAL_S):
            watch.sample()
            own = psutil.Process()
            sizes: list[int] = []
            for process in [own, *own.children(recursive=True)]:
                with suppress(psutil.Error):
                    sizes.append(process.memory_full_info().uss)
            built.peak_bytes = max(built.peak_bytes, sum(sizes))
            built.worker_peak_bytes = max(built.worker_peak_bytes, *sizes)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    for name, span in built.spans.items():
        built.processor[name] = sum(watch.seconds_between(*span).values())


def _figures(built: Mapping[float, Built], grown: Built, walked: Mapping[float, Built]) -> Figures:
    rows = [row for scale, each in built.items() for row in _rows_of(scale, each)]
    smallest, largest = built[min(built)], built[max(built)]
    growth = (largest.total / largest.shape.passages) / (smallest.total / smallest.shape.passages)
    spent = _spent(largest) / max(_spent(smallest), 1e-9)
    if len(built) > 1:
        what = f"seconds a passage, {max(built):g} x against {min(built):g} x"
        rows.append(Row(what, f"{growth:.2f}", f"< {TARGET_LINEAR}:", growth < TARGET_LINEAR))
        what = f"processor seconds a passage, {max(built):g} x against {min(built):g} x"
        rows.append(Row(what, f"{spent:.2f}"))
    share = grown.total / smallest.total
    rows.append(Row("a tenth more passages on the smallest graph: seconds", f"{grown.total:,.1f}"))
    rows.append(Row("  share of what the graph itself took", f"{share:.2f}"))
    for scale, each in walked.items():
        assert each.walked is not None
        rows += walks.rows_of(f"{scale:g} x subset", each.walked, each.seconds, scale == 1)
        rows.append(Row(f"{scale:g} x subset: peak GiB of all processes, walks", f"{each.peak_bytes / 2**30:.2f}"))
    values: dict[str, Any] = {
        "walks": {f"{scale:g}": _walk_values(each) for scale, each in walked.items()},
        "scales": {f"{scale:g}": _values(each) for scale, each in built.items()},
        "growth_seconds_per_passage": round(growth, 4),
        "growth_processor_seconds_per_passage": round(spent, 4),
        "grown": _values(grown),
        "grown_share": round(share, 4),
        "sizes": {f"{scale:g}": each.shape.passages for scale, each in built.items()},
    }
    return Figures("graph", rows, values)


def _spent(built: Built) -> float:
    """Processor seconds a passage."""
    return sum(built.processor.values()) / built.shape.passages


def _rows_of(scale: float, built: Built) -> list[Row]:
    size = f"{scale:g} x subset"
    parts = ", ".join(f"{name.removeprefix('graph_')} {seconds:,.0f}" for name, seconds in built.seconds.items())
    busy = ", ".join(f"{name.removeprefix('graph_')} {seconds:,.0f}" for name, seconds in built.processor.items())
    written = ", ".join(f"{name.removeprefix('graph_')} {count / 2**20:,.0f}" for name, count in built.bytes.items())
    rows = [
        Row(f"{size}: passages", f"{built.shape.passages:,}"),
        Row(f"{size}: nodes, edges", f"{built.nodes:,}, {built.edges:,}"),
        Row(f"{size}: seconds ({parts})", f"{built.total:,.1f}"),
        Row(f"{size}: peak GiB of all processes", f"{built.peak_bytes / 2**30:.2f}"),
        Row(f"{size}: processor seconds ({busy})", f"{sum(built.processor.values()):,.1f}"),
        Row(f"{size}: MiB written", written),
    ]
    if scale != 1:
        return rows
    seconds, peak = built.total < TARGET_SECONDS, built.peak_bytes < TARGET_GIB * 2**30
    rows[2] = replace(rows[2], target=f"< {TARGET_SECONDS:,.0f}:", met=seconds)
    rows[3] = replace(rows[3], target=f"< {TARGET_GIB:g}:", met=peak)
    return rows


def _walk_values(after: Built) -> dict[str, Any]:
    assert after.walked is not None
    return {
        **after.walked.values(),
        "seconds": {name: round(seconds, 2) for name, seconds in after.seconds.items()},
        "peak_gib": round(after.peak_bytes / 2**30, 3),
    }


def _values(built: Built) -> dict[str, Any]:
    return {
        "passages": built.shape.passages,
        "nodes": built.nodes,
        "pair_units": built.pair_units,
        "pair_rows": built.pair_rows,
        "edges": built.edges,
        "partitions": built.partitions,
        "seconds": {name: round(seconds, 2) for name, seconds in built.seconds.items()},
        "processor_seconds": {name: round(seconds, 2) for name, seconds in built.processor.items()},
        "total_seconds": round(built.total, 2),
        "peak_gib": round(built.peak_bytes / 2**30, 3),
        "worker_peak_gib": round(built.worker_peak_bytes / 2**30, 3),
        "bytes": built.bytes,
    }
