"""Where the picture of the graph puts its nodes: communities as discs that do not overlap, nodes inside them.

Design: two levels, because one force layout of 2,000 linked nodes is a ball of wool. Discs are as large as what they
hold and are packed from the largest outwards, each as near as it can be to those it is linked with most, then pushed
into a wide rectangle. Inside a disc, linked nodes are near each other, then nodes are pushed apart. No random numbers:
the same part of a graph always gives the same picture.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
import numpy.typing as npt

from factory.evaluate.diversity.communities import Part, communities_of, network_of, spread_out
from factory.evaluate.diversity.facts import Community, Picture, PictureNode

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

MAIN = 12
"""Communities drawn: as many as there are colours that people tell apart."""
LEAST = 3
"""Nodes a community has at least to be drawn."""
NAMES = 8
EDGES_DRAWN = 5_000
"""Edges drawn, the strongest: 70 kB of the page. The communities rest on all that were chosen."""

SMALLEST, LARGEST = 2.6, 15.0
"""Radius of a node, of a picture that is 1,000 wide."""
FILLED = 0.36
"""Share of a disc that its nodes cover."""
GAP = 14.0
WIDTH, MARGIN = 1000.0, 16.0
PUSHES = 60


def picture_of(part: Part, nodes_in_graph: int) -> Picture | None:
    """None where no community is large enough to be drawn."""
    graph = network_of(len(part.ids), part.low, part.high, part.strength)
    found, modularity = communities_of(graph)
    main = [members for members in found[:MAIN] if len(members) >= LEAST]
    if not main:
        return None
    radii = node_radii(part.doc_freq)
    sizes = np.array([disc_radius(radii[members]) for members in main])
    number = np.full(len(part.ids), -1, np.int64)
    for index, members in enumerate(main):
        number[members] = index
    centres = packed(sizes, links_between(number, part.low, part.high, part.strength, len(main)))
    places = np.zeros((len(part.ids), 2))
    for index, members in enumerate(main):
        inner = sizes[index] - radii[members]
        wanted = spread_out(graph, members) * inner[:, None] * 0.97
        places[members] = centres[index] + apart(wanted, radii[members], sizes[index])
    # To a picture of fixed width, whatever the discs need.
    low = (centres - sizes[:, None]).min(axis=0)
    high = (centres + sizes[:, None]).max(axis=0)
    scale = (WIDTH - 2 * MARGIN) / max(high[0] - low[0], 1.0)
    places, centres = (places - low) * scale + MARGIN, (centres - low) * scale + MARGIN
    drawn = np.flatnonzero(number >= 0)
    at = np.full(len(part.ids), -1, np.int64)
    at[drawn] = np.arange(len(drawn))
    inside = (number[part.low] >= 0) & (number[part.high] >= 0)
    edges = zip(at[part.low[inside]].tolist(), at[part.high[inside]].tolist(), strict=True)
    kinds = (part.ids & np.uint64(1)).astype(np.int64)

    def node(place: int) -> PictureNode:
        return PictureNode(
            name=part.names[place],
            kind=int(kinds[place]),
            doc_freq=int(part.doc_freq[place]),
            visits=int(part.visits[place]),
            x=_rounded(places[place, 0]),
            y=_rounded(places[place, 1]),
            radius=_rounded(radii[place] * scale),
            community=int(number[place]),
        )

    def community(index: int, members: list[int]) -> Community:
        return Community(
            number=index,
            nodes=len(members),
            topics=int((kinds[members] == 0).sum()),
            visited=int((part.visits[members] > 0).sum()),
            visits=int(part.visits[members].sum()),
            names=tuple(part.names[member] for member in members[:NAMES]),
            x=_rounded(centres[index, 0]),
            y=_rounded(centres[index, 1]),
            radius=_rounded(sizes[index] * scale),
        )

    return Picture(
        nodes=tuple(node(place) for place in drawn.tolist()),
        edges=tuple(islice(edges, EDGES_DRAWN)),
        communities=tuple(community(index, members) for index, members in enumerate(main)),
        width=WIDTH,
        height=_rounded((high[1] - low[1]) * scale + 2 * MARGIN),
        nodes_chosen=len(part.ids),
        nodes_in_graph=nodes_in_graph,
        edges_chosen=len(part.low),
        edges_between=part.edges_between,
        small=len(found) - len(main),
        small_nodes=int((number < 0).sum()),
        modularity=modularity,
    )


def _rounded(value: float) -> float:
    """To a tenth of a unit: a tenth of a pixel at a desk, and what the page's size rests on."""
    return round(float(value), 1)


