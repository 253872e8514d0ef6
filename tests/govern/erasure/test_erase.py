"""Erasing a document: nothing of it is left, nothing else is touched, and it can be killed anywhere."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.cli.main import main
from factory.errors import ConfigError
from factory.govern.erasure.erase import erase, rehearse
from factory.govern.erasure.files import unknown_files
from factory.govern.erasure.records import begun_key, done_key, erasures, record_key, records, unfinished
from factory.identity import canonical_json
from factory.run.outputs import forget_committed
from factory.run.root_diagnosis import examine_root
from factory.store.commits import parsed_commit
from factory.store.lease import held
from factory.store.local import LocalStore
from tests.govern.erasure.worlds import (
    DATASET,
    KilledError,
    checks,
    derived,
    document,
    holding,
    killed,
    silent,
    tables,
    watched,
)
from tests.publish.world import make_world


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published dataset with its root; tests change copies of it."""
    root = tmp_path_factory.mktemp("published") / "root"
    make_world(LocalStore(str(root)), documents=12).publish()
    return root


@pytest.fixture
def root(published: Path, tmp_path: Path) -> Path:
    shutil.copytree(published, tmp_path / "root")
    forget_committed()
    return tmp_path / "root"


def verified(root: Path) -> bool:
    return all(ok for ok, _ in checks(root).values())


def test_an_erased_document_is_in_no_file_of_the_root(root: Path) -> None:
    passage = document(root)
    ids = derived(root, passage["doc_id"])
    questions = {row["question"] for key, rows in tables(root).items() if key.startswith("datasets/") for row in rows
                 if passage["doc_id"] in row["doc_ids"]}  # fmt: skip
    wanted = {*ids, passage["text"], *questions}
    assert len(holding(root, wanted)) > 10
    done = erase(LocalStore(str(root)), [passage["doc_id"]], "asked for", "me", silent)
    assert holding(root, wanted) == {}
    assert done.left == ()
    assert done.rows[DATASET] == len(questions)


def test_rows_of_other_documents_keep_their_places_and_every_byte_of_their_content(root: Path) -> None:
    passage = document(root)
    ids = derived(root, passage["doc_id"])
    before = tables(root)
    erase(LocalStore(str(root)), [passage["doc_id"]], "asked for", "me", silent)
    after = tables(root)
    for key, rows in before.items():
        stem = key.removesuffix(".parquet")
        found = after[key] if key in after else next(after[name] for name in after if name.startswith(stem))
        mine = [json.dumps(row, default=str) for row in rows]
        stays = [not any(each in text for each in ids) for text in mine]
        if key.startswith("datasets/"):
            assert [json.dumps(row, default=str) for row in found] == [
                text for text, stay in zip(mine, stays, strict=True) if stay
            ]
        elif "/data/" in key and len(found) == len(rows):
            for row, text, stay in zip(found, mine, stays, strict=True):
                assert not stay or json.dumps(row, default=str) == text


def test_verification_accepts_what_the_record_names_and_says_what_was_erased(root: Path) -> None:
    erase(LocalStore(str(root)), [document(root)["doc_id"]], "request 7", "me", silent)
    found = checks(root)
    assert all(ok for ok, _ in found.values()), found
    assert "request 7" in found["erasures"][1]
    assert "erased in part" in found["erased"][1]


