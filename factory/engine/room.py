"""Room for engines on the cluster as it is now: waited for a while, asked of an autoscaler, and explained when missing.

Design: what the nodes have in all decides (placement.py), so an engine that could never be placed is an error
`cluster.nodes_wait_s` seconds after it was asked for, or sooner on a cluster that stays as it is (`patience`), and not
an actor that is pending for an hour. Meanwhile Ray's autoscaler, where the cluster has one, is asked for what is
missing; nodes of spot capacity come back by themselves.
Room that others hold is waited for, and said. Cost: one listing of the nodes where there is room.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from factory.cluster.nodes import Node, bundle_in_words, live_nodes, patience
from factory.engine.config import EngineConfig
from factory.engine.placement import Placement, lack, place
from factory.errors import ConfigError

LOOK_S = 1.0


def wait_for_room(config: EngineConfig, wait_s: float, say: Callable[[str], None] = lambda _: None) -> Placement:
    """What a replica reserves, once the cluster could hold as many as a run begins with.

    Raises ConfigError when it still cannot `wait_s` seconds later, sooner where nothing makes nodes: what is wanted,
    what is there, what to do.
    """
    begun = time.monotonic()
    asked = False
    try:
        while True:
            nodes = live_nodes()
            placement, error = _looked(config, nodes)
            if placement is not None and error is None:
                return placement
            assert error is not None
            worth_s = patience(wait_s, nodes)
            if time.monotonic() - begun >= worth_s:
                raise error
            if not asked:
                say(f"waiting up to {worth_s:g} s for nodes: {error.what}; {error.cause}. What to do: {error.remedy}")
                asked = True
                if placement is not None:
                    _ask_for(placement, config.min_replicas or config.replicas)
            time.sleep(LOOK_S)
    finally:
        if asked:
            _ask_for(None, 0)


def _looked(config: EngineConfig, nodes: Sequence[Node]) -> tuple[Placement | None, ConfigError | None]:
    try:
        placement = place(config, nodes)
    except ConfigError as error:
        return None, error
    return placement, lack(config, placement, nodes)


def _ask_for(placement: Placement | None, replicas: int) -> None:
    """Tells the autoscaler to make room for so many replicas, or that nothing is asked for any more. A cluster without
    one takes the request and does nothing."""
    from ray.autoscaler.sdk import request_resources

    bundles = [bundle for _ in range(replicas) for bundle in placement.wanted()] if placement else []
    selectors = [dict(placement.labels) for _ in bundles] if placement else []
    with suppress(Exception):  # a hint: what comes of it is seen in the nodes
        request_resources(bundles=bundles, bundle_label_selectors=selectors)


def unplaced(actors: Sequence[Any]) -> str:
    """A line on engines that wait for a place although the nodes could hold them; empty where none does."""
    from ray._private import state

    pending = [actor for actor in actors if state.actors(actor._actor_id.hex()).get("State") == "PENDING_CREATION"]
    if not pending:
        return ""
    import ray

    free = {name: ray.available_resources().get(name, 0.0) for name in ("CPU", "GPU")}
    return (
        f"{len(pending)} of {len(actors)} engines wait for room that others hold (free now: {bundle_in_words(free)}); "
        "`ray status` says who has it"
    )


def give_back(groups: Sequence[Any]) -> None:
    """Removes placement groups: what they hold is free for the next model."""
    if not groups:
        return
    from ray.util.placement_group import remove_placement_group

    for group in groups:
        with suppress(Exception):  # gone with the cluster
            remove_placement_group(group)
