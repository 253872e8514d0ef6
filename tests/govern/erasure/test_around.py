"""What stands around the rows of a root: mixes, reviews, evaluations, withdrawals, the index, evidence of gates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.cli.main import main
from factory.curate.index.listing import read_list
from factory.curate.index.segment import read_segment
from factory.govern.approval import Approver, approve
from factory.govern.erasure.erase import erase
from factory.govern.facts import facts_of
from factory.govern.impact import asked, impact
from factory.govern.withdrawals import withdraw_document
from factory.identity import canonical_json
from factory.mix.job import make
from factory.mix.verify import verify_inputs, verify_mix
from factory.publish.manifest import Manifest
from factory.run.diagnosis import Finding
from factory.run.outputs import forget_committed
from factory.run.record import record_key
from factory.run.root_diagnosis import examine_root
from factory.store.local import LocalStore
from tests.govern.erasure.worlds import DATASET, KilledError, derived, document, holding, killed, silent, tables
from tests.mix.planted import config, pairs, write
from tests.publish.world import RUN, make_world
from tests.review.conftest import decide, session_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A root with a dataset, a mix of it, its segment of the index, a review and an evaluation; the mix's prefix."""
    root = tmp_path_factory.mktemp("made") / "root"
    store = LocalStore(str(root))
    store.put(record_key(RUN), orjson.dumps({"run": RUN, "state": "finished", "steps": {}}))
    published = make_world(store, documents=12).publish()
    approve(store, facts_of(published.manifest), Approver("ada"))
    people = write(root.parent / "h.jsonl", pairs(130, license="CC-BY-4.0"))
    parts = [
        {"name": "synth", "role": "synthetic", "paths": [str(root / DATASET)]},
        {"name": "people", "role": "human", "paths": [people]},
    ]
    mix = make(config(root, parts), store)
    assert main(["index", "add", str(root / DATASET)]) == 0
    session = session_of(str(root / DATASET), ["--reviewer", "ada", "--size", "30"])
    for place in range(len(session.sheet.items)):
        decide(session, place, "accept", comment=f"about {session.sheet.items[place].sample_id}")
    store.put("datasets/toy/records/v1/evaluation-0123/evaluation.html", b"<p>a page</p>")
    return root, mix.prefix


@pytest.fixture
def root(made: tuple[Path, str], tmp_path: Path) -> Path:
    shutil.copytree(made[0], tmp_path / "root")
    forget_committed()
    return tmp_path / "root"


def erased(root: Path) -> tuple[dict[str, Any], set[str]]:
    """Erases a document of the training rows; its passage, and all that nobody may find of it."""
    shards = [found for key, found in tables(root).items() if key.startswith(f"{DATASET}/data/train")]
    trained = {doc for found in shards for row in found for doc in row["doc_ids"]}
    passage = next(each for each in (document(root, place) for place in range(8)) if each["doc_id"] in trained)
    wanted = {*derived(root, passage["doc_id"]), passage["text"]}
    erase(LocalStore(str(root)), [passage["doc_id"]], "asked for", "me", silent)
    return passage, wanted


def test_nothing_around_the_rows_keeps_what_was_erased(root: Path) -> None:
    _, wanted = erased(root)
    assert holding(root, wanted) == {}


def test_a_mix_loses_its_rows_and_still_adds_up(root: Path, made: tuple[Path, str]) -> None:
    before = json.loads((root / made[1] / "manifest.json").read_text())
    erased(root)
    found = verify_mix(LocalStore(str(root / made[1])))
    assert found.ok, found.checks
    assert found.manifest is not None
    manifest: Manifest = found.manifest
    gone = before["totals"]["rows"] - manifest["totals"]["rows"]
    (synth, people) = manifest["parts"]
    assert gone == synth["reasons"]["erased"] == manifest["erased"][0]["rows"] > 0
    assert people == before["parts"][1]
    told = verify_inputs(LocalStore(str(root)), manifest)
    assert told.ok, told
    assert "erased" in told.detail