def test_the_bundle_written_afterwards_tells_it_and_is_held_against_the_records(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    erase(LocalStore(str(root)), [document(root)["doc_id"]], "request 7", "me", silent)
    (record,) = records(LocalStore(str(root)))
    dataset = str(root / DATASET)
    assert main(["bundle", dataset]) == 0
    (folder,) = (root / "datasets/toy/records/v1").glob("bundle-*")
    telling = {path.name for path in folder.rglob("*.*") if record.erasure.encode() in path.read_bytes()}
    assert {"bundle.json", "eu-ai-act.md", "croissant.json", "prov.json"} <= telling
    assert main(["bundle", dataset, "--check"]) == 0
    (root / "datasets/toy/records/v1/erasures" / f"{record.erasure}.json").unlink()
    capsys.readouterr()
    assert main(["bundle", dataset, "--check"]) == 1
    assert f"FAILED  manifest.json: erasure {record.erasure}: " in capsys.readouterr().out


def test_without_its_record_an_emptied_file_is_a_fault(root: Path) -> None:
    erase(LocalStore(str(root)), [document(root)["doc_id"]], "asked for", "me", silent)
    (record,) = records(LocalStore(str(root)))
    (root / f"erasures/{record.erasure}.json").unlink()
    ok, detail = checks(root)["erasures"]
    assert not ok
    assert "there is no record" in detail


def test_a_record_that_was_changed_afterwards_is_found_and_not_repeated(root: Path) -> None:
    store = LocalStore(str(root))
    erase(store, [document(root)["doc_id"]], "asked for", "me", silent)
    (record,) = records(store)
    for name in (record_key(record.erasure), begun_key(record.erasure), done_key(record.erasure)):
        path = root / name
        written = path.read_bytes()
        path.write_bytes(canonical_json({**orjson.loads(written), "at": "2020-01-01T00:00:00+00:00"}))
        ok, detail = checks(root)["erasures"]
        assert not ok
        assert name in detail
        assert "changed after it was written" in detail
        assert [each.about for each in examine_root(store, set()) if each.about.startswith("erasures/")] == [name]
        path.write_bytes(written)
    assert verified(root)


def test_any_other_change_is_still_found_after_an_erasure(root: Path) -> None:
    erase(LocalStore(str(root)), [document(root)["doc_id"]], "asked for", "me", silent)
    (record,) = records(LocalStore(str(root)))
    emptied = next(change.key for change in record.changes if "/answer" in change.key and change.added)
    other = next(root.glob("steps/check-*/data/*.parquet"))
    for path in (root / emptied, other):
        data = path.read_bytes()
        path.write_bytes(data[:-9] + b"X" + data[-8:])
        assert not checks(root)["files of steps"][0]
        path.write_bytes(data)
    assert verified(root)


def test_a_commit_that_was_edited_in_the_name_of_an_erasure_is_found(root: Path) -> None:
    erase(LocalStore(str(root)), [document(root)["doc_id"]], "asked for", "me", silent)
    for path in root.glob("steps/answer-*/commits/*/*.json"):
        commit = parsed_commit(path.read_bytes(), "", "")
        if commit.erased:
            body = orjson.loads(path.read_bytes())
            body["files"][0]["sha256"] = "0" * 64
            path.write_bytes(canonical_json(body))
    ok, detail = checks(root)["erasures"]
    assert not ok
    assert "not as any erasure record left it" in detail


def test_killed_between_any_two_writes_it_is_finished_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _file: None)  # nobody cuts the power here
    root = tmp_path / "root"
    make_world(LocalStore(str(root)), documents=3).publish()
    passage = document(root)
    wanted = {*derived(root, passage["doc_id"]), passage["text"]}
    states: list[Path] = []

    def keep(number: int) -> None:
        """The root as a killed writer would leave it; files are replaced whole, so a second name keeps their bytes."""
        states.append(tmp_path / f"before-{number}")
        shutil.copytree(root, states[-1], copy_function=os.link)

    expected = erase(watched(root, keep), [passage["doc_id"]], "asked for", "me", silent)
    assert len(states) > 40
    for number, state in enumerate(states):
        done = erase(LocalStore(str(state)), [passage["doc_id"]], "asked for", "me", silent)
        assert (done.rows, done.left, done.files) == (expected.rows, (), expected.files), number
        assert not unfinished(LocalStore(str(state)))
        if number % 10 == 0:
            assert holding(state, wanted) == {}, number
            assert verified(state), number
        shutil.rmtree(state)


def test_a_dry_run_says_the_same_and_changes_nothing(root: Path, tmp_path: Path) -> None:
    passage = document(root)
    before = _bytes(root)
    told = rehearse(LocalStore(str(root)), [passage["doc_id"]], "asked for", "me", silent)
    assert _bytes(root) == before
    done = erase(LocalStore(str(root)), [passage["doc_id"]], "asked for", "me", silent)
    assert (told.rows, told.left, told.files) == (done.rows, done.left, done.files)


