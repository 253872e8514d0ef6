"""What an engine reserves, and what is said where no arrangement of the nodes could hold it."""

from __future__ import annotations

from typing import Any

import pytest

from factory.cluster.nodes import Node
from factory.engine.config import EngineConfig
from factory.engine.placement import Placement, lack, place
from factory.errors import ConfigError

H100 = "ray.io/accelerator-type"
GPU_NODE = Node({"CPU": 64.0, "GPU": 8.0}, {H100: "H100"})
SMALL_GPU_NODE = Node({"CPU": 4.0, "GPU": 2.0}, {H100: "A10G"})
CPU_NODE = Node({"CPU": 16.0})


def config(**changes: Any) -> EngineConfig:
    return EngineConfig(**{"kind": "vllm", **changes})


def refusal(settings: EngineConfig, nodes: list[Node]) -> ConfigError | None:
    return lack(settings, place(settings, nodes), nodes)


@pytest.mark.parametrize(
    ("changes", "nodes", "expected"),
    [
        ({}, [Node({"CPU": 2.0, "engine": 1.0})], Placement(1.0, resources={"engine": 1.0})),
        ({}, [Node({"CPU": 1.0, "engine": 1.0})], Placement(0.0, resources={"engine": 1.0})),
        ({"replicas": 4}, [Node({"CPU": 1.0, "engine": 1.0})] * 4, Placement(0.0, resources={"engine": 1.0})),
        (
            {"kind": "scripted", "replicas": 4},
            [Node({"CPU": 2.0, "engine": 4.0})],
            Placement(0.25, resources={"engine": 1.0}),
        ),
        ({"kind": "scripted", "replicas": 4}, [Node({"CPU": 2.0})], Placement(0.5)),
        ({}, [Node({"CPU": 8.0})], Placement(1.0)),
        ({"tensor_parallel": 4}, [GPU_NODE], Placement(1.0, 4.0)),
        ({"device": "cpu"}, [GPU_NODE], Placement(1.0)),
        ({"device": "gpu", "tensor_parallel": 8}, [CPU_NODE], Placement(1.0, 8.0)),
        ({"kind": "scripted", "device": "gpu"}, [GPU_NODE], Placement(0.5, 1.0)),
        ({"resources": {"rack": 1.0}}, [CPU_NODE], Placement(1.0, resources={"rack": 1.0})),
        (
            {"tensor_parallel": 8, "pipeline_parallel": 2, "node_labels": {H100: "H100"}},
            [GPU_NODE, GPU_NODE, SMALL_GPU_NODE],
            Placement(
                1.0,
                bundles=({"GPU": 1.0, "CPU": 1.0}, *({"GPU": 1.0},) * 15),
                engine_extra={"distributed_executor_backend": "ray"},
                labels={H100: "H100"},
            ),
        ),
    ],
)
def test_what_a_replica_reserves(changes: dict[str, Any], nodes: list[Node], expected: Placement) -> None:
    assert place(config(**changes), nodes) == expected
    assert refusal(config(**changes), nodes) is None or nodes == [CPU_NODE]


@pytest.mark.parametrize(
    ("changes", "nodes", "said"),
    [
        (
            {"tensor_parallel": 8, "replicas": 2},
            [GPU_NODE],
            ("engine.replicas=2", "8 GPU", "room for 1", "1 node of 64 CPU, 8 GPU", "engine.tensor_parallel"),
        ),
        (
            {"tensor_parallel": 8, "pipeline_parallel": 2, "replicas": 2},
            [GPU_NODE] * 3,
            ("16 GPU, 1 CPU in 16 bundles", "room for 1", "3 nodes of 64 CPU, 8 GPU"),
        ),
        (
            {"replicas": 3, "node_labels": {H100: "A10G"}},
            [GPU_NODE, SMALL_GPU_NODE],
            (f"on nodes with {H100}=A10G", "room for 2", f"({H100}=H100)", "correct engine.node_labels"),
        ),
        (
            {"device": "gpu"},
            [CPU_NODE],
            ("1 CPU, 1 GPU", "room for 0", "1 node of 16 CPU, 0 GPU", "cluster.nodes_wait_s"),
        ),
        ({"resources": {"rack": 2.0}}, [CPU_NODE], ("2 rack", "0 rack", "engine.resources")),
        ({"kind": "scripted"}, [], ("room for 0", "it has no node")),
    ],
)
def test_what_never_fits_is_said_with_what_is_wanted_what_is_there_and_what_to_do(
    changes: dict[str, Any], nodes: list[Node], said: tuple[str, ...]
) -> None:
    error = refusal(config(**changes), nodes)
    assert error is not None
    assert all(words in str(error) for words in said), str(error)


def test_a_run_that_begins_with_fewer_needs_room_for_those_alone() -> None:
    assert refusal(config(replicas=50, min_replicas=8), [GPU_NODE]) is None
    error = refusal(config(replicas=50, min_replicas=9), [GPU_NODE])
    assert error is not None
    assert "engine.min_replicas=9" in str(error)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tensor_parallel": 16}, "spans 2 nodes of 8 GPUs"),
        ({"pipeline_parallel": 16, "placement_strategy": "STRICT_PACK"}, "STRICT_PACK"),
        ({"tensor_parallel": 8, "gpus_per_node": 4}, "spans 2 nodes of 4 GPUs"),
    ],
)
def test_a_shape_that_no_node_can_take_part_in_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        place(config(**changes), [GPU_NODE, GPU_NODE])


def test_more_engines_to_begin_with_than_in_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"min_replicas=3 is above engine\.replicas=2"):
        config(replicas=2, min_replicas=3)
