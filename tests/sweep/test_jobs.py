"""Points as jobs of a real Ray cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from factory.errors import ConfigError
from factory.sweep.command import sweep
from tests.cluster.several_nodes import SeveralNodes
from tests.cluster.test_dashboard import answering, cluster
from tests.corpora import write_corpus
from tests.resident import REPOSITORY
from tests.runs import SMALL
from tests.sweep.test_command import begun_twice, committed, worked


@pytest.mark.slow
def test_points_are_jobs_that_share_steps_and_fail_one_by_one(tmp_path: Path) -> None:
    corpus, root = write_corpus(tmp_path / "corpus", 3), tmp_path / "root"
    small = [item for item in SMALL if not item.startswith(("cluster.", "question.levels", "gate."))]
    nodes = SeveralNodes(num_cpus=2, resources={"engine": 2})
    try:
        command = [
            *(sys.executable, "-m", "jobs.run", "-m", *small, "question.levels=[2]"),
            *(f"corpus.paths=[{corpus}]", f"store.root={root}", f"cluster.address={nodes.url}"),
            *("sweep.jobs=true", "sweep.at_once=2", "gate.min_samples=1,100000"),
        ]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=nodes.environment, capture_output=True, text=True, timeout=500
        )
    finally:
        nodes.close()
    assert done.returncode == 7, done.stderr[-4000:]
    closing = json.loads(done.stdout.splitlines()[-1])
    assert closing["failed"] == ["gate.min_samples=100000"]
    points = json.loads((root / "sweeps" / f"{closing['sweep']}.json").read_text())["points"]
    assert [point["state"] for point in points] == ["finished", "failed"]
    assert "GateError" in points[1]["error"]
    assert len({point["job"] for point in points}) == 2
    runs = [path.stem for path in (root / "runs").glob("*.json")]
    _, paid = worked(root, runs)
    assert paid == committed(root)
    assert begun_twice(root) == []


def test_a_cluster_that_does_not_answer_is_said_before_anything_is_written(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "jobs.run", "-m", "preset=demo", "engine=scripted", f"store.root={tmp_path / 'root'}"),
        *("seed=1,2", "sweep.jobs=true", "cluster=ray", "cluster.address=http://127.0.0.1:9"),
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 8, done.stderr
    assert "no Ray cluster answers at http://127.0.0.1:9" in done.stderr
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("item", "said"), [("store.root=root", "store.root=root is a folder beside"), ("cluster.job.cpus=64", "64 CPU")]
)
def test_what_no_job_could_work_with_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, item: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    root = [] if item.startswith("store.root=") else [f"store.root={tmp_path / 'root'}"]
    with answering(cluster()) as url, pytest.raises(ConfigError, match=said):
        sweep(["preset=demo", "engine=scripted", "seed=1,2", "sweep.jobs=true", f"cluster.address={url}", *root, item])
    assert list(tmp_path.iterdir()) == []