def node_radii(doc_freq: I64) -> F64:
    """Areas in proportion to document frequency, between the smallest radius one can see and the largest."""
    root = np.sqrt(doc_freq.astype(np.float64))
    radii: F64 = np.clip(root / max(1.0, float(root.max())) * LARGEST, SMALLEST, LARGEST)
    return radii


def disc_radius(radii: F64) -> float:
    return float(max(np.sqrt((radii**2).sum() / FILLED), 2 * radii.max()))


def links_between(number: I64, low: I64, high: I64, strength: F64, count: int) -> F64:
    """float64[count, count]: summed strength of the edges between communities, symmetric."""
    links = np.zeros((count, count))
    a, b = number[low], number[high]
    across = (a >= 0) & (b >= 0) & (a != b)
    np.add.at(links, (a[across], b[across]), strength[across])
    return links + links.T


DIRECTIONS = 120
STRETCH = 1.45
"""How much farther a disc may lie sideways than up: pages are wider than high."""


def packed(sizes: F64, links: F64) -> F64:
    """float64[K, 2]: centres of discs that do not overlap. Largest first; each touches one that is there already, at
    the free place nearest to the middle and to the discs it is linked with."""
    centres = np.zeros((len(sizes), 2))
    angles = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for index in range(1, len(sizes)):
        placed, reach = centres[:index], sizes[:index] + sizes[index] + GAP
        candidates = (placed[:, None, :] + reach[:, None, None] * around).reshape(-1, 2)
        gaps = np.linalg.norm(candidates[:, None, :] - placed[None, :, :], axis=2) - reach
        free = candidates[(gaps > -1e-6).all(axis=1)]
        weight = links[index, :index] / max(links[index, :index].sum(), 1e-9)
        scaled = (free[:, None, :] - placed[None, :, :]) / (STRETCH, 1)
        pull = (np.linalg.norm(scaled, axis=2) * weight).sum(axis=1)
        middle = np.linalg.norm(free / (STRETCH, 1), axis=1)
        centres[index] = free[np.lexsort((free[:, 1], free[:, 0], np.round(0.7 * middle + 0.3 * pull, 6)))[0]]
    return centres


def apart(places: F64, radii: F64, limit: float) -> F64:
    """The places with overlapping nodes pushed away from each other, inside a disc of radius `limit`."""
    moved = places.copy()
    least = (radii[:, None] + radii[None, :]) * 1.08
    nudge = np.arange(len(moved))[:, None] * np.array([1e-4, 7e-5])  # nodes at one place must part somewhere
    moved += nudge
    for _ in range(PUSHES):
        offset = moved[:, None, :] - moved[None, :, :]
        distance = np.sqrt((offset**2).sum(axis=2))
        np.fill_diagonal(distance, np.inf)
        overlap = np.maximum(0.0, least - distance)
        if not overlap.any():
            break
        moved += (offset * (0.5 * overlap / np.maximum(distance, 1e-9))[:, :, None]).sum(axis=1) * 0.7
        far = np.linalg.norm(moved, axis=1)
        outside = far > limit - radii
        moved[outside] *= ((limit - radii)[outside] / far[outside])[:, None]
    return moved