def test_a_mix_of_a_shard_that_was_written_again_still_rests_on_its_other_documents(
    root: Path, made: tuple[Path, str]
) -> None:
    def rows_of_mix(doc_id: str) -> int:
        found = impact(LocalStore(str(root)), asked(doc_id, None, None))
        return sum(hit.rows for hit in found.hits if hit.dataset.mix)

    before = {doc["doc_id"]: rows_of_mix(doc["doc_id"]) for doc in (document(root, place) for place in range(4))}
    passage, _ = erased(root)
    after = {doc_id: rows_of_mix(doc_id) for doc_id in before}
    assert any(rows for doc_id, rows in before.items() if doc_id != passage["doc_id"])
    assert after == {**before, passage["doc_id"]: 0}


def test_a_review_keeps_what_was_decided_about_other_rows(root: Path) -> None:
    before = _decisions(root)
    _, wanted = erased(root)
    after = _decisions(root)
    assert 0 < len(after) < len(before)
    assert all(key in before and decision == before[key] for key, decision in after.items())
    assert all(not any(each in str(before[key]) for each in wanted) for key in after)
    session = session_of(str(root / DATASET), ["--reviewer", "ada", "--size", "30"])
    assert len(session.decisions) in (0, len(after))


def _decisions(root: Path) -> dict[str, dict[str, Any]]:
    return {
        path.name: json.loads(path.read_text()) for path in root.glob("datasets/toy/records/v1/reviews/*/decisions/*/*")
    }


def test_pages_about_the_dataset_are_deleted(root: Path) -> None:
    erased(root)
    assert not list(root.glob("datasets/toy/records/v1/evaluation-*/*"))


def test_questions_leave_the_index_and_its_other_rows_keep_their_places(root: Path) -> None:
    store = LocalStore(str(root))
    (entry,) = read_list(store).entries
    before = read_segment(store, entry.segment).parts[0]
    rows = {key: found for key, found in tables(root).items() if key == before.rows.key}[before.rows.key]
    shingles = store.get(before.shingles.key)
    _, wanted = erased(root)
    after = read_segment(store, entry.segment).parts[0]
    new = tables(root)[after.rows.key]
    assert after.spans == before.spans
    gone = [row["sample_id"] in wanted for row in rows]
    assert any(gone)
    for old, row, away in zip(rows, new, gone, strict=True):
        assert row["sample_id"] == ("" if away else old["sample_id"])
        stored = store.get(after.shingles.key)[old["start"] : old["stop"]]
        assert stored == (bytes(len(stored)) if away else shingles[old["start"] : old["stop"]])
    assert main(["index", "list", "--root", str(root)]) == 0


def test_the_withdrawal_of_a_document_goes_with_it(root: Path) -> None:
    passage = document(root)
    withdraw_document(LocalStore(str(root)), passage["doc_id"], "me", "", "asked for")
    (root / f"runs/{RUN}").mkdir(exist_ok=True)
    (root / f"runs/{RUN}/withdrawn.json").write_bytes(canonical_json({"documents": ["a" * 32, passage["doc_id"]]}))
    erase(LocalStore(str(root)), [passage["doc_id"]], "asked for", "me", silent)
    assert not list(root.glob(f"withdrawals/{passage['doc_id']}/*"))
    assert json.loads((root / f"runs/{RUN}/withdrawn.json").read_text()) == {"documents": ["a" * 32]}
    assert holding(root, [passage["doc_id"]]) == {}


def test_a_root_with_an_unfinished_erasure_is_told_by_the_doctor(root: Path) -> None:
    store = LocalStore(str(root))
    with pytest.raises(KilledError):
        erase(killed(root, 9), [document(root)["doc_id"]], "asked for", "me", silent)
    found: list[Finding] = [each for each in examine_root(store, {RUN}) if "not finished" in each.what]
    assert len(found) == 1
    assert not [each for each in examine_root(store, {RUN}) if "none of the factory's" in each.what]
