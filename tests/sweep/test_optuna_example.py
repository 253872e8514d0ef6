"""The documented Optuna search really runs: trials are runs, the objective is what `factory compare --json` says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.corpora import write_corpus
from tests.runs import REPOSITORY, SMALL, environment


def search(tmp_path: Path, corpus: Path, *options: str) -> subprocess.CompletedProcess[str]:
    overrides = [
        *(item for item in SMALL if not item.startswith("question.levels")),
        "question.levels=[1]",
        f"corpus.paths=[{corpus}]",
        f"store.root={tmp_path / 'root'}",
        "cluster.executor=processes",  # a Ray of each trial's own would take twice as long
    ]
    command = [sys.executable, "examples/optuna_sweep.py", *options, "--", *overrides]
    return subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, timeout=500)


@pytest.mark.slow
def test_a_search_of_four_trials_finds_the_best_it_has_seen_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    corpus = write_corpus(tmp_path / "corpus", 3)
    asked = (
        *("--objective", "tokens_per_sample", "--minimise", "--journal", str(tmp_path / "search.journal")),
        *("--int", "question.level_1_questions=1:3", "--float", "answer.sampling.temperature=0.1:0.5"),
    )
    first = search(tmp_path, corpus, *asked, "--trials", "3")
    assert first.returncode == 0, first.stderr[-3000:]
    done = search(tmp_path, corpus, *asked, "--trials", "4")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("\ntrial ") + done.stderr.startswith("trial ") == 1
    best: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    compared = subprocess.run(
        [sys.executable, "-m", "factory.cli.main", "compare", str(tmp_path / "root"), "--json"],
        cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    runs = {run["run"]: run["values"]["tokens_per_sample"] for run in json.loads(compared.stdout)["runs"]}
    assert best["value"] == min(runs.values()) == runs[best["run"]]


def test_a_search_without_settings_or_root_is_refused() -> None:
    for arguments in (["--objective", "samples"], ["--objective", "samples", "--int", "seed=1:2"]):
        done = subprocess.run(
            [sys.executable, "examples/optuna_sweep.py", *arguments], cwd=REPOSITORY, capture_output=True, text=True
        )
        assert done.returncode == 2
        assert "error:" in done.stderr
