"""The whole pipeline as a user runs it, with the scripted engine, on a folder and on S3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import S3
from tests.corpora import row_of, write_corpus, write_shard
from tests.runs import REPOSITORY, command, dataset_rows, done_of, environment, factory_cli, run_factory

DOCUMENTS = 30


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_corpus(tmp_path_factory.mktemp("corpus"), DOCUMENTS)
    write_shard(folder / "shard-800", [row_of(0), row_of(1)], 1)
    (folder / "broken.jsonl").write_bytes(b'{"text": "short"}\n{"text": null}\n{"text": \n{"text": "caf\xff"}\n')
    return folder


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    root = tmp_path_factory.mktemp("root")
    return root, run_factory(corpus, str(root), alone=True).result  # all of it as a user starts it, Ray too


def test_a_run_on_a_folder_verifies(finished: tuple[Path, dict[str, object]]) -> None:
    _, result = finished
    verified = factory_cli("verify", str(result["dataset"]))
    assert verified.code == 0, verified.stdout
    assert verified.result["ok"]
    assert verified.result["rows"] == result["samples"]


def test_a_run_leaves_its_bundle_beside_the_dataset(finished: tuple[Path, dict[str, object]]) -> None:
    root, result = finished
    dataset = Path(str(result["dataset"]))
    [index] = (root / "datasets" / dataset.parent.name / "records" / dataset.name).glob("bundle-*/bundle.json")
    listed = {each["path"] for each in json.loads(index.read_text())["documents"]}
    assert {"croissant.json", "openlineage.jsonl", "spdx.json"} <= listed
    again = json.loads(factory_cli("bundle", str(dataset), "--json").stdout)
    assert (again["bundle"], again["written"], again["problems"]) == (str(index.parent), False, {})


def test_another_tolerance_or_filter_never_pays_for_new_answers(
    corpus: Path, finished: tuple[Path, dict[str, object]]
) -> None:
    root, result = finished
    strict = ["answer.verify.tolerance=0.001", "answer.require=not_wrong"]
    again = run_factory(corpus, str(root), strict).result
    assert again["run"] != result["run"]
    assert again["requests"] == 0
    done = done_of(root, str(again["run"]), "check")
    assert done["counts"]["accepted"] == done_of(root, str(again["run"]), "answer")["counts"]["accepted"]
    wrong = sum(
        count for name, count in done["facts"].items() if name.startswith("verified=") and name.endswith(": no")
    )
    samples = done_of(root, str(again["run"]), "samples")
    assert samples["reasons"].get("input", {}).get("verified_wrong", 0) == wrong
    rows = [row for table in dataset_rows(str(again["dataset"])).values() for row in table.to_pylist()]
    assert {row["verified"] for row in rows} <= {"yes", "unchecked"}
    assert all(row["grounded_share"] is None or 0 <= row["grounded_share"] <= 1 for row in rows)


def test_every_bad_row_is_a_reject_with_its_reason(finished: tuple[Path, dict[str, object]]) -> None:
    root, result = finished
    done = done_of(root, str(result["run"]), "select")
    assert done["counts"]["inputs"] == DOCUMENTS + 2 + 4
    assert sum(done["reasons"]["input"].values()) == 4
    merged = done_of(root, str(result["run"]), "merge")
    assert merged["reasons"]["input"] == {"duplicate_document": 2}


def test_each_step_reads_exactly_what_the_steps_before_it_accepted(finished: tuple[Path, dict[str, object]]) -> None:
    root, result = finished
    run = str(result["run"])
    reads = {
        "extract": "merge",
        "question_1": "merge",
        "question_2": "extract",
        "answer": "curate",
        "check": "answer",
        "samples": "check",
    }
    for step, parent in reads.items():
        child, given = done_of(root, run, step), done_of(root, run, parent)
        assert child["counts"]["inputs"] == given["counts"]["accepted"]
        assert child["input_digest"] == given["accepted_digest"]


def test_replay_proves_the_prompts_behind_a_published_row(finished: tuple[Path, dict[str, object]]) -> None:
    import pyarrow.parquet as pq

    _, result = finished
    shard = next(Path(str(result["dataset"]), "data").glob("train-*.parquet"))
    sample_id = pq.read_table(shard, columns=["sample_id"]).column("sample_id")[0].as_py()
    replayed = factory_cli("replay", str(result["dataset"]), sample_id)
    assert replayed.code == 0, replayed.stdout + replayed.stderr


def test_status_and_report_say_what_the_run_did(finished: tuple[Path, dict[str, object]]) -> None:
    root, result = finished
    status = json.loads(factory_cli("status", str(root), "--json").stdout)
    (run,) = [each for each in status["runs"] if each["run"] == result["run"]]  # others share the root
    assert run["state"] == "finished"
    assert [step["step"] for step in run["steps"]][:3] == ["select", "merge", "extract"]
    assert all(step["units_done"] == step["units"] for step in run["steps"])
    html = Path(str(result["report"])).read_text()
    assert "duplicate_document" in html


def test_plan_of_a_finished_run_asks_for_nothing(corpus: Path, finished: tuple[Path, dict[str, object]]) -> None:
    root, _ = finished
    planned = factory_cli("plan", "--json", *command(corpus, str(root))[3:])
    assert planned.code == 0, planned.stderr
    steps = json.loads(planned.stdout)["steps"]
    assert {step["units"] == step["units_done"] for step in steps} == {True}
    assert sum(step["requests"] for step in steps) == 0


def test_a_run_on_s3_verifies(corpus: Path, s3: S3) -> None:
    root = s3.root()
    result = run_factory(corpus, root, ray=True).result
    assert result["dataset"].startswith(root)
    verified = factory_cli("verify", result["dataset"])
    assert verified.code == 0, verified.stdout
    assert factory_cli("show", result["dataset"], "-n", "1").code == 0


def test_a_failed_gate_leaves_no_dataset_and_says_so(corpus: Path, tmp_path: Path) -> None:
    failed = run_factory(corpus, str(tmp_path), ["gate.min_samples=100000", "limit=5"], check=False)
    assert failed.code == 7
    assert "GateError" in failed.stderr
    assert "min_samples" in failed.stderr
    assert not list(tmp_path.glob("datasets/*/*/manifest.json"))


def test_preemption_stops_in_good_order_and_the_record_says_interrupted(corpus: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(corpus, str(tmp_path), ["engine.scripted_latency_s=0.5", "engine.units_in_flight=1"]),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("steps/extract-*/commits/*/*.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    _, stderr = process.communicate(timeout=180)
    assert process.returncode == 130, stderr.decode()
    assert b"same command goes on" in stderr
    (record,) = tmp_path.glob("runs/*.json")
    assert json.loads(record.read_text())["state"] == "interrupted"


@pytest.mark.parametrize(
    ("override", "code", "said"),
    [
        ("corpus.paths=[/no/such/folder]", 3, "/no/such/folder"),
        ("corpus.columns.text=content", 3, "content"),
        ("model=custom", 2, "model.id"),
        ("select.unit_row=3", 2, "did you mean `select.unit_rows`"),
    ],
)
def test_what_can_fail_early_fails_before_anything_is_written(
    corpus: Path, tmp_path: Path, override: str, code: int, said: str
) -> None:
    failed = run_factory(corpus, str(tmp_path / "root"), [override], check=False)
    assert failed.code == code, failed.stderr
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not list((tmp_path / "root").glob("steps/*"))
