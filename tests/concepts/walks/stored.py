"""Graphs and steps over a real store, as the runner would leave them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from factory.concepts.walks.rules import Graph
from factory.identity import make_id
from factory.run.attempt import StepRun, begin, finish
from factory.run.outputs import Output, write_outputs
from factory.run.step import WorkStep
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.commits import Commit


def commit(store: Store, folder: str, unit: Unit, result: UnitResult) -> Commit:
    run = StepRun(folder, "run")
    committed = finish(store, run, begin(store, run, unit, {}), result).commit
    assert committed is not None
    return committed


def worked(store: Store, step: WorkStep, units: Sequence[Unit], run: str = "run") -> tuple[str, list[Commit]]:
    """Works and commits units; returns the key of the step's outputs index."""
    commits = [commit(store, f"{step.name}-{run}", unit, step.work(store, unit)) for unit in units]
    outputs = [Output(item.unit, item.parent, file) for item in commits for file in item.files]
    return write_outputs(store, run, step.name, outputs), commits


def put_graph(store: Store, graph: Graph, names: dict[int, str], run: str = "run") -> str:
    """Commits a graph's partitions, last first; the key of their outputs."""
    outputs = []
    for index in reversed(range(graph.source.count)):
        partition = graph.source.read(index)
        degrees = np.diff(partition.starts)
        places = graph.nodes.positions(partition.node_ids)
        nodes = pa.table(
            {
                "node_id": partition.node_ids,
                "name": pa.array([names[node] for node in partition.node_ids.tolist()], pa.string()),
                "doc_freq": graph.nodes.doc_freq[places],
                "topic_degree": partition.topic_degrees.astype(np.uint32),
                "concept_degree": (degrees - partition.topic_degrees).astype(np.uint32),
            }
        )
        edges = pa.table(
            {
                "src": np.repeat(partition.node_ids, degrees),
                "dst": graph.nodes.ids[partition.dst],
                "freq": partition.freq,
            }
        )
        count = len(nodes)
        result = UnitResult(count, count, (nodes, edges), "none of its own", accepted=count)
        made = commit(store, f"graph_edges-{run}", Unit(make_id("partition", run, index)), result)
        outputs += [Output(made.unit, made.parent, file) for file in made.files]
    return write_outputs(store, run, "graph_edges", outputs)
