"""Whether a cluster could hold a job's driver and the engines of its run, asked before the job is sent.

Design: what the dashboard says of the nodes suffices to know that something could never be placed there; the job would
find out after its package was unpacked and Ray joined. Where nodes are made on demand, or `cluster.nodes_wait_s` says
that they come, only the job can tell. Cost: nothing where there is room; else a listing of the nodes a second, for as
long as nodes that just join may need.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from factory.cluster.config import JobConfig
from factory.cluster.dashboard import Dashboard, nodes_at
from factory.cluster.nodes import GIB, JOINING_S, Node, bundle_in_words, fitting, in_words, patience
from factory.errors import ConfigError

LOOK_S = 1.0


def require_room(dashboard: Dashboard, configs: Sequence[Any]) -> None:
    """Raises ConfigError where the cluster stays as it is and could not hold the driver, or the engines, of one of the
    runs: what is wanted, what is there, what to change."""
    # A dashboard that lists no nodes at all does not tell; the job's own start does.
    nodes = dashboard.nodes
    wait_s = patience(configs[0].cluster.nodes_wait_s, nodes)
    deadline = time.monotonic() + wait_s
    while nodes and (error := _lacking(configs, nodes)) is not None:
        if wait_s > JOINING_S:
            return
        if time.monotonic() >= deadline:
            raise error
        time.sleep(LOOK_S)
        nodes = tuple(nodes_at(dashboard.url))


def _lacking(configs: Sequence[Any], nodes: Sequence[Node]) -> ConfigError | None:
    from factory.engine.placement import missing

    errors = [driver_missing(configs[0].cluster.job, nodes), *(missing(each.engine, nodes) for each in configs)]
    return next((error for error in errors if error is not None), None)


def driver_missing(settings: JobConfig, nodes: Sequence[Node]) -> ConfigError | None:
    """Why no node could hold what the driver is to reserve: Ray would keep the job waiting for a quarter of an hour and
    then call it failed. None where one could."""
    wanted = {"CPU": settings.cpus, "memory": settings.memory_gib * GIB, **settings.resources}
    wanted = {name: amount for name, amount in wanted.items() if amount}
    if fitting([wanted], [node for node in nodes if node.has(settings.labels)], 1):
        return None
    labels = ", ".join(f"{key}={value}" for key, value in settings.labels.items())
    return ConfigError(
        f"no node could run the job's driver: it is to have {bundle_in_words(wanted)}"
        + (f" on a node with {labels}" if labels else ""),
        cause=f"the cluster has {in_words(nodes, list(wanted), list(settings.labels))}",
        remedy="lower cluster.job.cpus, memory_gib or resources, correct cluster.job.labels; where nodes come by "
        "themselves, raise cluster.nodes_wait_s",
    )
