"""What `factory doctor` says of runs that did not get to their end."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from factory.cli.main import main
from factory.run.attempt import StepRun, begin, finish
from factory.run.diagnosis import examine_run
from factory.run.record import plan_key, write_record
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.lease import held
from factory.store.local import LocalStore

RUN, FOLDER = "feed", "extract-00aa"


@pytest.fixture
def store(local_store: LocalStore) -> LocalStore:
    """A run of one step with two planned units, one of them committed."""
    attempt = begin(local_store, StepRun(FOLDER, RUN), Unit("aa01"), {})
    finish(local_store, StepRun(FOLDER, RUN), attempt, UnitResult(1, 1, (pa.table({"id": ["a"]}),), "id"))
    local_store.put(f"steps/{FOLDER}/step.json", b'{"version":1,"own":{}}')
    local_store.put(plan_key(RUN, "extract"), json.dumps({"units": ["aa01", "aa02"]}).encode())
    write_record(local_store, record("running"))
    return local_store


def record(state: str, **more: Any) -> dict[str, Any]:
    return {"run": RUN, "state": state, "started": "2026", "steps": {"extract": FOLDER}, "config": {}, **more}


def told(store: Store, state: str = "running", bytes_too: bool = False, **more: Any) -> list[str]:
    return [f"{found.what} | {found.remedy}" for found in examine_run(store, record(state, **more), bytes_too)]


def test_a_killed_run_is_told_with_what_is_left_and_a_running_one_is_let_be(store: LocalStore) -> None:
    found = told(store)
    assert any("it was killed" in line and "same command" in line for line in found)
    assert any("1 of its 2 units are not committed" in line for line in found)
    with held(store, f"run-{RUN}", "a run", print):
        assert not any("killed" in line for line in told(store))


def test_a_failure_is_repeated_and_a_lost_dataset_named(store: LocalStore) -> None:
    assert any("it failed: the disk is full" in line for line in told(store, "failed", error="the disk is full"))
    found = told(store, "finished", dataset="datasets/a/v1")
    assert any("no datasets/a/v1/manifest.json" in line for line in found)


def test_a_file_that_is_gone_names_the_commit_to_delete_and_a_changed_one_is_found_by_its_bytes(
    store: LocalStore,
) -> None:
    (key,) = [info.key for info in store.list(f"steps/{FOLDER}/data/")]
    assert not any("gone or changed" in line for line in told(store, bytes_too=True))
    whole = store.get(key)
    store.put(key, whole[:-1] + b"x")
    assert not any("gone or changed" in line for line in told(store))
    assert any("gone or changed" in line for line in told(store, bytes_too=True))
    store.delete(key)
    assert any(f"delete steps/{FOLDER}/commits/aa/aa01.json" in line for line in told(store))


def test_a_unit_that_is_begun_again_and_again_stands_out(store: LocalStore) -> None:
    for attempt in range(3):
        store.put(f"steps/{FOLDER}/attempts/aa02.{attempt}.json", b"{}")
    assert any("begun 3 times or more, never committed: aa02" in line for line in told(store))


def test_one_torn_object_does_not_hide_another(store: LocalStore, capsys: pytest.CaptureFixture[str]) -> None:
    store.put(f"steps/{FOLDER}/commits/aa/aa01.json", b'{"unit":')
    store.put(plan_key(RUN, "extract"), b"")
    assert main(["doctor", store.root]) == 1
    out = capsys.readouterr().out
    assert "commits/aa/aa01.json" in out
    assert plan_key(RUN, "extract") in out
    closing = json.loads(out.splitlines()[-1])
    assert closing["ok"] is False
    assert all(set(found) == {"about", "what", "cause", "remedy", "broken"} for found in closing["findings"])


def test_a_run_that_its_gates_stopped_is_told_and_stands_in_nobodys_way(store: LocalStore) -> None:
    error = (
        "no dataset was published, these gates failed:\n  - min_samples: 3, must be at least 50\n      an evidence line"
        "\n  likely cause: too few documents\n  what to do:   raise limit"
    )
    (found, *_) = [
        each
        for each in examine_run(store, record("failed", error=error, error_type="GateError"))
        if "gates" in each.what
    ]
    assert not found.broken
    assert "min_samples: 3" in found.what
    assert "evidence" not in found.what
    assert (found.cause, found.remedy) == ("too few documents", "raise limit")


OTHER_SHAPES = (b"null", b"[]", b"{}", b'"text"', b"7", b"{", b"", b"\xff\xfe", b'{"a":' * 2000)


def reshaped(value: Any) -> list[Any]:
    """A JSON object with one of its fields of another kind, each in turn."""
    found = []
    for name in value if isinstance(value, dict) else ():
        found += [{**value, name: other} for other in (None, [], {}, "text", -1, [[None]])]
        found.append({key: item for key, item in value.items() if key != name})
    return found


def test_whatever_an_object_holds_the_doctor_ends_in_words(
    store: LocalStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every JSON object of a root in other shapes: whole ones of other versions, torn ones, fields of other kinds."""
    with held(store, f"run-{RUN}", "a run", print):
        pass
    store.put("datasets/a/v1/manifest.json", b'{"kind":"factory-dataset","manifest_version":99}')
    objects = [info.key for info in store.list("") if info.key.endswith(".json")]
    assert len(objects) >= 6
    told = 0
    for key in objects:
        whole = store.get(key)
        for data in (*OTHER_SHAPES, *map(json.dumps, reshaped(json.loads(whole) if whole else None))):
            store.put(key, data if isinstance(data, bytes) else data.encode())
            code = main(["doctor", store.root, "--bytes"])
            out, err = capsys.readouterr()
            assert code in (0, 1), (key, data, err)
            told += json.loads(out.splitlines()[-1])["ok"] is False
        store.put(key, whole)
    assert told > 100


