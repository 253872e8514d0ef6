"""What an engine actor reserves on a Ray cluster, decided from the configuration and what the cluster has.

Design: on CPUs an engine takes the custom resource `engine`, where the cluster declares it, and few CPUs:
its threads use the cores anyway, and reading and committing must always find a slot. On GPUs it takes
tensor_parallel x pipeline_parallel of them: on one node through vLLM's own worker processes, across nodes
through a placement group and vLLM's Ray executor. Which nodes: those with `engine.node_labels`. Whether there is room
is asked apart from what is wanted (`lack`), because nodes come and go (room.py). Compute only, no Ray calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.cluster.nodes import Node, bundle_in_words, fitting, in_words
from factory.engine.config import EngineConfig
from factory.errors import ConfigError

ENGINE_RESOURCE = "engine"
ACTOR_CPUS = {"vllm": 1.0, "scripted": 0.5, "openai": 0.1}
"""CPUs by kind: vLLM's front end renders and detokenises on one; a client of a server mostly waits."""

GPUS_PER_NODE = 8
"""Of nodes that nobody has seen yet: what machines with the largest GPUs have."""


@dataclass(frozen=True)
class Placement:
    """Resources of one replica. `bundles` non-empty: a placement group, whose first bundle the actor joins. `labels`:
    of every node that it takes anything of."""

    num_cpus: float
    num_gpus: float = 0.0
    resources: dict[str, float] = field(default_factory=dict)
    bundles: tuple[dict[str, float], ...] = ()
    engine_extra: dict[str, Any] = field(default_factory=dict)
    strategy: str = "PACK"
    labels: dict[str, str] = field(default_factory=dict)

    def wanted(self) -> tuple[dict[str, float], ...]:
        """What one replica takes, by node: its bundles, or all of it on one."""
        if self.bundles:
            return self.bundles
        alone = {"CPU": self.num_cpus, "GPU": self.num_gpus, **self.resources}
        return ({name: amount for name, amount in alone.items() if amount},)


def place(config: EngineConfig, nodes: Sequence[Node]) -> Placement:
    """What one replica reserves, given the live nodes. Raises ConfigError for a shape that no node of theirs could
    take part in."""
    cpus = ACTOR_CPUS[config.kind]
    matching = [node for node in nodes if node.has(config.node_labels)]
    if _takes_gpus(config, matching):
        return _on_gpus(config, matching, cpus)
    largest = max((node.resources.get("CPU", 0.0) for node in matching), default=0.0)
    declared = any(node.resources.get(ENGINE_RESOURCE) for node in nodes) and config.kind != "openai"
    if largest:
        # A whole core stays free on some node: the tasks that read and commit take one each, and would wait for ever.
        total = sum(node.resources.get("CPU", 0.0) for node in matching)
        most = min(largest - 1, (total - 1) / config.replicas) if declared else largest - 1
        cpus = round(max(0.0, min(cpus, most)), 3)
    own = {ENGINE_RESOURCE: 1.0} if declared else {}
    return Placement(cpus, resources={**own, **config.resources}, labels=dict(config.node_labels))


def missing(config: EngineConfig, nodes: Sequence[Node]) -> ConfigError | None:
    """Why the nodes could not hold the engines that a run begins with; None where they could."""
    try:
        return lack(config, place(config, nodes), nodes)
    except ConfigError as error:
        return error


def lack(config: EngineConfig, placement: Placement, nodes: Sequence[Node]) -> ConfigError | None:
    """Why the nodes could not hold the replicas that a run begins with, also if nothing else ran there; None where
    they could."""
    needed = config.min_replicas or config.replicas
    matching = [node for node in nodes if node.has(placement.labels)]
    room = fitting(placement.wanted(), matching, needed)
    if room >= needed:
        return None
    asked = [name for bundle in placement.wanted() for name in bundle]
    where = " on nodes with " + ", ".join(f"{key}={value}" for key, value in placement.labels.items())
    key = "engine.replicas" if config.min_replicas is None else "engine.min_replicas"
    return ConfigError(
        f"{key}={needed}, and each engine takes {_taken(placement)}{where if placement.labels else ''}: "
        f"the cluster has room for {room}",
        cause=f"it has {in_words(nodes, asked, list(placement.labels))}",
        remedy=_remedy(config, placement, key),
    )


def _remedy(config: EngineConfig, placement: Placement, key: str) -> str:
    lower = [key]
    if placement.num_gpus or placement.bundles:
        lower += ["engine.tensor_parallel", "engine.pipeline_parallel"]
    lower += ["engine.resources"] if config.resources else []
    labels = ", correct engine.node_labels" if placement.labels else ""
    return (
        f"lower {' or '.join(lower)}{labels}, or add nodes; where nodes come by themselves (an autoscaler, spot "
        f"capacity), raise cluster.nodes_wait_s"
    )


def _taken(placement: Placement) -> str:
    wanted = placement.wanted()
    if len(wanted) == 1:
        return bundle_in_words(wanted[0])
    sums = {name: sum(bundle.get(name, 0.0) for bundle in wanted) for bundle in wanted for name in bundle}
    return f"{bundle_in_words(sums)} in {len(wanted)} bundles of a GPU"


def _takes_gpus(config: EngineConfig, nodes: Sequence[Node]) -> bool:
    if config.device == "gpu":
        return config.kind != "openai"
    return config.device == "auto" and config.kind == "vllm" and any(node.resources.get("GPU") for node in nodes)


def _on_gpus(config: EngineConfig, nodes: Sequence[Node], cpus: float) -> Placement:
    world = config.tensor_parallel * config.pipeline_parallel
    there = max((int(node.resources.get("GPU", 0)) for node in nodes), default=0)
    per_node = config.gpus_per_node or there or GPUS_PER_NODE
    labels = dict(config.node_labels)
    if world <= per_node:
        return Placement(cpus, float(world), resources=dict(config.resources), labels=labels)
    if config.tensor_parallel > per_node:
        nodes_a_stage = math.ceil(config.tensor_parallel / per_node)
        raise ConfigError(
            f"engine.tensor_parallel={config.tensor_parallel} spans {nodes_a_stage} nodes of {per_node} GPUs",
            cause="tensor parallelism exchanges every layer's activations; between nodes that is too slow",
            remedy=f"set engine.tensor_parallel to at most {per_node} and raise engine.pipeline_parallel instead",
        )
    if config.placement_strategy == "STRICT_PACK":
        raise ConfigError(
            f"engine.placement_strategy=STRICT_PACK, and a replica of {world} GPUs spans nodes of {per_node}",
            cause="engine.tensor_parallel x engine.pipeline_parallel is above what one node has",
            remedy="lower one of them, or set engine.placement_strategy=PACK",
        )
    # vLLM's workers take a GPU each and no CPU; the actor sits in the first bundle, beside the first of them.
    first = {"GPU": 1.0, "CPU": cpus, **config.resources}
    return Placement(
        cpus,
        bundles=(first, *({"GPU": 1.0} for _ in range(world - 1))),
        resources=dict(config.resources),
        engine_extra={"distributed_executor_backend": "ray"} if config.kind == "vllm" else {},
        strategy=config.placement_strategy,
        labels=labels,
    )
