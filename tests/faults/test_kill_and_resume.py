"""SIGKILL in the middle of a step, then the same command again: the same dataset, and nothing paid twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.corpora import write_corpus
from tests.runs import REPOSITORY, command, dataset_rows, done_of, environment, run_factory

DOCUMENTS = 72
SLOW = ("engine.scripted_latency_s=0.4", "engine.units_in_flight=2")


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


def kill_when(root: Path, step: str, commits: int, corpus: Path) -> dict[str, bytes]:
    """Starts a run, sends SIGKILL once `step` has `commits` commits, and gives the commits found then."""
    process = subprocess.Popen(
        command(corpus, str(root), SLOW),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while len(committed(root, step)) < commits:
        assert process.poll() is None, f"the run ended before it could be killed: {process.communicate()[1][-2000:]!r}"
        assert time.monotonic() < deadline, f"{step} had only {len(committed(root, step))} commits in 120 s"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    # Ray's own processes notice the driver's death and leave; a unit in flight may still commit meanwhile.
    settled = committed(root, step)
    for _ in range(50):
        time.sleep(0.2)
        if (now := committed(root, step)) == settled:
            break
        settled = now
    return settled


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
    kill_when(tmp_path, "question_1", 1, corpus)
    result = run_factory(corpus, str(tmp_path)).result
    lost = done_of(tmp_path, result["run"], "question_1")["lost"]
    assert lost["attempts"] >= 1
    assert lost["requests_at_most"] >= 1


def test_a_finished_run_started_again_makes_no_request(corpus: Path, undisturbed: tuple[Path, str, str]) -> None:
    root, run, dataset = undisturbed
    again = run_factory(corpus, str(root))
    assert again.result["already_finished"]
    assert (again.result["run"], again.result["dataset"], again.result["requests"]) == (run, dataset, 0)
    assert "nothing to do" in again.stderr
