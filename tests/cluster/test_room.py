"""What no node could hold is said before a job is sent, unless nodes may come."""

from __future__ import annotations

from typing import Any

import pytest

from factory.cluster.command import composed
from factory.cluster.config import JobConfig
from factory.cluster.dashboard import ask
from factory.cluster.nodes import MADE_KEY, Node, patience
from factory.cluster.options import read
from factory.cluster.room import driver_missing, require_room
from factory.errors import ConfigError
from tests.cluster.test_dashboard import answering, cluster


def test_a_driver_that_no_node_can_hold_is_explained() -> None:
    large = JobConfig(cpus=64, memory_gib=4, labels={"kind": "big"})
    small = Node({"CPU": 8.0, "memory": 2.0 * 2**30})
    error = driver_missing(large, [small])
    assert error is not None
    assert "64 CPU, 4.0 GiB memory on a node with kind=big" in error.what
    assert "1 node of 8 CPU, 2.0 GiB memory (no kind)" in error.cause
    assert driver_missing(large, [small, Node({"CPU": 64.0, "memory": 2.0**40}, {"kind": "big"})]) is None
    assert driver_missing(JobConfig(), [small]) is None


def config(*overrides: str) -> Any:
    return composed(read(["preset=demo", "engine=scripted", "store.root=/data/out", *overrides]))


def looked(*overrides: str, labels: dict[str, str] | None = None) -> None:
    nodes = cluster()
    nodes["/api/v0/nodes"]["data"]["result"]["result"][0]["labels"] = labels or {}
    with answering(nodes) as url:
        require_room(ask(url), [config(), config(*overrides)])


@pytest.fixture
def _nodes_join_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("factory.cluster.nodes.JOINING_S", "factory.cluster.room.JOINING_S"):
        monkeypatch.setattr(name, 0.0)


@pytest.mark.usefixtures("_nodes_join_at_once")
@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (["engine.resources={big_gpu: 1}"], "1 node of 4 CPU, 0 big_gpu"),
        (["engine.tensor_parallel=8", "engine.device=gpu"], "8 GPU: the cluster has room for 0"),
        (["engine.node_labels={kind: big}"], "on nodes with kind=big"),
        (["engine.tensor_parallel=16", "engine.device=gpu"], "spans 2 nodes of 8 GPUs"),
    ],
)
def test_engines_that_no_node_can_hold_are_refused_before_the_job_is_sent(wanted: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        looked(*wanted)
    assert said in str(refused.value)
    assert refused.value.remedy


def test_engines_that_have_room_are_not_waited_for() -> None:
    looked("engine.replicas=2")


def test_a_node_that_is_just_joining_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("factory.cluster.room.LOOK_S", 0.0)
    nodes = cluster()
    with answering(nodes) as url:
        dashboard = ask(url)
        nodes["/api/v0/nodes"]["data"]["result"]["result"].append(
            {"state": "ALIVE", "resources_total": {"CPU": 4.0, "big_gpu": 1.0}, "labels": {}}
        )
        require_room(dashboard, [config("engine.resources={big_gpu: 1}")])


def test_where_nodes_may_come_the_job_itself_waits_for_them() -> None:
    looked("engine.resources={big_gpu: 1}", labels={MADE_KEY: "gpu-workers"})


def test_only_where_nodes_may_come_they_are_waited_for_long() -> None:
    by_hand, made = [Node({"CPU": 1.0})], [Node({"CPU": 1.0}, {MADE_KEY: "workers"})]
    assert patience(20, by_hand) == 5
    assert patience(0, by_hand) == 0
    assert patience(20, made) == 20
    assert patience(900, by_hand) == 900
