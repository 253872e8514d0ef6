"""End to end with the real vLLM engine and SmolLM2, on a handful of documents of the built-in corpus."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs import REPOSITORY, done_of, environment, factory_cli


@pytest.mark.engine
def test_real_model_makes_a_dataset_that_verifies_with_one_engine_start(tmp_path: Path) -> None:
    short = "answer.sampling.max_tokens=128"  # most of the time goes into tokens of answers
    arguments = ["preset=demo", "limit=8", "gate.min_samples=1", short, f"store.root={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "jobs.run", *arguments],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads(done.stdout.strip().splitlines()[-1])
    verified = factory_cli("verify", result["dataset"])
    assert verified.code == 0, verified.stdout
    record = json.loads((tmp_path / "runs" / f"{result['run']}.json").read_text())
    (starts,) = record["engine_starts"].values()
    assert (starts["starts"], starts["replacements"]) == (1, 0)
    assert record["models"]["generator"]["id"] == "smollm2"
    extract = done_of(tmp_path, result["run"], "extract")
    assert extract["ledger"]["generated_tokens"] > 0
    assert extract["engines"][0]["kind"] == "vllm"
