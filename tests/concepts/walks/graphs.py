"""Small graphs for tests: from concept sets of passages, counted without any of the code under test."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np

from factory.concepts.walks.adjacency import InMemory, Nodes, split, whole_graph
from factory.concepts.walks.rules import Graph, Subjects

Passage = tuple[Sequence[str], Sequence[str]]
"""Topics, concepts."""


def topic(name: str) -> int:
    return _node(name, 0)


def concept(name: str) -> int:
    return _node(name, 1)


def _node(name: str, kind: int) -> int:
    digest = hashlib.sha256(f"{('topic', 'concept')[kind]}\0{name}".encode()).digest()
    return (int.from_bytes(digest[:8]) & ~1) | kind


def node_sets(passages: Sequence[Passage]) -> list[set[int]]:
    return [{topic(name) for name in topics} | {concept(name) for name in names} for topics, names in passages]


def edges_of(passages: Sequence[Passage]) -> Counter[tuple[int, int]]:
    """(src, dst) -> passages that hold both, without edges from concepts to topics."""
    found: Counter[tuple[int, int]] = Counter()
    for nodes in node_sets(passages):
        found.update((src, dst) for src, dst in permutations(nodes, 2) if not (src & 1 and not dst & 1))
    return found


def graph_of(passages: Sequence[Passage], count: int = 1, subjects: Sequence[str] | None = None) -> Graph:
    sets = node_sets(passages)
    frequencies = Counter(node for nodes in sets for node in nodes)
    edges = edges_of(passages)
    return graph_from(frequencies, edges, len(passages), count, subjects_of(sets, subjects) if subjects else None)


def graph_from(
    frequencies: Mapping[int, int],
    edges: Mapping[tuple[int, int], int],
    passages: int,
    count: int = 1,
    subjects: Subjects | None = None,
) -> Graph:
    ids = np.array(sorted(frequencies), np.uint64)
    nodes = Nodes(ids, np.array([frequencies[node] for node in ids.tolist()], np.uint32))
    pairs = list(edges)
    whole = whole_graph(
        ids,
        np.array([src for src, _ in pairs], np.uint64),
        np.array([dst for _, dst in pairs], np.uint64),
        np.array([edges[pair] for pair in pairs], np.uint32),
    )
    return Graph(split(whole, count) if count > 1 else InMemory((whole,)), nodes, passages, subjects=subjects)


def subjects_of(sets: Sequence[set[int]], subjects: Sequence[str]) -> Subjects:
    names = tuple(sorted(set(subjects)))
    pairs = Counter((node, names.index(name)) for nodes, name in zip(sets, subjects, strict=True) for node in nodes)
    ids = sorted({node for nodes in sets for node in nodes})
    ordered = sorted(pairs)
    starts = np.searchsorted(np.array([node for node, _ in ordered], np.uint64), np.array(ids, np.uint64))
    return Subjects(
        names,
        np.append(starts, len(ordered)).astype(np.int64),
        np.array([subject for _, subject in ordered], np.int64),
        np.array([pairs[pair] for pair in ordered], np.int64),
    )


def random_passages(seed: int, count: int, topics: int = 12, concepts: int = 40, per_passage: int = 8) -> list[Passage]:
    """Passages whose names are drawn with falling probability, so that some are hubs and some are rare."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        drawn_topics = {f"t{int(topics * draw.random() ** 2)}" for _ in range(draw.randint(1, 3))}
        drawn = {f"c{int(concepts * draw.random() ** 2)}" for _ in range(draw.randint(1, per_passage))}
        found.append((sorted(drawn_topics), sorted(drawn)))
    return found
