"""What an engine actor reserves on a Ray cluster, decided from the configuration and what the cluster has.

Design: on CPUs an engine takes the custom resource `engine`, where the cluster declares it, and few CPUs:
its threads use the cores anyway, and reading and committing must always find a slot. On GPUs it takes
tensor_parallel x pipeline_parallel of them: on one node through vLLM's own worker processes, across nodes
through a placement group and vLLM's Ray executor. Compute only, no Ray calls.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.config import EngineConfig
from factory.errors import ConfigError

ENGINE_RESOURCE = "engine"
ACTOR_CPUS = {"vllm": 1.0, "scripted": 0.5, "openai": 0.1}
"""CPUs by kind: vLLM's front end renders and detokenises on one; a client of a server mostly waits."""


@dataclass(frozen=True)
class Placement:
    """Resources of one replica. `bundles` non-empty: a placement group, whose first bundle the actor joins."""

    num_cpus: float
    num_gpus: float = 0.0
    resources: dict[str, float] = field(default_factory=dict)
    bundles: tuple[dict[str, float], ...] = ()
    engine_extra: dict[str, Any] = field(default_factory=dict)


def place(config: EngineConfig, nodes: Sequence[Mapping[str, float]]) -> Placement:
    """What one replica reserves, given the resources of each live node. Raises ConfigError when no
    arrangement of them can hold it."""
    cpus = ACTOR_CPUS[config.kind]
    gpus_per_node = max((int(node.get("GPU", 0)) for node in nodes), default=0)
    if config.kind == "vllm" and gpus_per_node:
        return _on_gpus(config, gpus_per_node, sum(int(node.get("GPU", 0)) for node in nodes), cpus)
    largest = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
    cpus = min(cpus, largest / 2)  # the other half reads and commits
    slots = sum(node.get(ENGINE_RESOURCE, 0.0) for node in nodes)
    if not slots or config.kind == "openai":
        return Placement(round(cpus, 3))
    if slots < config.replicas:
        raise ConfigError(
            f"engine.replicas={config.replicas}, but the cluster declares room for {slots:g} engines",
            cause=f"its nodes' custom resource `{ENGINE_RESOURCE}` adds up to {slots:g}",
            remedy="lower engine.replicas, or declare more of the resource on the cluster's nodes",
        )
    return Placement(round(cpus, 3), resources={ENGINE_RESOURCE: 1.0})


def _on_gpus(config: EngineConfig, per_node: int, total: int, cpus: float) -> Placement:
    world = config.tensor_parallel * config.pipeline_parallel
    if world * config.replicas > total:
        raise ConfigError(
            f"{config.replicas} replicas of {world} GPUs need {world * config.replicas}, the cluster has {total}",
            cause="engine.replicas x engine.tensor_parallel x engine.pipeline_parallel is above what is there",
            remedy="lower one of them, or add GPU nodes",
        )
    if world <= per_node:
        return Placement(cpus, float(world))
    if config.tensor_parallel > per_node:
        nodes_a_stage = math.ceil(config.tensor_parallel / per_node)
        raise ConfigError(
            f"engine.tensor_parallel={config.tensor_parallel} spans {nodes_a_stage} nodes of {per_node} GPUs",
            cause="tensor parallelism exchanges every layer's activations; between nodes that is too slow",
            remedy=f"set engine.tensor_parallel to at most {per_node} and raise engine.pipeline_parallel instead",
        )
    bundles = tuple({"GPU": 1.0, "CPU": 1.0} for _ in range(world))
    return Placement(cpus, 0.0, bundles=bundles, engine_extra={"distributed_executor_backend": "ray"})
