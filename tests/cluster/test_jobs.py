"""Runs as jobs of a real Ray cluster with a token: submitted, followed, left, found again, stopped, refused."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import submitted
from tests.cluster.several_nodes import SeveralNodes
from tests.corpora import write_corpus
from tests.resident import REPOSITORY
from tests.runs import SMALL
from tests.waiting import LONGEST_S, until


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), 8)


def run_of(corpus: Path, root: Path, *extra: str) -> list[str]:
    small = [item for item in SMALL if not item.startswith("cluster.")]
    return [*small, f"corpus.paths=[{corpus}]", f"store.root={root}", "publish.name=jobs", *extra]


def started(cluster: SeveralNodes, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.submit", *arguments, f"cluster.address={cluster.url}"],
        cwd=REPOSITORY,
        env=cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said_until(process: subprocess.Popen[str], word: str) -> str:
    """The line of stderr that holds `word`."""
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return line
    raise AssertionError(f"ended without saying {word}")


def last_json(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    return found


def jobs_of(cluster: SeveralNodes, word: str) -> list[str]:
    listed = submitted(cluster, "--list").stdout.splitlines()
    return [line for line in listed if word in line]


@pytest.mark.slow
def test_a_run_is_left_by_ctrl_c_found_again_by_the_same_command_and_ends_with_its_result(
    cluster: SeveralNodes, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays = secrets.token_hex(16)
    monkeypatch.setitem(cluster.environment, "SOME_API_KEY", stays)
    command = run_of(corpus, tmp_path / "root", "engine.scripted_latency_s=0.3")
    first = started(cluster, *command)
    job_id = said_until(first, "submitted ").split()[1]
    assert first.stdout is not None
    first.stdout.readline()  # it follows the log
    first.send_signal(signal.SIGINT)
    _, words = first.communicate(timeout=LONGEST_S)
    assert first.returncode == 130
    assert f"{job_id} goes on" in words
    assert f"--attach {job_id} cluster.address={cluster.url}" in words
    again = submitted(cluster, *command)
    assert again.code == 0, again.stdout[-3000:] + again.stderr[-3000:]
    assert f"{job_id} runs already" in again.stderr
    assert "submitted" not in again.stderr
    result = last_json(again.stdout)
    assert result["samples"] > 0
    assert Path(result["dataset"], "manifest.json").exists()
    assert len(jobs_of(cluster, str(tmp_path))) == 1
    # Nothing of the environment travelled: neither with the job nor in what the cluster keeps of it.
    import httpx

    known = httpx.get(
        f"{cluster.url}/api/jobs/{job_id}",
        headers={"Authorization": f"Bearer {cluster.environment['RAY_AUTH_TOKEN']}"},
    )
    assert known.json()["metadata"]["job_name"] == "jobs"
    assert stays not in known.text
    assert cluster.environment["RAY_AUTH_TOKEN"] not in known.text


def test_a_wrong_token_and_none_are_told_apart(cluster: SeveralNodes) -> None:
    wrong = submitted(cluster, "--list", environment={**cluster.environment, "RAY_AUTH_TOKEN": "0" * 64})
    assert wrong.code == 8
    assert "refused the token" in wrong.stderr
    without = {name: value for name, value in cluster.environment.items() if name != "RAY_AUTH_TOKEN"}
    none = submitted(cluster, "--list", environment={**without, "RAY_AUTH_MODE": "disabled"})
    assert none.code == 8
    assert "wants a token" in none.stderr


def test_a_job_that_the_cluster_does_not_know_is_said(cluster: SeveralNodes) -> None:
    ended = submitted(cluster, "--attach", "no-such-job-1")
    assert ended.code == 8
    assert "knows no job no-such-job-1" in ended.stderr


@pytest.mark.slow
def test_engines_that_no_node_could_hold_are_said_before_the_job_is_sent(
    cluster: SeveralNodes, corpus: Path, tmp_path: Path
) -> None:
    gpus = [
        "engine.device=gpu",
        "engine.tensor_parallel=2",
        "engine.replicas=3",
        "engine.node_labels={kind: pretended}",
    ]
    ended = submitted(cluster, *run_of(corpus, tmp_path / "root", *gpus))
    assert ended.code == 2
    assert "engine.replicas=3, and each engine takes 0.5 CPU, 2 GPU on nodes with kind=pretended" in ended.stderr
    assert "room for 1" in ended.stderr
    assert "1 node of 2 CPU, 2 GPU" in ended.stderr
    assert "submitted" not in ended.stderr


@pytest.mark.slow
def test_a_stopped_job_says_so_and_goes_on_with_the_next_submission(
    cluster: SeveralNodes, corpus: Path, tmp_path: Path
) -> None:
    command = run_of(corpus, tmp_path / "root", "engine.scripted_latency_s=1", "seed=4")
    first = started(cluster, *command)
    job_id = said_until(first, "submitted ").split()[1]
    until("a commit", lambda: list((tmp_path / "root").glob("steps/extract-*/commits/*/*")))
    assert "is asked to end" in submitted(cluster, "--stop", job_id).stderr
    _, words = first.communicate(timeout=LONGEST_S)
    assert first.returncode == 130
    assert f"{job_id} was stopped" in words
    states = [json.loads(path.read_text())["state"] for path in (tmp_path / "root" / "runs").glob("*.json")]
    assert states == ["interrupted"]
    again = submitted(cluster, *command)
    assert again.code == 0, again.stdout[-3000:]
    next_id = again.stderr.partition("submitted ")[2].split()[0]
    assert next_id.rpartition("-")[0] == job_id.rpartition("-")[0]
    assert (job_id[-1], next_id[-1]) == ("1", "2")


@pytest.mark.slow
def test_rays_own_command_submits_a_run_as_well(cluster: SeveralNodes, corpus: Path, tmp_path: Path) -> None:
    command = [*run_of(corpus, tmp_path / "root", "seed=9"), "cluster=ray", "cluster.address=auto"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--address", cluster.url),
            *("--working-dir", str(REPOSITORY), "--", "python", "-m", "jobs.run", *command),
        ],
        cwd=tmp_path,
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert '"state": "finished"' in done.stdout


@pytest.mark.slow
def test_a_package_that_cannot_be_unpacked_and_a_module_that_is_missing_are_said(
    cluster: SeveralNodes, corpus: Path, tmp_path: Path
) -> None:
    """Both end before the run's first line; the exit code is the cluster's, or Python's own."""
    code = """
import sys
from factory.cluster import jobs
from factory.cluster.config import JobConfig
from factory.cluster.dashboard import ask
from factory.errors import ClusterError
client = jobs.connect(ask(sys.argv[1]))
job = jobs.Job("broken", sys.argv[2], "python -m jobs.run", JobConfig(), 30, working_dir="file:///no/such/package.zip")
sent = jobs.submit(client, job)
try:
    jobs.follow(client, sent.id, print, print)
except ClusterError as error:
    print(error)
    sys.exit(error.exit_code)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, cluster.url, "0123456789abcdef"],
        cwd=REPOSITORY,
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    assert done.returncode == 8, done.stdout + done.stderr
    assert "never began: its environment could not be set up" in done.stdout
    missing = submitted(cluster, *run_of(corpus, tmp_path / "r", "seed=11"), "cluster.job.exclude=[/factory/errors.py]")
    assert missing.code == 1
    assert "has no module factory.errors" in missing.stderr
