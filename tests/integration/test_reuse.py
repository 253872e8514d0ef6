"""What one run paid for, another reuses: read from the ledger."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.corpora import row_of, write_corpus, write_shard
from tests.runs import command, dataset_rows, done_of, factory_cli, requests_spent, run_factory

DOCUMENTS = 48


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), DOCUMENTS)


@dataclass(frozen=True)
class Full:
    """A full run in a root of its own."""

    root: Path
    run: str
    requests: int
    dataset: str


@pytest.fixture(scope="module")
def full(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Full:
    root = tmp_path_factory.mktemp("full")
    result = run_factory(corpus, str(root)).result
    return Full(root, result["run"], requests_spent(root, result["run"]), result["dataset"])


@pytest.fixture
def copy(full: Full, tmp_path: Path) -> Full:
    """The same elsewhere, for tests that change it or run on in it."""
    root = tmp_path / "root"
    shutil.copytree(full.root, root)
    return replace(full, root=root, dataset=str(root / Path(full.dataset).relative_to(full.root)))


def test_a_full_run_after_a_limited_one_pays_only_for_the_rest(corpus: Path, full: Full, tmp_path: Path) -> None:
    sample = run_factory(corpus, str(tmp_path), ["limit=15"]).result
    paid_first = requests_spent(tmp_path, sample["run"])
    rest = run_factory(corpus, str(tmp_path)).result
    paid_second = requests_spent(tmp_path, rest["run"])
    assert 0 < paid_first < full.requests
    assert paid_first + paid_second == full.requests
    alone, after = dataset_rows(full.dataset), dataset_rows(rest["dataset"])
    for split in alone:
        assert alone[split].column("sample_id").to_pylist() == after[split].column("sample_id").to_pylist()
        assert alone[split].column("answer").to_pylist() == after[split].column("answer").to_pylist()


def test_a_corpus_grown_by_one_shard_pays_only_for_the_new_documents(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", 24)
    root = tmp_path / "root"
    before = run_factory(corpus, str(root)).result
    write_shard(corpus / "shard-900", [row_of(number) for number in range(500, 508)], 1)
    grown = run_factory(corpus, str(root)).result
    for dataset in (before["dataset"], grown["dataset"]):
        assert factory_cli("verify", dataset).code == 0
    alone = run_factory(corpus, str(tmp_path / "alone")).result
    assert done_of(root, grown["run"], "extract")["spent_now"]["requests"] == 8
    assert done_of(root, grown["run"], "question_1")["spent_now"]["requests"] == 8
    assert grown["samples"] == alone["samples"]


def test_a_changed_answer_prompt_setting_pays_for_answers_only(corpus: Path, copy: Full) -> None:
    root = copy.root
    warmer = run_factory(corpus, str(root), ["answer.sampling.temperature=0.9"]).result
    assert done_of(root, warmer["run"], "extract")["spent_now"].get("requests", 0) == 0
    assert done_of(root, warmer["run"], "question_1")["spent_now"].get("requests", 0) == 0
    assert done_of(root, warmer["run"], "answer")["spent_now"]["requests"] > 0


def test_a_deleted_dataset_is_published_again_and_pays_nothing(corpus: Path, copy: Full) -> None:
    shutil.rmtree(copy.dataset)
    again = run_factory(corpus, str(copy.root)).result
    assert not again["already_finished"]
    assert (again["dataset"], again["requests"]) == (copy.dataset, 0)
    assert factory_cli("verify", again["dataset"]).code == 0


def test_a_version_that_another_run_holds_is_refused_before_anything_is_paid_for(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", 8)
    root = tmp_path / "root"
    run_factory(corpus, str(root), ["publish.version=v1"])
    steps = sorted(path.name for path in (root / "steps").iterdir())
    refused = run_factory(corpus, str(root), ["publish.version=v1", "seed=5"], check=False)
    assert refused.code == 4
    assert "already the dataset of run" in refused.stderr
    assert sorted(path.name for path in (root / "steps").iterdir()) == steps


@pytest.mark.parametrize("damage", ["cut", "removed"])
def test_a_damaged_committed_file_ends_a_later_run_with_one_message(corpus: Path, copy: Full, damage: str) -> None:
    for path in copy.root.glob("steps/extract-*/data/*"):
        path.write_bytes(b"xx") if damage == "cut" else path.unlink()
    later = run_factory(corpus, str(copy.root), ["question.sampling.temperature=0.5"], check=False)
    assert later.code == 4
    assert "StoreError: steps/extract-" in later.stderr
    assert "Traceback" not in later.stderr
    assert factory_cli("verify", copy.dataset).code == 1


def test_plan_counts_what_other_runs_committed_and_leaves_no_trace(corpus: Path, copy: Full) -> None:
    root = copy.root
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    other = ["answer.sampling.temperature=0.9"]
    planned = factory_cli("plan", "--json", *command(corpus, str(root), other)[3:])
    assert planned.code == 0, planned.stderr
    steps = {step["step"]: step for step in json.loads(planned.stdout)["steps"]}
    names = list(steps)
    for name in names[: names.index("answer")]:
        assert steps[name]["units"] == steps[name]["units_done"] > 0, name
        assert steps[name]["requests"] == 0
    assert (steps["answer"]["exact"], steps["answer"]["units_done"]) == (True, 0)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()} == before
    result = run_factory(corpus, str(root), other).result
    assert requests_spent(root, result["run"]) == steps["answer"]["requests"]
