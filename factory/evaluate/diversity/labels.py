"""Which nodes of the picture are named at which zoom, so that no two names lie over each other.

Design: four sizes of type, in units of the picture: what a phone shows, what a desk shows, and two that zooming in
brings out. A name is given the largest size at which it still fits among those that were given theirs before; the
commonest nodes of every community choose first, communities taking turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from factory.evaluate.diversity.facts import PictureNode

SIZES = (30.0, 13.0, 6.5, 3.25)
"""Type in units of a picture 1,000 wide: 11 px on a phone; 13 px on a desk, there at zoom 2, and at zoom 4."""
A_COMMUNITY = (1, 6, 18, 60)
"""Names a community may have by each size at most."""

CHARACTERS = 26
CHARACTER_WIDTH = 0.56
"""Mean width of a character in sizes of type, for the system fonts the report asks for."""
LINE = 1.15


def short(name: str) -> str:
    return name if len(name) <= CHARACTERS else f"{name[: CHARACTERS - 1].rstrip()}…"


@dataclass(frozen=True)
class Label:
    """`size`: index into SIZES from which the name is shown; its middle stands at (x, y)."""

    size: int
    x: float
    y: float


def labels_of(nodes: Sequence[PictureNode], width: float) -> list[Label | None]:
    """For each node where and from which size on its name is shown; None: never."""
    queues: dict[int, list[int]] = {}
    for place, node in enumerate(nodes):
        if node.community is not None:
            queues.setdefault(node.community, []).append(place)
    for places in queues.values():
        places.sort(key=lambda place: (-nodes[place].doc_freq, -nodes[place].radius, place))
    rounds = zip_longest(*(queues[key] for key in sorted(queues)))
    turns = [place for round_ in rounds for place in round_ if place is not None]
    given: list[Label | None] = [None] * len(nodes)
    named = dict.fromkeys(queues, 0)
    middles, widths = np.zeros((0, 2)), np.zeros(0)
    for index, size in enumerate(SIZES):
        for place in turns:
            node = nodes[place]
            if given[place] is not None or node.community is None or named[node.community] >= A_COMMUNITY[index]:
                continue
            own = len(short(node.name)) * CHARACTER_WIDTH * size
            x = round(min(max(node.x, own / 2), max(width - own / 2, own / 2)), 1)  # inside the picture
            off = np.abs(middles - (x, node.y))
            # Names given a larger size are shown at this one too.
            if ((off[:, 0] < (own + widths * size) / 2) & (off[:, 1] < LINE * size)).any():
                continue
            given[place] = Label(index, x, node.y)
            named[node.community] += 1
            middles = np.vstack([middles, [x, node.y]])
            widths = np.append(widths, len(short(node.name)) * CHARACTER_WIDTH)
    return given
