"""SIGKILL in the middle of a step, then the same command again: the same dataset, and nothing paid twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.corpora import write_corpus
from tests.runs import REPOSITORY, command, dataset_rows, done_of, end_of_ray, environment, run_factory

DOCUMENTS = 72
SLOW = ("engine.scripted_latency_s=0.4", "engine.units_in_flight=2")
SLOWER = ("engine.scripted_latency_s=15", "engine.units_in_flight=1")
"""Longer than Ray's workers outlive their driver (2-5 s): a unit in flight at the kill is lost, not late. One at
a time: of two begun together, the second commits a moment after the first."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), DOCUMENTS)


@pytest.fixture(scope="module")
def undisturbed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    root = tmp_path_factory.mktemp("undisturbed")
    result = run_factory(corpus, str(root)).result
    return root, result["run"], result["dataset"]


def committed(root: Path, step: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.glob(f"steps/{step}-*/commits/*/*.json")}


def begun(root: Path, step: str) -> int:
    return len(list(root.glob(f"steps/{step}-*/attempts/*.json")))


def kill_when(
    root: Path, step: str, commits: int, corpus: Path, pace: tuple[str, ...] = SLOW, in_flight: int = 0
) -> dict[str, bytes]:
    """Starts a run, sends SIGKILL once `step` has `commits` commits and `in_flight` units begun beyond them, and
    gives the commits found then."""
    process = subprocess.Popen(
        command(corpus, str(root), pace),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while len(found := committed(root, step)) < commits or begun(root, step) < len(found) + in_flight:
        assert process.poll() is None, f"the run ended before it could be killed: {process.communicate()[1][-2000:]!r}"
        assert time.monotonic() < deadline, f"{step} had only {len(committed(root, step))} commits in 120 s"
        time.sleep(0.02)
    ray = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    end_of_ray(ray)
    return committed(root, step)


@pytest.mark.parametrize("step", ["extract", "answer"])
def test_killed_in_the_middle_of_a_step_the_same_command_finishes_the_same_dataset(
    step: str, corpus: Path, undisturbed: tuple[Path, str, str], tmp_path: Path
) -> None:
    calm_root, run, calm_dataset = undisturbed
    units = done_of(calm_root, run, step)["units"]
    before = kill_when(tmp_path, step, 2, corpus)
    assert 2 <= len(before) < units, "the kill must land in the middle of the step"
    finished = run_factory(corpus, str(tmp_path))
    result = finished.result
    assert result["run"] == run
    after = committed(tmp_path, step)
    assert {name: after[name] for name in before} == before, "a committed unit keeps its bytes"
    done = done_of(tmp_path, run, step)
    assert done["units_reused"] == len(before)
    assert done["units"] - done["units_reused"] == units - len(before), "only what was not committed is redone"
    calm, resumed = dataset_rows(calm_dataset), dataset_rows(result["dataset"])
    assert calm.keys() == resumed.keys()
    for split in calm:
        assert calm[split].equals(resumed[split]), f"{split} differs from an undisturbed run"


def test_attempts_lost_to_the_kill_are_in_the_ledger(corpus: Path, tmp_path: Path) -> None:
    kill_when(tmp_path, "extract", 1, corpus, SLOWER, in_flight=1)
    result = run_factory(corpus, str(tmp_path)).result
    lost = done_of(tmp_path, result["run"], "extract")["lost"]
    assert lost["attempts"] >= 1
    assert lost["requests_at_most"] >= 1


def test_a_finished_run_started_again_makes_no_request(corpus: Path, undisturbed: tuple[Path, str, str]) -> None:
    root, run, dataset = undisturbed
    again = run_factory(corpus, str(root))
    assert again.result["already_finished"]
    assert (again.result["run"], again.result["dataset"], again.result["requests"]) == (run, dataset, 0)
    assert "nothing to do" in again.stderr
