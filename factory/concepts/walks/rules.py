"""What decides a walk's transitions: the rules, and the arrays that weigh a graph's nodes by them.

Design: an option either multiplies the weight of every edge to a node by a factor of the node alone (hubs, coverage)
or forbids the node to some walks (subjects); both are arrays over all nodes, made once a block. Powers are taken by
the C library, one distinct value at a time: numpy's vectorised ones differ in the last bit from machine to machine.

Cost: 8 bytes a node for factors; 16 a pair of node and subject.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from factory.concepts.walks.adjacency import I64, Nodes, PartitionSource
from factory.concepts.walks.config import WalkConfig
from factory.concepts.walks.draws import F64

WEIGHT_TABLE = 1 << 16
"""Frequencies whose weight is looked up: a power costs 20-40 ns; half a MiB stays in the cache."""

ANY_SUBJECT = -1
"""Of walks that no subject binds."""


@dataclass(frozen=True)
class Rules:
    """Everything that decides a transition; sizes are those of WalkConfig."""

    topic_steps: tuple[int, int] = (1, 2)
    concept_steps: tuple[int, int] = (3, 4)
    epsilon: float = 1e-6
    temperature: float = 1.0
    revisit: bool = True
    max_doc_freq_share: float | None = None
    hub_exponent: float = 0.0
    coverage_exponent: float = 0.0
    implicit_share: float = 0.0
    within_subject: bool = False

    @staticmethod
    def from_config(config: WalkConfig) -> Rules:
        return Rules(
            (config.min_topic_steps, config.max_topic_steps),
            (config.min_concept_steps, config.max_concept_steps),
            config.epsilon,
            config.temperature,
            config.revisit == "allow",
            config.max_doc_freq_share,
            config.hub_exponent,
            config.coverage_exponent,
            config.implicit_share,
            config.within_subject,
        )

    @property
    def longest(self) -> int:
        """Nodes of a walk at most."""
        return 1 + self.topic_steps[1] + 1 + self.concept_steps[1]


@dataclass(frozen=True)
class Subjects:
    """In which subjects' passages each node occurs: compressed rows in the order of Nodes.ids."""

    names: tuple[str, ...]
    starts: I64  # [N + 1]
    subjects: I64  # into names, sorted within a node
    passages: I64  # that hold the node and are of the subject


@dataclass(frozen=True)
class Graph:
    """What walks need to know of a graph. `visits` of earlier rounds are in the order of nodes.ids."""

    source: PartitionSource
    nodes: Nodes
    passages: int  # of the corpus: what shares of document frequencies are shares of
    visits: I64 | None = None
    subjects: Subjects | None = None


class NodeTable(NamedTuple):
    """What weighs nodes, by their positions: empty `factor` and `subject_starts` mean that nothing does."""

    factor: F64  # [N]: multiplies the weight of every edge to the node
    subject_starts: I64  # [N + 1], into subjects
    subjects: I64  # sorted within a node


class Transition(NamedTuple):
    """(freq + epsilon)^(1 / temperature): by table for small frequencies."""

    table: F64
    epsilon: float
    inverse_temperature: float


def transition_of(rules: Rules) -> Transition:
    return Transition(_weight_table(rules.epsilon, rules.temperature), rules.epsilon, 1 / rules.temperature)


@lru_cache(maxsize=4)
def _weight_table(epsilon: float, temperature: float) -> F64:
    table = np.array([math.pow(freq + epsilon, 1 / temperature) for freq in range(WEIGHT_TABLE)], np.float64)
    table[0] = 0.0  # no such edge
    return table


def node_table(graph: Graph, rules: Rules) -> NodeTable:
    """The factors (`node_factors`) and subjects of the graph's nodes."""
    subjects = graph.subjects if rules.within_subject else None
    none = np.zeros(0, np.int64)
    return NodeTable(
        node_factors(graph, rules),
        none if subjects is None else subjects.starts,
        none if subjects is None else subjects.subjects,
    )


def node_factors(graph: Graph, rules: Rules) -> F64:
    """float64[N]: doc_freq^-h * (1 + visits)^-c, 0 for hubs; empty when no option asks for it."""
    visits = graph.visits if rules.coverage_exponent else None
    if rules.max_doc_freq_share is None and not rules.hub_exponent and visits is None:
        return np.zeros(0, np.float64)
    doc_freq = graph.nodes.doc_freq.astype(np.float64)
    factors = np.ones(len(doc_freq), np.float64)
    if rules.hub_exponent:
        factors *= _powers(doc_freq, -rules.hub_exponent)
    if visits is not None:
        factors *= _powers((1 + visits).astype(np.float64), -rules.coverage_exponent)
    if rules.max_doc_freq_share is not None:
        factors[doc_freq > rules.max_doc_freq_share * graph.passages] = 0.0
    return factors


def _powers(values: F64, exponent: float) -> F64:
    distinct, inverse = np.unique(values, return_inverse=True)
    powers = np.array([math.pow(value, exponent) for value in distinct.tolist()], np.float64)
    found: F64 = powers[inverse]
    return found


def settings(rules: Rules) -> dict[str, Any]:
    """The rules as JSON, for identities and traces."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(rules).items()}
