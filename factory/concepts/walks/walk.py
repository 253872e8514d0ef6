"""The walk of SynthLLM level 3 (arXiv 2503.19551, section 4.2, eq. 5 and 6) and what is known to better it.

Design: walk number w begins at topic w mod T in epoch w div T, T topics in order of id. It takes 1-2 steps among
topics, one from its last topic to a concept, and 3-4 among concepts. The paper's exp(log(freq + epsilon)), within
the neighbours of a node, is freq + epsilon: no exponential is taken. All walks of a block take one step at a time,
grouped by the partition their node lies in; partitions are read one after another. Every number drawn is a function
of (seed, walk number, step, purpose) and every sum is one node's own, so a walk depends on the graph, the rules,
the seed and its number, and on nothing else.

Options, all off by default. Never to revisit. Hubs: no step goes to a node above a document frequency, and weights
fall with it. Coverage: weights fall with visits of earlier rounds (LinkSyn, arXiv 2508.01317). Implicit edges: a
step goes two edges to a concept that is no neighbour (GRIP, arXiv 2412.08864); where the middle node leads to
none, the step ends at it. Subject: the walk keeps to nodes that occur in passages of one subject, drawn by its
share of the start's passages. Factors, exclusions and subjects change the weights; what is drawn from is always
exactly the renormalised distribution.

Cost: per step one pass over the neighbours of the distinct nodes of the block (kernels.py), and the reading of all
partitions that hold one. Memory: what the source holds, 12 bytes a node of the graph, about 250 bytes a walk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from factory.concepts.walks import draws
from factory.concepts.walks.adjacency import I64, U32, U64, Flags, Partition, partitions_of
from factory.concepts.walks.draws import F64
from factory.concepts.walks.kernels import ALL_EXCLUDED, NO_NEIGHBOUR, TAKEN, advance, advance_past
from factory.concepts.walks.rules import ANY_SUBJECT, Graph, Rules, node_table, transition_of
from factory.errors import CorpusError

NEAR_POOL = 1 << 24
"""Neighbours held at once for steps over implicit edges: 128 MiB. More walks are done in turns."""

NOWHERE = -1

ISOLATED_TOPIC, TOPIC_WITHOUT_CONCEPT, ISOLATED_CONCEPT, ALL_NEIGHBOURS_EXCLUDED = (
    "isolated_topic",
    "topic_without_concept",
    "isolated_concept",
    "all_neighbours_excluded",
)


@dataclass(frozen=True)
class Walks:
    """Walks of a block, in the order of their numbers; rows are padded with zeros behind `lengths`."""

    numbers: I64  # [W]
    topic_steps: I64  # [W] drawn
    concept_steps: I64  # [W] drawn
    nodes: U64  # [W, L]
    via: U64  # [W, L]: the middle node of a step over an implicit edge, else 0
    probabilities: F64  # [W, L]: of the step to each node; 1 for the start, which is given
    lengths: I64  # [W] nodes reached
    subjects: I64  # [W] or ANY_SUBJECT
    failures: I64  # [W]: TAKEN, NO_NEIGHBOUR or ALL_EXCLUDED at the step behind the last node
    reasons: Mapping[int, str] = field(default_factory=dict)  # row -> reason, of walks that did not finish
    far_drawn: int = 0  # steps that were to go over an implicit edge
    far_taken: int = 0  # those that did: the others ended at the middle node

    @property
    def finished(self) -> Flags:
        found: Flags = self.failures == TAKEN
        return found


def walk(graph: Graph, rules: Rules, seed: int, numbers: I64) -> Walks:
    """The walks of these numbers. A walk that meets a dead end keeps the nodes it reached and has a reason:
    isolated_topic, topic_without_concept, isolated_concept (no neighbour of the kind at all), or
    all_neighbours_excluded (there are some, and the options rule all of them out).

    Raises CorpusError when the graph has no topic to begin at.
    """
    numbers = np.asarray(numbers, np.int64)
    topics = graph.nodes.topics
    if not len(topics):
        raise CorpusError(
            "the concept graph has no topics, so no walk can begin",
            cause="no passage yielded any topic, or all names were refused by the normaliser",
            remedy="look at the rejects of the steps `extract` and `graph_pairs`",
        )
    block = _Block(graph, rules, seed, numbers, graph.nodes.positions(topics)[numbers % len(topics)])
    for step in range(1, rules.longest):
        block.step(step)
    return block.walks()


class _Block:
    """Walks that advance together."""

    def __init__(self, graph: Graph, rules: Rules, seed: int, numbers: I64, start: I64) -> None:
        self.graph, self.rules, self.seed, self.numbers = graph, rules, seed, numbers
        self.table, self.transition = node_table(graph, rules), transition_of(rules)
        self.topic_steps = draws.between(*rules.topic_steps, draws.uniform(seed, numbers, 0, draws.TOPIC_STEPS))
        self.concept_steps = draws.between(*rules.concept_steps, draws.uniform(seed, numbers, 0, draws.CONCEPT_STEPS))
        shape = (len(numbers), rules.longest)
        # Positions in graph.nodes.ids.
        self.nodes, self.via = np.zeros(shape, np.int64), np.full(shape, NOWHERE, np.int64)
        self.probabilities = np.zeros(shape, np.float64)
        self.nodes[:, 0], self.probabilities[:, 0] = start, 1.0
        self.lengths = np.ones(len(numbers), np.int64)
        self.failures = np.full(len(numbers), TAKEN, np.int64)
        self.subjects = self._drawn_subjects()
        self.far_drawn = 0

    def step(self, step: int) -> None:
        """Every walk that goes on takes its step number `step`."""
        alive = (self.failures == TAKEN) & (step <= self.topic_steps + 1 + self.concept_steps)
        walking = np.flatnonzero(alive)
        if not len(walking):
            return
        far = self._implicit(walking, step)
        chosen, probability, outcome, degrees = self._near_steps(walking, step)
        if self.rules.implicit_share:
            probability *= np.where(
                step > self.topic_steps[walking] + 1,
                np.where(far, self.rules.implicit_share, 1 - self.rules.implicit_share),
                1.0,
            )
        goes_far = np.flatnonzero(far & (outcome == TAKEN))
        if len(goes_far):
            self.far_drawn += len(goes_far)
            self._far_steps(walking, goes_far, step, chosen, probability, degrees)
        went = walking[outcome == TAKEN]
        self.nodes[went, step] = chosen[outcome == TAKEN]
        self.probabilities[went, step] = probability[outcome == TAKEN]
        self.lengths[went] += 1
        self.failures[walking] = outcome

    def walks(self) -> Walks:
        stopped = np.flatnonzero(self.failures != TAKEN)
        ids = self.graph.nodes.ids
        there = np.arange(self.nodes.shape[1]) < self.lengths[:, None]
        return Walks(
            self.numbers,
            self.topic_steps,
            self.concept_steps,
            np.where(there, ids[self.nodes], np.uint64(0)),
            np.where(self.via == NOWHERE, np.uint64(0), ids[self.via]),
            self.probabilities,
            self.lengths,
            self.subjects,
            self.failures,
            {row: self._reason(row) for row in stopped.tolist()},
            self.far_drawn,
            int((self.via != NOWHERE).sum()),
        )

    def _reason(self, row: int) -> str:
        if self.failures[row] == ALL_EXCLUDED:
            return ALL_NEIGHBOURS_EXCLUDED
        steps = int(self.lengths[row])  # that of the step which failed
        if steps <= self.topic_steps[row]:
            return ISOLATED_TOPIC
        return TOPIC_WITHOUT_CONCEPT if steps == self.topic_steps[row] + 1 else ISOLATED_CONCEPT

    def _drawn_subjects(self) -> I64:
        """A subject for every walk, as often as its start occurs in it."""
        drawn = np.full(len(self.numbers), ANY_SUBJECT, np.int64)
        held = self.graph.subjects
        if not self.rules.within_subject:
            return drawn
        if held is None:
            raise ValueError("walks within a subject need to know the nodes' subjects")
        running = np.concatenate(([0], np.cumsum(held.passages)))
        at = self.nodes[:, 0]
        low, high = running[held.starts[at]], running[held.starts[at + 1]]
        target = low + (draws.uniform(self.seed, self.numbers, 0, draws.SUBJECT) * (high - low)).astype(np.int64)
        found = np.searchsorted(running, np.minimum(target, high - 1), "right") - 1
        known = high > low
        drawn[known] = held.subjects[found[known]]
        return drawn

    def _implicit(self, walking: I64, step: int) -> Flags:
        """Which of these walks take this step over an implicit edge."""
        if not self.rules.implicit_share:
            return np.zeros(len(walking), np.bool_)
        drawn = draws.uniform(self.seed, self.numbers[walking], step, draws.IMPLICIT)
        return (drawn < self.rules.implicit_share) & (step > self.topic_steps[walking] + 1)

    def _near_steps(self, walking: I64, step: int) -> tuple[I64, F64, I64, I64]:
        """Per walk: the direct neighbour drawn, its probability, what came of it, and the node's degree."""
        size = len(walking)
        chosen, probability = np.zeros(size, np.int64), np.zeros(size, np.float64)
        outcome, degrees = np.full(size, NO_NEIGHBOUR, np.int64), np.zeros(size, np.int64)
        at = self.nodes[walking, step - 1]
        to_topic = (step <= self.topic_steps[walking]).astype(np.int64)
        drawn = draws.uniform(self.seed, self.numbers[walking], step, draws.NEIGHBOUR)
        for partition, here, rows in self._visited(at):
            by = np.lexsort((self.subjects[walking[here]], to_topic[here], rows))
            here, rows = here[by], rows[by]
            found = np.zeros(len(here), np.int64), np.zeros(len(here), np.float64), np.zeros(len(here), np.int64)
            advance(
                partition.starts,
                partition.topic_degrees,
                partition.dst,
                partition.freq,
                self.table,
                self.transition,
                rows,
                to_topic[here],
                self.subjects[walking[here]],
                drawn[here],
                self.nodes[walking[here]],
                self._shut(walking[here]),
                *found,
            )
            chosen[here], probability[here], outcome[here] = found
            degrees[here] = partition.starts[rows + 1] - partition.starts[rows]
        return chosen, probability, outcome, degrees

    def _far_steps(self, walking: I64, far: I64, step: int, chosen: I64, probability: F64, degrees: I64) -> None:
        """Second edges of the walks walking[far], whose drawn neighbours become middle nodes. Where a middle node
        leads to neighbours of the origin alone, the step ends at it."""
        origins = self.nodes[walking, step - 1]
        drawn = draws.uniform(self.seed, self.numbers[walking], step, draws.FAR_NEIGHBOUR)
        for turn in _turns(far, origins[far], degrees[far]):
            near, near_starts, near_stops = self._neighbours(origins[turn])
            for partition, here, rows in self._visited(chosen[turn]):
                by = np.argsort(rows, kind="stable")
                here, rows = here[by], rows[by]
                walks = walking[turn[here]]
                found = np.zeros(len(here), np.int64), np.zeros(len(here), np.float64), np.zeros(len(here), np.int64)
                advance_past(
                    partition.starts,
                    partition.dst,
                    partition.freq,
                    self.table,
                    self.transition,
                    rows,
                    self.subjects[walks],
                    drawn[turn[here]],
                    self.nodes[walks],
                    self._shut(walks),
                    origins[turn[here]],
                    near,
                    near_starts[here],
                    near_stops[here],
                    *found,
                )
                took = found[2] == TAKEN
                ended = turn[here[took]]
                self.via[walking[ended], step] = chosen[ended]
                chosen[ended] = found[0][took]
                probability[ended] *= found[1][took]

    def _neighbours(self, origins: I64) -> tuple[U32, I64, I64]:
        """The neighbours of each distinct origin, end to end, and where each of `origins` has its own."""
        distinct, inverse = np.unique(origins, return_inverse=True)
        parts: list[U32] = []
        starts, stops, held = np.zeros(len(distinct), np.int64), np.zeros(len(distinct), np.int64), 0
        for partition, here, rows in self._visited(distinct):
            for index, row in zip(here.tolist(), rows.tolist(), strict=True):
                low, high = int(partition.starts[row]), int(partition.starts[row + 1])
                parts.append(partition.dst[low:high])
                starts[index], stops[index] = held, held + high - low
                held += high - low
        return np.concatenate(parts), starts[inverse], stops[inverse]

    def _visited(self, at: I64) -> Iterator[tuple[Partition, I64, I64]]:
        """Every partition that owns one of the nodes `at`: it, which of `at` are its own, and their rows in it."""
        source, ids = self.graph.source, self.graph.nodes.ids
        owners = partitions_of(ids[at], source.count)
        by = np.argsort(owners, kind="stable")
        cuts = np.flatnonzero(np.diff(owners[by])) + 1
        for here in np.split(by, cuts) if len(by) else []:
            partition = source.read(int(owners[here[0]]))
            # A partition is a range of ids, so a range of positions.
            yield partition, here, at[here] - np.searchsorted(ids, partition.node_ids[0])

    def _shut(self, walks: I64) -> I64:
        """How many nodes of each walk's path a step may not go to."""
        return np.zeros(len(walks), np.int64) if self.rules.revisit else self.lengths[walks]


def _turns(far: I64, origins: I64, degrees: I64) -> Iterator[I64]:
    """`far` in parts whose distinct origins have NEAR_POOL neighbours at most, or are one."""
    by = np.argsort(origins, kind="stable")
    new = np.concatenate(([True], origins[by][1:] != origins[by][:-1]))
    turn: list[int] = []
    held = 0
    for place, first in zip(by.tolist(), new.tolist(), strict=True):
        if first and turn and held + degrees[place] > NEAR_POOL:
            yield np.array(turn, np.int64)
            turn, held = [], 0
        held += int(degrees[place]) if first else 0
        turn.append(int(far[place]))
    yield np.array(turn, np.int64)
