"""Nodes of a Ray cluster as plain data: what each has, which labels it bears, how many of a thing fit.

Design: totals, not what is free at the moment. What others hold is given back some day and worth waiting for; what no
node has is not. Labels are compared as Ray does it (`H100`, `!H100`, `in(H100, H200)`, `!in(…)`). Compute only but for
`live_nodes`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_SELECTOR = re.compile(r"^(?P<no>!?)(?:in\((?P<list>[^)]*)\)|(?P<one>.*))$")

SHOWN = ("CPU", "GPU", "memory")
"""Resources that every message shows; of the others those that were asked for."""

GIB = 2**30

MADE_KEY = "ray.io/node-group"
"""Label of nodes that something made by a description of kinds (`ray up`, KubeRay), and may make more of. Nodes that
were started by hand have none."""

JOINING_S = 5.0
"""Within which a node that is starting joins."""

COMING_S = 30.0
"""A `cluster.nodes_wait_s` above says that nodes come, whoever brings them."""

ROUNDING = 1e-6
"""Ray counts resources in ten-thousandths; a share of a core must not fail for a bit of a float."""


@dataclass(frozen=True)
class Node:
    """One live node: its resources in all, by Ray's names, and its labels."""

    resources: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)

    def has(self, selector: Mapping[str, str]) -> bool:
        """Whether its labels are as `selector` wants them."""
        return all(_matches(wanted, self.labels.get(key)) for key, wanted in selector.items())


def live_nodes() -> list[Node]:
    """The nodes that are alive now. Ray must be connected."""
    import ray

    return [Node(dict(node["Resources"]), dict(node.get("Labels") or {})) for node in ray.nodes() if node["Alive"]]


def patience(wait_s: float, nodes: Sequence[Node]) -> float:
    """Seconds that waiting for nodes is worth, of the `wait_s` that `cluster.nodes_wait_s` allows: few where nothing
    makes nodes."""
    grows = wait_s > COMING_S or any(MADE_KEY in node.labels for node in nodes)
    return wait_s if grows else min(wait_s, JOINING_S)


def _matches(wanted: str, value: str | None) -> bool:
    found = _SELECTOR.match(wanted.strip())
    assert found is not None
    names = [found["one"]] if found["list"] is None else found["list"].split(",")
    return (value in [name.strip() for name in names]) != bool(found["no"])


def fitting(bundles: Sequence[Mapping[str, float]], nodes: Sequence[Node], enough: int) -> int:
    """How many groups of `bundles` the nodes could hold if nothing else ran there, counted up to `enough`.

    Bundles of a group may lie on several nodes, one bundle on one. First fit, fullest nodes first: a node that had no
    room for a bundle once is not looked at again for it, so the cost is linear in nodes plus groups.
    """
    free = sorted((dict(node.resources) for node in nodes), key=lambda each: -each.get("GPU", 0.0))
    looked_at = [0] * len(bundles)
    groups = 0
    while groups < enough:
        for number, bundle in enumerate(bundles):
            place = looked_at[number]
            while place < len(free) and not _fits(bundle, free[place]):
                place += 1
            looked_at[number] = place
            if place == len(free):
                return groups
            for name, amount in bundle.items():
                free[place][name] = free[place].get(name, 0.0) - amount
        groups += 1
    return groups


def _fits(bundle: Mapping[str, float], free: Mapping[str, float]) -> bool:
    return all(free.get(name, 0.0) + ROUNDING >= amount for name, amount in bundle.items())


def in_words(nodes: Sequence[Node], asked: Sequence[str] = (), labels: Sequence[str] = ()) -> str:
    """The nodes as an error names them: equal ones counted, with what was asked for."""
    if not nodes:
        return "no node"
    kinds = Counter(_one_in_words(node, asked, labels) for node in nodes)
    return "; ".join(f"{number} node{'s' if number > 1 else ''} of {words}" for words, number in kinds.most_common())


def _one_in_words(node: Node, asked: Sequence[str], labels: Sequence[str]) -> str:
    names = [name for name in SHOWN if node.resources.get(name) or name in asked]
    names += [name for name in asked if name not in SHOWN]
    has = ", ".join(amount_in_words(name, node.resources.get(name, 0.0)) for name in dict.fromkeys(names))
    bears = ", ".join(f"{key}={node.labels[key]}" if key in node.labels else f"no {key}" for key in labels)
    return (has or "no resources") + (f" ({bears})" if bears else "")


def amount_in_words(name: str, amount: float) -> str:
    return f"{amount / GIB:.1f} GiB memory" if name == "memory" else f"{amount:g} {name}"


def bundle_in_words(bundle: Mapping[str, float]) -> str:
    return ", ".join(amount_in_words(name, amount) for name, amount in bundle.items() if amount) or "nothing"