@pytest.mark.parametrize("kept", ["runs/", "steps/", "datasets/"])
def test_a_root_of_which_a_part_was_copied_says_what_is_missing(
    store: LocalStore, kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store.put("datasets/a/v1/data/train-00000.parquet", b"PAR1")
    for info in list(store.list("")):
        if not info.key.startswith(kept):
            store.delete(info.key)
    assert main(["doctor", store.root]) == 1
    out = capsys.readouterr().out
    missing = {
        "runs/": f"steps/{FOLDER}/step.json is not in",
        "steps/": "there are steps, and no run that names them",
        "datasets/": "there are files of a dataset, and no manifest.json",
    }
    assert missing[kept] in out
    assert "what to do:" in out


def test_what_others_left_in_a_root_is_told_and_stands_in_nobodys_way(
    store: LocalStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(store, record("running"))
    store.put("probe-0123456789abcdef", b"first")
    store.put("notes/of mine.txt", b"x")
    store.put(f"leases/run-{RUN}.json", json.dumps(
        {"machine": "elsewhere//", "pid": 1, "born": 1.0, "what": "a run", "nonce": "n", "written": 1}
    ).encode())  # fmt: skip
    now = store.clock()
    monkeypatch.setattr(LocalStore, "clock", lambda self: now - 86_400)
    main(["doctor", store.root])
    assert "in the future, by the clock of its own store" in capsys.readouterr().out
    monkeypatch.setattr(LocalStore, "clock", lambda self: now + 3600)
    main(["doctor", store.root])
    out = capsys.readouterr().out
    assert "objects of a trial of the store are left: probe-0123456789abcdef" in out
    assert "1 names at its top are none of the factory's: notes" in out
    assert "left it behind, 3,600 s ago" in out
    notes = [found for found in json.loads(out.splitlines()[-1])["findings"] if found["about"] in ("the root",)]
    assert notes
    assert not any(found["broken"] for found in notes)


def test_a_commit_of_another_unit_and_a_record_that_is_gone_are_told(
    store: LocalStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store.put(f"steps/{FOLDER}/commits/aa/aa02.json", store.get(f"steps/{FOLDER}/commits/aa/aa01.json"))
    assert any("aa02.json is the commit of another unit: aa01" in line for line in told(store))
    store.delete(f"runs/{RUN}.json")
    assert main(["doctor", store.root]) == 1
    out = capsys.readouterr().out
    assert f"1 runs have a folder and no record: runs/{RUN}.json" in out


def test_a_folder_that_is_no_root_is_not_made_one(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(tmp_path / "misspelt")]) == 2
    assert "there is no run under" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_finished_run_is_told_how_to_look_again(store: LocalStore) -> None:
    """The same command would find it finished, and mend nothing."""
    (key,) = [info.key for info in store.list(f"steps/{FOLDER}/data/")]
    store.delete(key)
    (found,) = [line for line in told(store, "finished") if "gone or changed" in line]
    assert f"delete steps/{FOLDER}/commits/aa/aa01.json" in found
    assert f"delete runs/{RUN}.json as well" in found
    assert not any("as well" in line for line in told(store, "failed"))
