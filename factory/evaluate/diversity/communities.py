"""The main communities of a part of the concept graph.

Design: the most frequent nodes and the strongest edges between them, as many as the bounds allow. Strength is Salton's
cosine, freq(u, v) / sqrt(freq(u) freq(v)): by plain frequency every node's best neighbour is a hub, and communities
melt into one. Every node keeps its strongest edge before the rest of the room goes to the strongest edges at all.
Communities are Louvain's (Blondel et al., arXiv 0803.0476) as networkx finds them, seeded, with nodes and edges put in
in a fixed order, so that the same graph always gives the same ones.

Cost: with the layout, 2.2 processor seconds for 2,000 nodes and 20,000 edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

MOST_NODES = 2_000
MOST_EDGES = 20_000

SEED = 17


@dataclass(frozen=True)
class Part:
    """Nodes of the graph, most frequent first, and undirected edges between them as places (low, high), the strongest
    first. `edges_between` counts all edges there are between these nodes."""

    ids: npt.NDArray[np.uint64]
    names: tuple[str, ...]
    doc_freq: I64
    visits: I64
    low: I64
    high: I64
    strength: F64
    edges_between: int


def strongest(low: I64, high: I64, freq: I64, doc_freq: I64, most: int = MOST_EDGES) -> tuple[I64, F64]:
    """Which undirected edges to keep (places into the given ones, strongest first) and the strength of each."""
    strength = freq / np.sqrt(doc_freq[low].astype(np.float64) * doc_freq[high])
    order = np.lexsort((high, low, -strength))
    if len(order) > most:
        # Place in the ranking of each node's first edge: those edges are kept before any other.
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        first = np.full(len(doc_freq), len(order), np.int64)
        np.minimum.at(first, low, rank)
        np.minimum.at(first, high, rank)
        needed = np.unique(first[first < len(order)])[:most]
        chosen = np.zeros(len(order), np.bool_)
        chosen[needed] = True
        rest = np.flatnonzero(~chosen)[: most - len(needed)]
        chosen[rest] = True
        order = order[chosen]
    return order, strength[order]


def network_of(nodes: int, low: I64, high: I64, strength: F64) -> Any:
    """A networkx.Graph of places, put in in a fixed order."""
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(range(nodes))
    graph.add_weighted_edges_from(zip(low.tolist(), high.tolist(), strength.tolist(), strict=True))
    return graph


def communities_of(graph: Any) -> tuple[list[list[int]], float]:
    """Places by community, the largest first (ties: the one with the most frequent node), and the modularity; every
    list is in order of frequency. Nodes without an edge are communities of one."""
    import networkx

    if not graph.number_of_edges():
        return [[place] for place in graph], 0.0
    found = networkx.community.louvain_communities(graph, weight="weight", seed=SEED)
    modularity = float(networkx.community.modularity(graph, found, weight="weight"))
    ordered = sorted((sorted(members) for members in found), key=lambda members: (-len(members), members[0]))
    return ordered, modularity


def spread_out(graph: Any, members: Sequence[int]) -> F64:
    """float64[len(members), 2]: places of a community's nodes in the unit disc, linked ones near each other."""
    import networkx

    if len(members) == 1:
        return np.zeros((1, 2))
    inside = networkx.Graph()
    inside.add_nodes_from(members)
    inside.add_weighted_edges_from((low, high, weight) for low, high, weight in sorted(_edges_within(graph, members)))
    # From a fixed spiral, not from random places: the most frequent node begins in the middle.
    start = {member: tuple(place) for member, place in zip(members, spiral(len(members)).tolist(), strict=True)}
    placed = networkx.spring_layout(inside, pos=start, iterations=40, seed=SEED)
    places = np.array([placed[member] for member in members])
    places -= places.mean(axis=0)
    return evenly(places)


def evenly(places: F64) -> F64:
    """The places, each in its direction from the middle, with distances that fill the unit disc evenly: a force layout
    draws most nodes into a clump and pushes a few far out."""
    distance = np.linalg.norm(places, axis=1)
    rank = np.empty(len(places))
    rank[np.argsort(distance, kind="stable")] = np.arange(len(places))
    wanted = np.sqrt((rank + 0.5) / len(places))
    direction = np.where(distance[:, None] > 1e-9, places / np.maximum(distance, 1e-9)[:, None], spiral(len(places)))
    moved: F64 = direction / np.maximum(np.linalg.norm(direction, axis=1), 1e-9)[:, None] * wanted[:, None]
    return moved


def _edges_within(graph: Any, members: Sequence[int]) -> list[tuple[int, int, float]]:
    wanted = set(members)
    return [
        (node, other, data["weight"])
        for node in members
        for other, data in graph.adj[node].items()
        if node < other and other in wanted
    ]


def spiral(count: int) -> F64:
    """float64[count, 2]: evenly spread places in the unit disc, from its middle outwards (Vogel's sunflower)."""
    number = np.arange(count)
    radius, angle = np.sqrt((number + 0.5) / max(1, count)), number * np.pi * (3 - np.sqrt(5))
    places: F64 = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return places
