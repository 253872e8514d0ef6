"""Retention: what models answered goes after its days, what it cost and what was asked stays provable."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from factory.cli.main import main
from factory.govern.erasure.erase import erase
from factory.govern.erasure.records import records, unfinished
from factory.govern.retention import rehearse, retain
from factory.publish.manifest import unseal
from factory.publish.replay import find_sample, replay
from factory.run.outputs import forget_committed
from factory.store.base import ObjectInfo
from factory.store.local import LocalStore
from tests.corpora import write_corpus
from tests.govern.erasure.worlds import DATASET, KilledError, checks, killed, silent, tables
from tests.publish.world import World, make_world
from tests.runs import run_factory

DAY_S = 86_400


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    root = tmp_path_factory.mktemp("published") / "root"
    world = make_world(LocalStore(str(root)), documents=6)
    world.publish()
    return root, world


@pytest.fixture
def root(published: tuple[Path, World], tmp_path: Path) -> Path:
    shutil.copytree(published[0], tmp_path / "root")
    forget_committed()
    return tmp_path / "root"


def completions(root: Path, where: str = "*/requests/") -> list[str]:
    found = [pq.read_table(path)["texts"].to_pylist() for path in root.glob(f"steps/{where}*.parquet")]
    return [text for rows in found for texts in rows for text in texts]


def costs(root: Path) -> list[tuple[object, ...]]:
    return sorted(
        (row["request_id"], row["prompt_sha256"], row["prompt_tokens"], tuple(row["generated_tokens"]))
        for key, rows in tables(root).items()
        if "/requests/" in key
        for row in rows
    )


def test_completions_go_and_what_they_cost_stays(root: Path) -> None:
    assert completions(root)
    before, published = costs(root), (root / DATASET / "manifest.json").read_bytes()
    done = retain(LocalStore(str(root)), 0, "me", silent)
    assert done is not None
    assert completions(root) == []
    assert costs(root) == before
    assert (root / DATASET / "manifest.json").read_bytes() == published


def test_verification_says_that_they_went_under_retention(root: Path) -> None:
    retain(LocalStore(str(root)), 0, "me", silent)
    found = checks(root)
    assert all(ok for ok, _ in found.values()), found
    assert "raw requests removed" in found["erasures"][1]


def test_replay_proves_prompts_without_completions_and_says_why_there_are_none(
    root: Path, published: tuple[Path, World]
) -> None:
    retain(LocalStore(str(root)), 0, "me", silent)
    store = LocalStore(str(root))
    manifest = unseal((root / DATASET / "manifest.json").read_bytes(), "")
    rows = next(rows for key, rows in tables(root).items() if key.startswith(DATASET))
    sample = find_sample(store, DATASET, manifest, rows[0]["sample_id"])
    replayed = replay(store, manifest, sample, published[1].steps)
    assert replayed.proven
    assert all(request.texts == () and "retention" in request.removed for request in replayed.requests)


@dataclass(frozen=True)
class Aged(LocalStore):
    """A store that says of one object that it is a month old."""

    old: str = ""

    def head(self, key: str) -> ObjectInfo | None:
        found = super().head(key)
        return replace(found, modified=found.modified - 31 * DAY_S) if found is not None and key == self.old else found


def test_younger_completions_stay_and_age_is_that_of_the_attempt(root: Path) -> None:
    assert retain(LocalStore(str(root)), 30, "me", silent) is None
    old = next(root.glob("steps/answer-*/attempts/*.json"))
    held = len(completions(root))
    done = retain(Aged(str(root), old=old.relative_to(root).as_posix()), 30, "me", silent)
    assert done is not None
    assert 0 < done.rows["answer requests"] == held - len(completions(root))
    assert completions(root, f"answer-*/requests/{old.name.split('.')[0]}") == []


def test_a_run_that_failed_holds_back_nothing(root: Path) -> None:
    folder = next(root.glob("steps/answer-*")).name
    record = {"run": "0123456789abcdef", "state": "failed", "steps": {"answer": folder}}
    (root / "runs/0123456789abcdef.json").write_text(json.dumps(record))
    done = retain(LocalStore(str(root)), 0, "me", silent)
    assert done is not None
    assert completions(root) == []


def test_what_a_failed_run_paid_for_is_used_on_without_its_completions(tmp_path: Path) -> None:
    corpus, root = write_corpus(tmp_path / "corpus", 4, shards=1), tmp_path / "root"
    keys = ("question.levels=[1]", "cluster.executor=processes")
    assert run_factory(corpus, str(root), (*keys, "gate.min_samples=100000"), check=False).code == 7
    assert completions(root)
    assert main(["retention", str(root), "--days", "0"]) == 0
    assert completions(root) == []
    forget_committed()
    done = run_factory(corpus, str(root), keys).result
    assert done["requests"] == 0
    assert main(["verify", done["dataset"]]) == 0


def test_what_is_too_young_is_named_with_its_run_and_when_it_is_due(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = next(root.glob("steps/answer-*")).name
    record = {"run": "0123456789abcdef", "state": "failed", "steps": {"answer": folder}}
    (root / "runs/0123456789abcdef.json").write_text(json.dumps(record))
    for dry_run in ([], ["--dry-run"]):
        assert main(["retention", str(root), "--days", "90", *dry_run]) == 0
        out, told = capsys.readouterr()
        assert "has completions of 90 days or more" in told
        kept = {each["what"]: each for each in json.loads(out.splitlines()[-1])["kept"]}
        assert kept["answer requests"]["texts"] == len(completions(root, "answer-*/requests/"))
        assert kept["answer requests"]["runs"] == ["0123456789abcdef"]
        assert "of run 0123456789abcdef" in told
        assert "due in 90.0 days" in told


def test_another_age_than_that_of_a_killed_retention_waits_for_it(root: Path) -> None:
    with pytest.raises(KilledError):
        retain(killed(root, 6), 0, "me", silent)
    told: list[str] = []
    retain(LocalStore(str(root)), 90, "me", told.append)
    assert any("of 0 days was killed and is finished first" in line for line in told)


def test_a_killed_retention_is_finished_by_the_same_command_and_not_begun_twice(root: Path) -> None:
    for write in (1, 3, 6, 9):
        with pytest.raises(KilledError):
            retain(killed(root, write), 0, "me", silent)
    done = retain(LocalStore(str(root)), 0, "me", silent)
    assert done is not None
    assert completions(root) == []
    assert not unfinished(LocalStore(str(root)))
    assert len(records(LocalStore(str(root)))) == 1
    assert all(ok for ok, _ in checks(root).values())
    assert retain(LocalStore(str(root)), 0, "me", silent) is None


def test_a_document_can_be_erased_after_retention_and_the_other_way_round(root: Path) -> None:
    store = LocalStore(str(root))
    used = sorted({doc for key, rows in tables(root).items() if key.startswith(DATASET) for row in rows
                   for doc in row["doc_ids"]})  # fmt: skip
    erase(store, [used[0]], "asked for", "me", silent)
    retain(store, 0, "me", silent)
    done = erase(store, [used[1]], "asked for", "me", silent)
    assert done.left == ()
    assert all(ok for ok, _ in checks(root).values())


def test_the_command_says_what_would_go_and_what_went(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = rehearse(LocalStore(str(root)), 0, "me")
    assert told is not None
    assert main(["retention", str(root), "--days", "0", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["rows"] == told.rows
    assert completions(root)
    assert main(["retention", str(root), "--days", "0"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["rows"] == told.rows
    assert main(["retention", str(root), "--days", "0"]) == 0
    assert "has completions of 0 days or more" in capsys.readouterr().err
    for days, by in (("-1", "me"), ("1e9", "me"), ("nan", "me"), ("0", "")):
        for dry_run in ([], ["--dry-run"]):
            assert main(["retention", str(root), f"--days={days}", "--by", by, *dry_run]) == 2
    assert "from 0 (all) to 1,000,000" in capsys.readouterr().err
