"""The picture of the graph as inline SVG, and the script that zooms it.

Design: one `<svg>` that is whole without the script: classes carry colour (community), opacity (visits) and which
names are shown, so dark mode and print come from the style sheet. Edges are one path a community and one for those
between communities: 5,000 of them are 70 kB that way and 400 kB as elements. The script is allowed by its hash in the
page's Content-Security-Policy, so that no other script can run. Cost, the rest of the section
included: 85 ms and 410 kB for 1,900 nodes and 5,000 edges.
"""

from __future__ import annotations

import base64
import hashlib
import math
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from factory.evaluate.diversity.facts import Picture, PictureNode
from factory.evaluate.diversity.labels import labels_of, short
from factory.evaluate.text import printable

SHADES = 4
"""Steps of opacity for nodes that were visited; a node without a visit is an outline."""


@cache
def script() -> str:
    """What goes between the script tags, byte for byte."""
    return files("factory.evaluate.diversity").joinpath("graph.js").read_text(encoding="utf-8")


@cache
def script_hash() -> str:
    """The source expression that allows it (CSP level 2)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()}"


def draw(picture: Picture) -> Markup:
    most = max((node.visits for node in picture.nodes), default=0)
    parts = [
        Markup('<g class="k{}"><circle class="disc" cx="{}" cy="{}" r="{}"/></g>').format(
            community.number, community.x, community.y, community.radius
        )
        for community in picture.communities
    ]
    parts += _edges(picture)
    for community in picture.communities:
        members = [node for node in picture.nodes if node.community == community.number]
        shapes = Markup("").join(_node(node, shade(node.visits, most)) for node in members)
        parts.append(Markup('<g class="k{}">{}</g>').format(community.number, shapes))
    parts.append(_labels(picture))
    label = (
        f"The {len(picture.communities)} largest communities of the concept graph: {len(picture.nodes):,} nodes and "
        f"{len(picture.edges):,} edges; the table after it says what they are"
    )
    return Markup(
        '<svg class="graph" viewBox="0 0 {:.0f} {:.0f}" preserveAspectRatio="xMidYMid meet" role="img" '
        'aria-label="{}">{}</svg>'
    ).format(picture.width, picture.height, label, Markup("").join(parts))


def shade(visits: int, most: int) -> int:
    """0 for a node nobody visited, else 1 to SHADES by the logarithm of its visits."""
    if not visits:
        return 0
    return min(SHADES, 1 + int(SHADES * math.log1p(visits) / (math.log1p(most) + 1e-9)))


def _edges(picture: Picture) -> list[Markup]:
    paths: dict[int | None, list[str]] = {}
    for low, high in picture.edges:
        a, b = picture.nodes[low], picture.nodes[high]
        # Between communities (None) first: it is drawn below the others.
        group = a.community if a.community == b.community else None
        paths.setdefault(group, []).append(f"M{a.x:g} {a.y:g}L{b.x:g} {b.y:g}")
    ordered = sorted(paths.items(), key=lambda item: -1 if item[0] is None else item[0])
    return [
        Markup('<path class="{}" d="{}"/>').format("across" if group is None else f"within k{group}", "".join(lines))
        for group, lines in ordered
    ]


def _node(node: PictureNode, shaded: int) -> Markup:
    kind = "concept" if node.kind else "topic"
    told = f"{node.name}: {kind} of {node.doc_freq:,} passages, visited {node.visits:,} times"
    title = Markup("<title>{}</title>").format(printable(told))
    if node.kind:
        return Markup('<circle class="v{}" cx="{:g}" cy="{:g}" r="{:g}">{}</circle>').format(
            shaded, node.x, node.y, node.radius, title
        )
    side = node.radius * math.sqrt(math.pi)  # a square of the same area
    return Markup('<rect class="v{}" x="{:g}" y="{:g}" width="{:g}" height="{:g}">{}</rect>').format(
        shaded, round(node.x - side / 2, 1), round(node.y - side / 2, 1), round(side, 1), round(side, 1), title
    )


def _labels(picture: Picture) -> Markup:
    text = Markup('<text class="s{}" x="{:g}" y="{:g}">{}</text>')
    texts = [
        text.format(label.size, label.x, label.y, printable(short(node.name)))
        for node, label in zip(picture.nodes, labels_of(picture.nodes, picture.width), strict=True)
        if label is not None
    ]
    return Markup('<g class="names" aria-hidden="true">{}</g>').format(Markup("").join(texts))
