"""Walks and their matching on the graph that graph.py built, and networkx walking the same graph.

Every topic begins a walk in five epochs, as in the paper; steps walk and pair run as in a factory run, unit by unit
through Ray Data with a commit each. The reference is the walk as one would write it with networkx: neighbours of a
node from the graph in memory, their weights, random.choices. A networkx graph of the subset would take some tens of
GiB, so the reference's graph holds the nodes that its walks come to, with all their neighbours, and what it takes to
add them is not counted. One core each; ours with reading the graph from the store, and again with the graph in memory.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import networkx as nx
import numpy as np

from factory.concepts.walks.adjacency import partitions_of
from factory.concepts.walks.config import PairConfig, WalkConfig
from factory.concepts.walks.pair_step import pair_step
from factory.concepts.walks.reading import StoredGraph, stored_graph
from factory.concepts.walks.walk_step import MIB, plan_walks, walk_step
from factory.run.outputs import Output, outputs_key
from factory.run.step import WorkStep
from factory.run.units import Unit, unit_over
from factory.store.base import Store
from factory.store.scratch import shared, sweep
from tests.bench.figures import Row

TARGET_SECONDS = 300.0
TARGET_RATIO = 5.0

REFERENCE_WALKS = 100
"""Each meets some 7 nodes of some thousand neighbours; networkx takes 200 bytes a neighbour and more."""

SEED = 17

Worked = Callable[[WorkStep, str, Sequence[Unit]], Sequence[Output]]
"""Works the units of a step under a folder, and gives their outputs (graph.py)."""


@dataclass(frozen=True)
class Walked:
    """What the walks of a graph took; rates are walks/s on one core."""

    walks: int
    paired: int
    block: int
    with_reading: float
    in_memory: float
    networkx: float

    @property
    def ratio(self) -> float:
        return self.with_reading / self.networkx

    def values(self) -> dict[str, Any]:
        return {
            "walks": self.walks,
            "paired": self.paired,
            "walks_per_second": round(self.with_reading, 1),
            "walks_per_second_in_memory": round(self.in_memory, 1),
            "networkx_walks_per_second": round(self.networkx, 1),
            "ratio_to_networkx": round(self.ratio, 2),
        }


def walk_all(store: Store, run: str, topics: int, passages: int, work: Worked) -> tuple[int, int]:
    """Walks of all epochs and their pairs, through `work`: how many of each."""
    config = WalkConfig()
    units = plan_walks(outputs_key(run, "graph_edges"), passages, 0, config.epochs * topics, config.block_walks)
    walks = work(walk_step(config, SEED), f"walk-{run}", units)
    index = outputs_key(run, "graph_index")
    pairs = work(
        pair_step(PairConfig(), None, None, {}),
        f"pair-{run}",
        [unit_over(output.file, index=index) for output in walks],
    )
    return sum(output.file.rows for output in walks), sum(output.file.rows for output in pairs)


def rates(store: Store, run: str, passages: int, block: int) -> tuple[float, float, float]:
    """Walks/s on one core: with reading the graph, with it in memory, and networkx's."""
    key = outputs_key(run, "graph_edges")
    config = WalkConfig(cache_mib=2**14)
    sweep()  # what the walks above left in the machine's scratch folder
    # Compiled before, and without the cache, so that the first block reads the graph.
    walk_step(WalkConfig(cache_mib=0), SEED).work(store, plan_walks(key, passages, 0, 1, 1)[0])
    found = []
    for start in (0, block):
        unit = plan_walks(key, passages, start, start + block, start + block)[0]
        started = time.process_time()
        walk_step(config, SEED).work(store, unit)
        found.append(block / (time.process_time() - started))
    stored = stored_graph(store, key)
    with shared(stored.content, config.cache_mib * MIB) as scratch:
        graph = replace(stored, scratch=scratch)
        return found[0], found[1], networkx_rate(graph, graph.nodes.topics.tolist())


def networkx_rate(source: StoredGraph, topics: Sequence[int]) -> float:
    """Walks/s of the plain walk over a networkx graph."""
    draw = random.Random(SEED)
    graph = nx.DiGraph()
    seconds, done = 0.0, 0
    for start in draw.sample(topics, min(REFERENCE_WALKS, len(topics))):
        kinds = [0] * draw.randint(1, 2) + [1] + [1] * draw.randint(3, 4)
        node, finished = start, True
        for kind in kinds:
            _add_neighbours(graph, source, node)
            started = time.process_time()
            following = networkx_step(graph, node, kind, draw)
            seconds += time.process_time() - started
            if following is None:
                finished = False
                break
            node = following
        done += finished
    return done / seconds


def networkx_step(graph: nx.DiGraph, node: int, kind: int, draw: random.Random) -> int | None:
    """One step to a neighbour of a kind, as often as passages hold both."""
    neighbours = [other for other in graph.successors(node) if other & 1 == kind]
    if not neighbours:
        return None
    weights = [graph[node][other]["freq"] for other in neighbours]
    chosen: int = draw.choices(neighbours, weights)[0]
    return chosen


def _add_neighbours(graph: nx.DiGraph, source: StoredGraph, node: int) -> None:
    if node in graph and graph.out_degree(node):
        return
    partition = source.read(int(partitions_of(np.array([node], np.uint64), source.count)[0]))
    row = int(np.searchsorted(partition.node_ids, np.uint64(node)))
    low, high = partition.starts[row : row + 2].tolist()
    edges = zip(source.nodes.ids[partition.dst[low:high]].tolist(), partition.freq[low:high].tolist(), strict=True)
    graph.add_edges_from((node, other, {"freq": freq}) for other, freq in edges)


def rows_of(size: str, walked: Walked, seconds: dict[str, float], held: bool) -> list[Row]:
    """Lines of the table; targets where `held`, at the paper's size."""
    total = seconds["walk"] + seconds["pair"]
    limit = (f"< {TARGET_SECONDS:,.0f}:", total < TARGET_SECONDS) if held else ("", None)
    least = (f">= {TARGET_RATIO:g}:", walked.ratio >= TARGET_RATIO) if held else ("", None)
    return [
        Row(f"{size}: walks, of which paired", f"{walked.walks:,}, {walked.paired:,}"),
        Row(f"{size}: seconds (walk {seconds['walk']:,.0f}, pair {seconds['pair']:,.0f})", f"{total:,.1f}", *limit),
        Row(f"{size}: walks/s on one core, reading the graph", f"{walked.with_reading:,.0f}"),
        Row(f"{size}: walks/s on one core, graph in memory", f"{walked.in_memory:,.0f}"),
        Row(f"{size}: walks/s of networkx", f"{walked.networkx:,.0f}"),
        Row(f"{size}: reading the graph / networkx", f"{walked.ratio:,.1f}", *least),
    ]
