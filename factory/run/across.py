"""The stages of level 3: from extracted concepts to walks with two passages each.

    extract -> graph_pairs -> graph_edges -> graph_merges -> graph_joined -> walk -> pair -> question_3
                          \\---------------------------> graph_index ---------------/

Design: only what a group of extract files adds to the graph stands for itself; edges, index and walks depend on the
whole corpus, so their folders are named by the set of units they read. How many walks are drawn is no part of a
folder's name: `WalkRounds` grows while a run wants more samples, and earlier rounds' walks, pairs and questions stay
what they were. Rounds are cut at their ends, so that a later one never changes the files of an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from factory.concepts.graph.aliases import alias_file
from factory.concepts.graph.edges import GraphEdgesStep, edges_units
from factory.concepts.graph.groups import pairs_units
from factory.concepts.graph.joined import GraphJoinedStep, joined_units
from factory.concepts.graph.merges import GraphMergesStep, merges_step
from factory.concepts.graph.pairs import GraphPairsStep, pairs_step
from factory.concepts.graph.segments import GraphIndexStep, index_units
from factory.concepts.walks.pair_step import PairStep, pair_step
from factory.concepts.walks.subjects_step import WalkSubjectsStep
from factory.concepts.walks.visits_step import VisitsStep
from factory.concepts.walks.walk_step import WalkStep, plan_walks, walk_step
from factory.config import FactoryConfig
from factory.licences.together import conflict
from factory.publish.samples import split_of
from factory.run.outputs import outputs_key, read_outputs
from factory.run.plan import Part, global_folder, plan_global, plan_rows, plan_units, row_wise_folder
from factory.run.record import Record, plan_key, planned_units
from factory.run.stage import Dones, Planned, Stage
from factory.run.step import WorkStep
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.commit_index import each_commit
from factory.store.commits import committed_units


@dataclass(frozen=True)
class AcrossSteps:
    """The steps between extraction and the questions of level 3. `merges` is None where no names are merged,
    `subjects` and `visits` where no rule of the walks asks for them."""

    pairs: GraphPairsStep
    edges: GraphEdgesStep
    merges: GraphMergesStep | None
    joined: GraphJoinedStep
    index: GraphIndexStep
    subjects: WalkSubjectsStep | None
    visits: VisitsStep | None
    walk: WalkStep
    pair: PairStep

    @property
    def graph(self) -> str:
        """The step whose graph is walked."""
        return "graph_edges" if self.merges is None else "graph_joined"


@dataclass
class WalkRounds:
    """Where each round drawn so far ends (a walk number), and what the rounds before it visited (for
    walk.coverage_exponent, else None). Before the first, a plan is of all epochs."""

    ends: list[int] = field(default_factory=list)
    visits: list[FileRef | None] = field(default_factory=list)


def across_steps(config: FactoryConfig) -> AcrossSteps:
    """Raises ConfigError when names are to be merged by a model that is not on this machine."""
    seed, validation, test = config.seed, config.publish.validation, config.publish.test
    split_off = validation or test
    decided_by = {"licences": LICENCE_RULES, "splits": [seed, validation, test] if split_off else None}
    split = partial(_split_of_one, seed=seed, validation=validation, test=test) if split_off else None
    return AcrossSteps(
        pairs=pairs_step(config.graph),
        edges=GraphEdgesStep(),
        merges=merges_step(config.graph.merge_names),
        joined=GraphJoinedStep(),
        index=GraphIndexStep(),
        subjects=WalkSubjectsStep() if config.walk.within_subject else None,
        visits=VisitsStep() if config.walk.coverage_exponent else None,
        walk=walk_step(config.walk, config.seed),
        pair=pair_step(config.pair, conflict, split, decided_by),
    )


LICENCE_RULES = 1
"""Raised by hand when licences/together.py answers differently: pairs depend on it."""


def _split_of_one(doc_id: str, seed: int, validation: float, test: float) -> str:
    split = split_of([doc_id], seed, validation, test)
    assert split is not None  # one document cannot cross splits
    return split


def epoch_of(steps: AcrossSteps, dones: Dones) -> int:
    """Walks of an epoch: one for every topic of the graph."""
    return int(dones[steps.graph]["facts"]["topics"])


def across_stages(config: FactoryConfig, run: str, steps: AcrossSteps, rounds: WalkRounds) -> Iterator[Stage]:
    """Stages from graph_pairs to pair."""

    def key(step: str) -> str:
        return outputs_key(run, step)

    def over_corpus(step: WorkStep, store: Store, *upstream: Record) -> str:
        """Folder of a step that depends on all passages, and on the steps `upstream`."""
        return global_folder(step, planned_units(store, run, "graph_pairs"), [done["folder"] for done in upstream])

    def aliases(store: Store) -> FileRef | None:
        return alias_file(store, key("graph_merges") if steps.merges else None)

    def plan_pairs(store: Store, _dones: Dones) -> Planned:
        folder = row_wise_folder(steps.pairs, None)
        done = committed_units(store, folder)
        files = [output.file for output in read_outputs(store, key("extract"))]
        own = planned_units(store, run, "graph_pairs") if store.head(plan_key(run, "graph_pairs")) else ()
        units = pairs_units(files, each_commit(store, folder, done), own)
        return Planned(steps.pairs, folder, plan_units(units, done))

    def plan_edges(store: Store, dones: Dones) -> Planned:
        folder = over_corpus(steps.edges, store, dones["graph_pairs"])
        units = edges_units(store, folder, key("graph_pairs"), config.graph.partitions)
        return Planned(steps.edges, folder, plan_units(units, committed_units(store, folder)))

    def plan_merges(store: Store, dones: Dones) -> Planned:
        assert steps.merges is not None
        folder = over_corpus(steps.merges, store, dones["graph_edges"])
        given = {"edges": key("graph_edges")}
        return Planned(steps.merges, folder, plan_global(folder, given, committed_units(store, folder)))

    def plan_joined(store: Store, dones: Dones) -> Planned:
        table = aliases(store)
        assert table is not None
        folder = over_corpus(steps.joined, store, dones["graph_edges"], dones["graph_merges"])
        units = joined_units(store, folder, key("graph_edges"), key("graph_pairs"), table, config.graph.partitions)
        return Planned(steps.joined, folder, plan_units(units, committed_units(store, folder)))

    def plan_index(store: Store, _dones: Dones) -> Planned:
        folder = row_wise_folder(steps.index, None)
        units = index_units(read_outputs(store, key("graph_pairs")), config.graph.segment_passages, aliases(store))
        return Planned(steps.index, folder, plan_units(units, committed_units(store, folder)))

    def plan_subjects(store: Store, dones: Dones) -> Planned:
        assert steps.subjects is not None
        folder = over_corpus(steps.subjects, store, dones[steps.graph])
        given = {"index": key("graph_index")}
        return Planned(steps.subjects, folder, plan_global(folder, given, committed_units(store, folder)))

    def plan_walk(store: Store, dones: Dones) -> Planned:
        folder = over_corpus(steps.walk, store, dones[steps.graph])
        passages = int(dones["graph_pairs"]["counts"]["accepted"])
        subjects = key("walk_subjects") if steps.subjects else None
        ends = rounds.ends or [config.walk.epochs * epoch_of(steps, dones)]
        units = [
            unit
            for start, stop, visits in zip([0, *ends], ends, rounds.visits or [None] * len(ends), strict=False)
            for unit in plan_walks(
                key(steps.graph), passages, start, stop, config.walk.block_walks, visits=visits, subjects=subjects
            )
        ]
        return Planned(steps.walk, folder, plan_units(units, committed_units(store, folder)))

    def plan_pair(store: Store, dones: Dones) -> Planned:
        folder = global_folder(steps.pair, planned_units(store, run, "graph_index"), dones["graph_index"]["folder"])
        parts = [Part(output.file) for output in read_outputs(store, key("walk"))]
        given = {"index": key("graph_index")}
        return Planned(steps.pair, folder, plan_rows(store, folder, parts, committed_units(store, folder), given))

    yield Stage("graph_pairs", plan_pairs, ("extract",), step=steps.pairs)
    yield Stage("graph_edges", plan_edges, ("graph_pairs",), step=steps.edges)
    if steps.merges is not None:
        yield Stage("graph_merges", plan_merges, ("graph_edges",), step=steps.merges)
        yield Stage("graph_joined", plan_joined, ("graph_pairs",), step=steps.joined)
    yield Stage("graph_index", plan_index, ("graph_pairs",), step=steps.index)
    if steps.subjects is not None:
        yield Stage("walk_subjects", plan_subjects, ("graph_index",), step=steps.subjects)
    yield Stage("walk", plan_walk, None, step=steps.walk)
    yield Stage("pair", plan_pair, ("walk",), step=steps.pair)


def visits_stage(run: str, steps: AcrossSteps) -> Stage | None:
    """What the walks drawn so far visited: worked between rounds, where rules ask for it."""
    step = steps.visits
    if step is None:
        return None

    def plan(store: Store, dones: Dones) -> Planned:
        folder = global_folder(step, planned_units(store, run, "walk"), dones["walk"]["folder"])
        given = {"walks": outputs_key(run, "walk")}
        return Planned(step, folder, plan_global(folder, given, committed_units(store, folder)))

    # It reads the walks of the rounds before, and the next round adds to them: no count of `walk` that is on record
    # later is the one it read.
    return Stage("visits", plan, step=step)
