"""How much of the concept graph walks and published questions reached: counting, without reading anything.

Design: all on arrays parallel to the nodes. Entropy is Shannon's over the distribution of visits, in bits, and
evenness is Pielou's: entropy over the logarithm of all nodes there are, so unvisited nodes count against it. A hub is a
node among the top 1 % by edges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.evaluate.diversity.facts import Coverage, KindCoverage, NamedNode, Spread, Visited

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Names = Callable[[U64], Mapping[int, str]]

HUB_SHARE = 0.01
TAIL_SHOWN = 20
"""Unvisited nodes named for each kind: enough to see what kind of thing is missed."""
HUBS_SHOWN = 8


@dataclass(frozen=True)
class Tally:
    """Arrays parallel to the nodes, which are sorted by id. visits: of walks, starts included; steps: without them;
    asked: published questions (concepts) or walks with one (topics)."""

    ids: U64
    doc_freq: I64
    degree: I64
    visits: I64
    steps: I64
    asked: I64


def coverage_of(
    tally: Tally,
    names: Names,
    *,
    walks: int,
    numbers: int,
    dead_ends: Mapping[str, int],
    nodes_in_graph: int,
    named: int = 0,
    unknown: int = 0,
    without_walk: int = 0,
) -> Coverage:
    """`names` gives the names of sorted, distinct ids; it is asked once, for what is shown."""
    kinds = (tally.ids & np.uint64(1)).astype(np.int64)
    tails = [most_frequent(tally, (kinds == kind) & (tally.visits == 0), TAIL_SHOWN) for kind in (0, 1)]
    hubs = hubs_of(tally.degree)
    top_hubs = hubs[:HUBS_SHOWN]
    called = names(np.unique(tally.ids[np.concatenate([*tails, top_hubs])]))

    def named_nodes(places: I64) -> tuple[NamedNode, ...]:
        return tuple(
            NamedNode(
                called.get(int(tally.ids[place]), "?"),
                int(kinds[place]),
                int(tally.doc_freq[place]),
                int(tally.visits[place]),
                int(tally.degree[place]),
            )
            for place in places.tolist()
        )

    def kind_coverage(kind: int) -> KindCoverage:
        own = kinds == kind
        frequency = tally.doc_freq[own]
        walked, stepped, asked = (
            visited(counts[own], frequency) for counts in (tally.visits, tally.steps, tally.asked)
        )
        return KindCoverage(
            kind, walked, stepped, asked, spread(frequency), spread(tally.degree[own]), named_nodes(tails[kind])
        )

    return Coverage(
        kinds=tuple(kind_coverage(kind) for kind in (0, 1) if (kinds == kind).any()),
        walks=walks,
        numbers=numbers,
        dead_ends=dead_ends,
        nodes=len(tally.ids),
        nodes_in_graph=nodes_in_graph,
        edges=int(tally.degree.sum()),
        hubs=len(hubs),
        hub_steps=_ratio(tally.steps[hubs].sum(), tally.steps.sum()),
        hub_edges=_ratio(tally.degree[hubs].sum(), tally.degree.sum()),
        top_hubs=named_nodes(top_hubs),
        named_concepts=named,
        unknown_concepts=unknown,
        samples_without_walk=without_walk,
    )


def visited(counts: I64, frequency: I64) -> Visited:
    """`counts` and `frequency` (passages) are of the nodes of one kind, in one order."""
    total, mentions = int(counts.sum()), int(frequency.sum())
    bits = entropy(counts) if total else None
    return Visited(
        nodes=len(counts),
        visited=int((counts > 0).sum()),
        visits=total,
        entropy=bits,
        evenness=bits / math.log2(len(counts)) if bits is not None and len(counts) > 1 else None,
        by_frequency=int(frequency[counts > 0].sum()) / mentions if mentions else None,
    )


def entropy(counts: I64) -> float:
    """Shannon entropy of the distribution `counts`, in bits; 0 without a count."""
    seen = counts[counts > 0].astype(np.float64)
    if not len(seen):
        return 0.0
    shares = seen / seen.sum()
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def spread(values: I64) -> Spread:
    if not len(values):
        return Spread(0, 0, 0, 0, 0, 0)
    median, p90, p99 = (float(value) for value in np.quantile(values, (0.5, 0.9, 0.99), method="inverted_cdf"))
    return Spread(median, p90, p99, int(values.max()), int((values == 0).sum()), int((values == 1).sum()))


def hubs_of(degree: I64) -> I64:
    """Places of the top 1 % by edges, at least one, most first; ties in order of id."""
    count = max(1, math.ceil(HUB_SHARE * len(degree))) if len(degree) else 0
    places: I64 = np.argsort(-degree, kind="stable")[:count]
    return places


def most_frequent(tally: Tally, among: Flags, count: int) -> I64:
    """Places of the nodes in the most passages; ties in order of id."""
    places = np.flatnonzero(among)
    order: I64 = places[np.argsort(-tally.doc_freq[places], kind="stable")[:count]]
    return order


def _ratio(part: int, whole: int) -> float | None:
    return float(part) / float(whole) if whole else None