def _bytes(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_documents_are_erased_one_after_the_other(root: Path) -> None:
    store = LocalStore(str(root))
    passages = [document(root, place) for place in (0, 1)]
    wanted = {each for passage in passages for each in (*derived(root, passage["doc_id"]), passage["text"])}
    for passage in passages:
        erase(store, [passage["doc_id"]], "asked for", "me", silent)
    assert holding(root, wanted) == {}
    assert verified(root)
    assert len(records(store)) == 2


def test_all_documents_of_a_dataset_may_be_erased(root: Path) -> None:
    every = sorted({row["doc_id"] for key, rows in tables(root).items() if key.startswith("steps/select")
                    for row in rows})  # fmt: skip
    done = erase(LocalStore(str(root)), every, "all of it", "me", silent)
    assert done.left == ()
    assert verified(root)
    assert json.loads((root / DATASET / "manifest.json").read_text())["totals"]["rows"] == 0


def test_nothing_is_begun_while_somebody_works_in_the_root(root: Path) -> None:
    store, doc_id = LocalStore(str(root)), document(root)["doc_id"]
    with held(store, "run-0123", "a run", silent), pytest.raises(ConfigError, match="a run"):
        erase(store, [doc_id], "asked for", "me", silent)
    assert erasures(store) == []


def test_another_erasure_waits_for_one_that_was_killed(root: Path) -> None:
    store = LocalStore(str(root))
    first, second = (document(root, place)["doc_id"] for place in (0, 1))
    with pytest.raises(KilledError):
        erase(killed(root, 8), [first], "asked for", "me", silent)
    with pytest.raises(ConfigError, match="is not finished"):
        erase(store, [second], "asked for", "me", silent)


def test_a_document_that_the_root_does_not_have_is_named(root: Path) -> None:
    store = LocalStore(str(root))
    with pytest.raises(ConfigError, match="has this document"):
        erase(store, ["0" * 32], "asked for", "me", silent)
    assert not (root / "erasures").exists()
    with pytest.raises(ConfigError, match="no run and no dataset"):
        erase(LocalStore(str(root / "nowhere")), ["0" * 32], "asked for", "me", silent)
    assert not (root / "nowhere").exists()
    with pytest.raises(ConfigError, match="no id"):
        erase(store, ["the one about eigenvalues"], "asked for", "me", silent)
    assert erasures(store) == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_one_unknown_id_among_known_ones_is_named_and_nothing_is_erased(
    root: Path, dry_run: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    doc_id, before = document(root)["doc_id"], _bytes(root)
    slip = doc_id[:-1] + ("0" if doc_id[-1] != "0" else "1")
    line = ["erase", str(root), doc_id, slip, "--reason", "request A", "--by", "me"]
    assert main([*line, "--dry-run"] if dry_run else line) == 2
    told = capsys.readouterr().err
    assert f"no file of {root} has 1 of these 2 documents: {slip}" in told.replace("file://", "")
    assert doc_id not in told
    assert _bytes(root) == before


def test_an_id_that_was_erased_earlier_is_no_slip_among_others_and_has_nothing_left_alone(root: Path) -> None:
    store = LocalStore(str(root))
    first, second = (document(root, place)["doc_id"] for place in (0, 1))
    erase(store, [first], "asked for", "me", silent)
    with pytest.raises(ConfigError, match=rf"has this document: erased before, {first} on 20"):
        erase(store, [first], "asked for", "me", silent)
    assert rehearse(store, [first, second], "asked for", "me", silent).left == ()
    assert erase(store, [first, second], "asked for", "me", silent).left == ()
    assert verified(root)


@pytest.mark.parametrize("reason", ["", "one line\nverified: ok"])
def test_a_dry_run_refuses_the_reasons_that_the_erasure_refuses(root: Path, reason: str) -> None:
    doc_id = document(root)["doc_id"]
    for act in (erase, rehearse):
        with pytest.raises(ConfigError, match="reason"):
            act(LocalStore(str(root)), [doc_id], reason, "me", silent)
        with pytest.raises(ConfigError, match="name"):
            act(LocalStore(str(root)), [doc_id], "asked for", "", silent)


def test_a_dry_run_of_an_erasure_that_was_killed_accepts_its_ids_and_no_others(root: Path) -> None:
    first, second = (document(root, place)["doc_id"] for place in (0, 1))
    with pytest.raises(KilledError):
        erase(killed(root, 30), [first], "asked for", "me", silent)
    assert rehearse(LocalStore(str(root)), [first], "asked for", "me", silent).left == ()
    with pytest.raises(ConfigError, match="is not finished"):
        rehearse(LocalStore(str(root)), [second], "asked for", "me", silent)


def test_the_record_has_neither_ids_nor_texts(root: Path) -> None:
    passage = document(root)
    erase(LocalStore(str(root)), [passage["doc_id"]], "asked for", "me", silent)
    (record,) = records(LocalStore(str(root)))
    (entry,) = record.documents
    assert len(entry) == 64
    assert not list(root.glob("erasures/*.work.json"))
    assert not list(root.glob("erasures/*.staged/*"))
    tombstone = json.loads((root / f"datasets/toy/records/v1/erasures/{record.erasure}.json").read_text())
    manifest = json.loads((root / DATASET / "manifest.json").read_text())
    assert tombstone["manifest_now"] == manifest["digest"]
    assert tombstone["manifest_before"] == manifest["erased"][0]["manifest_before"]


def test_the_command_says_what_went_and_what_it_cannot_reach(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doc_id = document(root)["doc_id"]
    assert main(["erase", str(root), doc_id, "--reason", "asked for", "--by", "me"]) == 0
    out, told = capsys.readouterr()
    assert json.loads(out.splitlines()[-1])["left"] == []
    assert "nothing of them is left" in told
    assert "backups" in told
    assert doc_id not in told
    assert main(["verify", str(root / DATASET), "--bytes"]) == 0


def test_a_file_of_an_unknown_kind_is_reported_and_looked_through(root: Path) -> None:
    passage = document(root)
    (root / "notes").mkdir()
    (root / "notes/mine.txt").write_text(f"see {passage['doc_id']}")
    assert unknown_files(LocalStore(str(root))) == ["notes/mine.txt"]
    done = erase(LocalStore(str(root)), [passage["doc_id"]], "asked for", "me", silent)
    assert done.unknown == ("notes/mine.txt",)
    assert done.left == ("notes/mine.txt",)


def test_files_of_attempts_that_lost_are_deleted_where_they_hold_it(root: Path) -> None:
    passage = document(root)
    kept = next(path for path in root.glob("steps/answer-*/data/*.parquet")
                if any(passage["doc_id"] in row["doc_ids"] for row in _rows(path)))  # fmt: skip
    unit, _, part, _ = kept.name.split(".")
    lost = kept.with_name(f"{unit}.aaaaaaaaaaaa.{part}.parquet")
    shutil.copy(kept, lost)
    erase(LocalStore(str(root)), [passage["doc_id"]], "asked for", "me", silent)
    assert not lost.exists()


def _rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows
