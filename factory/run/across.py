"""The stages of level 3: from extracted concepts to walks with two passages each.

    extract -> graph_pairs -> graph_edges -> walk -> pair -> question_3
                          \\-> graph_index ---------/

Design: only what an extract file adds to the graph is row-wise; edges, index and walks depend on the whole corpus, so
their folders are named by the set of units they read. How many walks are drawn is no part of a folder's name:
`WalkRounds` grows while a run wants more samples, and earlier rounds' walks, pairs and questions stay what they were.
Rounds are cut at their ends, so that a later one never changes the files of an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from factory.concepts.graph.edges import GraphEdgesStep, edges_units
from factory.concepts.graph.pairs import GraphPairsStep, pairs_step
from factory.concepts.graph.segments import GraphIndexStep, index_units
from factory.concepts.walks.pair_step import PairStep, pair_step
from factory.concepts.walks.walk_step import WalkStep, plan_walks, walk_step
from factory.config import FactoryConfig
from factory.licences.together import conflict
from factory.publish.samples import split_of
from factory.run.outputs import outputs_key, read_outputs
from factory.run.plan import Part, global_folder, plan_rows, plan_units, row_wise_folder
from factory.run.record import planned_units
from factory.run.stage import Dones, Planned, Stage
from factory.run.units import Unit
from factory.store.base import Store
from factory.store.commits import committed_units


@dataclass(frozen=True)
class AcrossSteps:
    """The steps between extraction and the questions of level 3."""

    pairs: GraphPairsStep
    edges: GraphEdgesStep
    index: GraphIndexStep
    walk: WalkStep
    pair: PairStep


@dataclass
class WalkRounds:
    """Walk numbers at which the rounds drawn so far end; without any, all epochs are one round."""

    ends: list[int] = field(default_factory=list)


def across_steps(config: FactoryConfig) -> AcrossSteps:
    seed, validation, test = config.seed, config.publish.validation, config.publish.test
    split_off = validation or test
    decided_by = {"licences": LICENCE_RULES, "splits": [seed, validation, test] if split_off else None}
    split = partial(_split_of_one, seed=seed, validation=validation, test=test) if split_off else None
    return AcrossSteps(
        pairs=pairs_step(config.graph),
        edges=GraphEdgesStep(),
        index=GraphIndexStep(),
        walk=walk_step(config.walk, config.seed),
        pair=pair_step(config.pair, conflict, split, decided_by),
    )


LICENCE_RULES = 1
"""Raised by hand when licences/together.py answers differently: pairs depend on it."""


def _split_of_one(doc_id: str, seed: int, validation: float, test: float) -> str:
    split = split_of([doc_id], seed, validation, test)
    assert split is not None  # one document cannot cross splits
    return split


def walks_at_most(config: FactoryConfig, dones: Dones) -> int:
    """Every topic in turn, for all epochs."""
    return config.walk.epochs * int(dones["graph_edges"]["facts"]["topics"])


def across_stages(config: FactoryConfig, run: str, steps: AcrossSteps, rounds: WalkRounds) -> Iterator[Stage]:
    """Stages from graph_pairs to pair."""

    def key(step: str) -> str:
        return outputs_key(run, step)

    def plan_pairs(store: Store, _dones: Dones) -> Planned:
        folder = row_wise_folder(steps.pairs, None)
        parts = [Part(output.file) for output in read_outputs(store, key("extract"))]
        return Planned(steps.pairs, folder, plan_rows(store, folder, parts, committed_units(store, folder)))

    def plan_edges(store: Store, dones: Dones) -> Planned:
        folder = global_folder(steps.edges, planned_units(store, run, "graph_pairs"), dones["graph_pairs"]["folder"])
        units = edges_units(store, folder, key("graph_pairs"), config.graph.partitions)
        return Planned(steps.edges, folder, plan_units(units, committed_units(store, folder)))

    def plan_index(store: Store, _dones: Dones) -> Planned:
        folder = row_wise_folder(steps.index, None)
        units = index_units(read_outputs(store, key("graph_pairs")), config.graph.segment_passages)
        return Planned(steps.index, folder, plan_units(units, committed_units(store, folder)))

    def plan_walk(store: Store, dones: Dones) -> Planned:
        folder = global_folder(steps.walk, planned_units(store, run, "graph_pairs"), dones["graph_edges"]["folder"])
        units = walk_units(config, dones, key("graph_edges"), rounds)
        return Planned(steps.walk, folder, plan_units(units, committed_units(store, folder)))

    def plan_pair(store: Store, dones: Dones) -> Planned:
        folder = global_folder(steps.pair, planned_units(store, run, "graph_index"), dones["graph_index"]["folder"])
        parts = [Part(output.file) for output in read_outputs(store, key("walk"))]
        given = {"index": key("graph_index")}
        return Planned(steps.pair, folder, plan_rows(store, folder, parts, committed_units(store, folder), given))

    yield Stage("graph_pairs", plan_pairs, ("extract",), step=steps.pairs)
    yield Stage("graph_edges", plan_edges, ("graph_pairs",), step=steps.edges)
    yield Stage("graph_index", plan_index, ("graph_pairs",), step=steps.index)
    yield Stage("walk", plan_walk, None, step=steps.walk)
    yield Stage("pair", plan_pair, ("walk",), step=steps.pair)


def walk_units(config: FactoryConfig, dones: Mapping[str, Any], graph: str, rounds: WalkRounds) -> list[Unit]:
    """The units of every round so far, in order of their walks."""
    most = walks_at_most(config, dones)
    passages = int(dones["graph_pairs"]["counts"]["accepted"])
    units: list[Unit] = []
    start = 0
    for end in rounds.ends or [most]:
        stop = min(end, most)
        units += plan_walks(graph, passages, start, stop, config.walk.block_walks)
        start = max(start, stop)
    return units
