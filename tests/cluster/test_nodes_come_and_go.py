"""Spot nodes: taken away without notice while a run works, others added; what the run makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.several_nodes import SeveralNodes
from tests.corpora import write_corpus
from tests.resident import REPOSITORY
from tests.runs import SMALL, dataset_rows, run_factory
from tests.waiting import until

pytestmark = pytest.mark.slow

LATENCY = "engine.scripted_latency_s=0.5"

CODE_IS_THERE = ("--no-package", f"cluster.job.env={{PYTHONPATH: {REPOSITORY}}}")
"""Nodes of one machine share the folder into which a package is unpacked; each that unpacks it removes it first."""


@pytest.fixture
def cluster() -> Iterator[SeveralNodes]:
    nodes = SeveralNodes(num_cpus=1)
    try:
        yield nodes
    finally:
        nodes.close()


def test_a_node_that_goes_and_one_that_comes_cost_no_row_and_no_failure(cluster: SeveralNodes, tmp_path: Path) -> None:
    """Engines are on the nodes that come and go; not one of their ends may be charged (losses_allowed=0)."""
    corpus = write_corpus(tmp_path / "corpus", 60)
    first, _second = (cluster.add(num_cpus=1, resources={"engine": 1}) for _ in range(2))
    root = tmp_path / "root"
    small = [item for item in SMALL if not item.startswith("cluster.")]
    engines = ["engine.replicas=3", "engine.min_replicas=2", "engine.losses_allowed=0", "engine.hangs_allowed=0"]
    run = subprocess.Popen(
        [
            *(sys.executable, "-m", "jobs.submit", *small, *engines, LATENCY, f"cluster.address={cluster.url}"),
            *(f"corpus.paths=[{corpus}]", f"store.root={root}", *CODE_IS_THERE),
        ],
        cwd=REPOSITORY,
        env=cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until("three commits", lambda: len(list(root.glob("steps/extract-*/commits/*/*"))) >= 3)
    cluster.remove(first)
    for _ in range(2):
        cluster.add(num_cpus=1, resources={"engine": 1})
    said, _ = run.communicate(timeout=600)
    assert run.returncode == 0, said[-4000:]
    result = json.loads(said.strip().splitlines()[-1])
    undisturbed = run_factory(corpus, str(tmp_path / "plain"), ray=True).result
    assert dataset_rows(result["dataset"]) == dataset_rows(undisturbed["dataset"])
    record = json.loads((root / "runs" / f"{result['run']}.json").read_text())
    (starts,) = record["engine_starts"].values()
    assert starts["starts"] == 3
    assert starts["replacements"] >= 1
    lost = sum(
        json.loads((root / "runs" / result["run"] / f"{step}.done.json").read_text())["lost"]["attempts"]
        for step in record["steps"]
    )
    assert lost <= 3 * 2  # engine.replicas x engine.units_in_flight


def test_an_engine_over_two_nodes_comes_back_when_one_of_them_is_replaced(cluster: SeveralNodes) -> None:
    """A replica of two stages of two GPUs (that are none) in a placement group over two nodes."""
    for _ in range(2):
        cluster.add(num_cpus=1, num_gpus=2)
    driver = subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.wide_engine", cluster.address],
        cwd=REPOSITORY,
        env=cluster.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(word: str) -> dict[str, Any]:
        assert driver.stdin is not None
        assert driver.stdout is not None
        driver.stdin.write(word + "\n")
        driver.stdin.flush()
        for line in driver.stdout:
            if line.startswith("{"):  # Ray says there that a node is gone
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise AssertionError("the driver has ended")

    try:
        begun = ask("start")
        assert len(begun["nodes"]) == 2
        assert ask("generate")["answered"] == 3
        cluster.remove(begun["actor"])
        cluster.add(num_cpus=1, num_gpus=2)
        again = ask("after the loss")
        assert again["answered"] == 3
        assert again["errors"] == []
        assert len(again["nodes"]) == 2
        assert set(again["nodes"]) != set(begun["nodes"])
        assert ask("too much")["refused"].startswith("engine.replicas=2, and each engine takes 4 GPU, 0.5 CPU in 4")
        assert ask("stop")["groups"] == 0
    finally:
        with driver:
            pass
