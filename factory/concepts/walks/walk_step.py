"""Step `walk`: blocks of walk numbers become rows.

Design: one unit a block of numbers, planned from the number of topics and epochs alone; what a walk is depends on the
graph, the rules, the seed and its number, so neither the size of blocks nor the partitions of the graph show in the
rows, and a later epoch or round is a few more units. Every number becomes a row or a reject with the reason of its
dead end. Ids derive from the graph's nodes, the rules and the number.

Cost: see walk.py, and `make bench NAME=graph` with reading and writing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from factory.concepts.walks.adjacency import I64, TOPIC, U64, Flags, Nodes, kinds_of
from factory.concepts.walks.config import WalkConfig
from factory.concepts.walks.reading import StoredGraph, read_subjects, read_visits, stored_graph
from factory.concepts.walks.rules import Graph, Rules, settings
from factory.concepts.walks.tables import TRACE, WALK
from factory.errors import ConfigError
from factory.identity import fingerprint, ids_digest, make_id
from factory.run.reject import Reject
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.scratch import shared

STEP_VERSION = 1

MIB = 1 << 20


@dataclass(frozen=True)
class WalkStep:
    """Work step over blocks of walk numbers (`plan_walks`)."""

    rules: Rules
    seed: int
    cache_mib: int = 0

    name = "walk"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"rules": settings(self.rules), "seed": self.seed}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        if self.rules.within_subject and "subjects" not in unit.parameters:
            raise ConfigError(
                "walk.within_subject=true, but nobody counted in which subjects the concepts occur",
                cause="the run has no step `walk_subjects`",
                remedy="set walk.within_subject=false, or plan the walks with the outputs of that step",
            )
        stored = stored_graph(store, unit.parameters["graph"])
        with shared(stored.content, self.cache_mib * MIB) as scratch:
            return self._walked(store, unit, replace(stored, scratch=scratch))

    def _walked(self, store: Store, unit: Unit, source: StoredGraph) -> UnitResult:
        # Here and not above: compiling needs numba, which planning does without.
        from factory.concepts.walks.walk import walk

        nodes = source.nodes
        graph = Graph(
            source,
            nodes,
            unit.parameters["passages"],
            read_visits(store, unit.parameters["visits"]["key"], nodes) if "visits" in unit.parameters else None,
            read_subjects(store, unit.parameters["subjects"], nodes) if "subjects" in unit.parameters else None,
        )
        numbers = np.arange(unit.parameters["start"], unit.parameters["stop"], dtype=np.int64)
        walks = walk(graph, self.rules, self.seed, numbers)
        ids = self._ids(nodes, unit, numbers)
        rejects = tuple(
            Reject(
                ids[row],
                reason,
                evidence={
                    "number": int(numbers[row]),
                    "step": int(walks.lengths[row]),
                    "nodes": [f"{node:016x}" for node in walks.nodes[row, : walks.lengths[row]].tolist()],
                },
            )
            for row, reason in walks.reasons.items()
        )
        kept = np.flatnonzero(walks.finished)
        held = replace(
            walks, nodes=walks.nodes[kept], via=walks.via[kept], lengths=walks.lengths[kept],
            probabilities=walks.probabilities[kept], subjects=walks.subjects[kept], numbers=numbers[kept],
        )  # fmt: skip
        subjects = [graph.subjects.names[subject] for subject in held.subjects.tolist()] if graph.subjects else None
        table = walk_table([ids[row] for row in kept.tolist()], held, self.seed, len(nodes.topics), source, subjects)
        return UnitResult(
            inputs=len(numbers),
            used=len(kept),
            tables=(table,),
            id_column="walk_id",
            rejects=rejects,
            input_ids_digest=ids_digest(ids),
            facts={
                "start": unit.parameters["start"],
                "stop": unit.parameters["stop"],
                **({"implicit_drawn": walks.far_drawn, "implicit_taken": walks.far_taken} if walks.far_drawn else {}),
            },
        )

    def _ids(self, nodes: Nodes, unit: Unit, numbers: I64) -> list[str]:
        # The graph's nodes and their frequencies name it whatever its partitions; hashing all edges would read them.
        graph = hashlib.sha256(nodes.ids.tobytes() + nodes.doc_freq.tobytes()).hexdigest()
        visited = unit.parameters.get("visits", {}).get("content_sha256", "")
        rules = fingerprint([self.identity(), visited])
        return [make_id("walk", graph, rules, number) for number in numbers.tolist()]


def walk_step(config: WalkConfig, seed: int) -> WalkStep:
    """The step that `config` describes."""
    return WalkStep(Rules.from_config(config), seed, config.cache_mib)


def plan_walks(
    graph: str,
    passages: int,
    start: int,
    stop: int,
    block: int,
    *,
    visits: FileRef | None = None,
    subjects: str | None = None,
) -> list[Unit]:
    """Units of walk numbers [start, stop), cut at multiples of `block`.

    `graph` is the key of the graph's outputs, `passages` how many the corpus has. An epoch is as many numbers as the
    graph has topics. `visits` is what step `visits` counted in earlier rounds (where walk.coverage_exponent is above
    0), `subjects` the key of the outputs of step `walk_subjects` (where walk.within_subject is set). The unit's id
    says which numbers it covers and what was visited before; the step's folder, which graph and rules.
    """
    bounds = [start, *range((start // block + 1) * block, stop, block), stop] if stop > start else []
    given: dict[str, Any] = {"graph": graph, "passages": passages}
    given |= {"subjects": subjects} if subjects else {}
    given |= {"visits": {"key": visits.key, "content_sha256": visits.content_sha256}} if visits else {}
    visited = [visits.content_sha256] if visits else []
    return [
        Unit(make_id("walks", low, high, *visited), parameters={**given, "start": low, "stop": high})
        for low, high in pairwise(bounds)
    ]


def walk_table(
    ids: list[str], walks: Any, seed: int, topics: int, source: StoredGraph, subjects: list[str] | None
) -> pa.Table:
    """WALK rows of finished walks."""
    nodes, lengths = walks.nodes, walks.lengths
    inside: Flags = np.arange(nodes.shape[1]) < lengths[:, None]
    kinds = kinds_of(nodes)
    new = inside & _first_visits(nodes)
    topic_ids, topic_bounds = _listed(nodes, new & (kinds == TOPIC))
    concept_ids, concept_bounds = _listed(nodes, new & (kinds != TOPIC))
    names = source.names(np.unique(nodes[inside]))
    steps, step_bounds = _listed(walks.probabilities, inside & (np.arange(nodes.shape[1]) > 0))
    path, path_bounds = _listed(nodes, inside)
    via, _ = _listed(walks.via, inside)
    trace = pa.StructArray.from_arrays(
        [
            _lists(pa.array(path), path_bounds),
            _lists(pa.array(kinds_of(path).astype(np.int8)), path_bounds),
            _lists(pa.array(via, mask=via == 0), path_bounds),
            pa.array(subjects if subjects is not None else [None] * len(ids), pa.string()),
        ],
        fields=list(TRACE),
    )
    columns = [
        pa.array(ids, pa.string()),
        pa.array(walks.numbers),
        pa.array(walks.numbers // topics),
        pa.array(np.full(len(ids), seed, np.int64)),
        _lists(pa.array(topic_ids), topic_bounds),
        _lists(pa.array(concept_ids), concept_bounds),
        _lists(_names(names, topic_ids), topic_bounds),
        _lists(_names(names, concept_ids), concept_bounds),
        _lists(pa.array(steps), step_bounds),
        trace,
    ]
    return pa.table(columns, schema=WALK)


def _names(names: dict[int, str], ids: U64) -> pa.Array:
    return pa.array([names[node] for node in ids.tolist()], pa.string())


def _first_visits(nodes: U64) -> Flags:
    """bool[W, L]: not at this node before."""
    first = np.ones(nodes.shape, np.bool_)
    for place in range(1, nodes.shape[1]):
        first[:, place] = (nodes[:, :place] != nodes[:, place, None]).all(axis=1)
    return first


def _listed(values: Any, chosen: Flags) -> tuple[Any, Any]:
    """The chosen values row by row, end to end, and where each row's begin, int32[W + 1]."""
    bounds = np.concatenate(([0], np.cumsum(chosen.sum(axis=1)))).astype(np.int32)
    return values[chosen], bounds


def _lists(values: pa.Array, bounds: Any) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(bounds), values)
