"""SIGKILL in the middle of the rounds that a run draws walks in: the same rounds, walks and dataset."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.corpora import write_corpus
from tests.runs import REPOSITORY, command, dataset_rows, end_of_ray, environment, requests_spent, run_factory

TARGET = (
    "question.levels=[1,2,3]",
    "question.level_3_questions=2",
    "walk.block_walks=64",
    "walk.epochs=40",
    "pair.unit_rows=16",
    "target_samples=600",
)


@pytest.mark.slow
def test_killed_in_its_second_round_a_run_goes_on_in_it(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", 48)
    calm = run_factory(corpus, str(tmp_path / "calm"), TARGET).result
    root = tmp_path / "root"
    process = subprocess.Popen(
        command(corpus, str(root), (*TARGET, "engine.scripted_latency_s=0.3", "engine.units_in_flight=2")),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while len(rounds_of(root)) < 2:
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)
    ray = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    end_of_ray(ray)
    begun = rounds_of(root)
    result = run_factory(corpus, str(root), TARGET).result
    assert result["run"] == calm["run"]
    assert rounds_of(root)[: len(begun)] == begun
    assert rounds_of(root) == rounds_of(tmp_path / "calm")
    assert contents(root, "walk") == contents(tmp_path / "calm", "walk")
    calm_rows, rows = dataset_rows(calm["dataset"]), dataset_rows(result["dataset"])
    assert {split: table.to_pylist() for split, table in rows.items()} == {
        split: table.to_pylist() for split, table in calm_rows.items()
    }
    assert requests_spent(root, result["run"]) <= requests_spent(tmp_path / "calm", calm["run"])


def contents(root: Path, step: str) -> dict[str, list[str]]:
    """Hashes of the bytes that a step's committed units wrote, by unit."""
    commits = [json.loads(path.read_text()) for path in root.glob(f"steps/{step}-*/commits/*/*.json")]
    return {commit["unit"]: [file["sha256"] for file in commit["files"]] for commit in commits}


def rounds_of(root: Path) -> list[int]:
    """Where the rounds of the root's one run end."""
    found = list(root.glob("runs/*.json"))
    return [item["walks"] for item in json.loads(found[0].read_text()).get("rounds", [])] if found else []
