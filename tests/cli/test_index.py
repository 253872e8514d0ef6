"""`factory index`: what each action does to the list, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from factory.cli.main import main
from factory.curate.index.listing import read_list
from factory.store.local import LocalStore
from tests.curate.index.published import publish, view_now
from tests.curate.test_passes import DUCKS, PRIME
from tests.publish.world import make_world


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published dataset, below a root of its own."""
    root = tmp_path_factory.mktemp("root")
    return root / make_world(LocalStore(str(root)), 12).publish().prefix


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return found


def test_a_dataset_goes_into_its_own_root_or_another_once(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = json.loads((dataset / "manifest.json").read_text())["totals"]["rows"]
    assert main(["index", "add", str(dataset), "--root", str(tmp_path)]) == 0
    assert said(capsys)["added"] == rows
    assert main(["index", "add", str(dataset), "--root", str(tmp_path)]) == 0
    assert said(capsys)["added"] == 0
    assert view_now(LocalStore(str(tmp_path))).members == {("toy", "v1"): rows}
    assert main(["index", "add", str(dataset)]) == 0
    assert read_list(LocalStore(str(dataset.parents[2]))).datasets == ["toy"]
    capsys.readouterr()
    assert main(["index", "list", "--root", str(tmp_path)]) == 0
    (listed,) = said(capsys)["datasets"]  # type: ignore[misc]
    assert (listed["dataset"], listed["questions"], listed["published"]) == ("toy", rows, False)


def test_other_settings_rebuild_the_segment_in_the_place_of_the_old_one(dataset: Path, tmp_path: Path) -> None:
    assert main(["index", "add", str(dataset), "--root", str(tmp_path)]) == 0
    assert main(["index", "add", str(dataset), "--root", str(tmp_path), "--shingle-words", "4"]) == 0
    (entry,) = read_list(LocalStore(str(tmp_path))).entries
    assert entry.lsh["shingle_words"] == 4


def test_removing_takes_one_version_or_all_and_says_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LocalStore(str(tmp_path))
    publish(store, "algebra", [DUCKS], "v1")
    publish(store, "algebra", [DUCKS], "v2")
    publish(store, "calculus", [PRIME])
    assert main(["index", "remove", "algebra@v1", "--root", str(tmp_path)]) == 0
    assert said(capsys)["removed"] == ["algebra@v1"]
    assert sorted(read_list(store).members) == [("algebra", "v2"), ("calculus", "v1")]
    assert main(["index", "remove", "algebra", "--root", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["index", "remove", "algebra", "--root", str(tmp_path)]) == 2
    assert "it has: calculus@v1" in capsys.readouterr().err


def test_merging_leaves_one_segment_of_those_with_the_same_settings(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LocalStore(str(tmp_path))
    publish(store, "algebra", [DUCKS])
    publish(store, "calculus", [PRIME])
    assert main(["index", "add", str(dataset), "--root", str(tmp_path), "--permutations", "64"]) == 0
    before = view_now(store).members
    capsys.readouterr()
    assert main(["index", "merge", "--root", str(tmp_path)]) == 0
    answer = said(capsys)
    assert (answer["before"], answer["after"]) == (3, 2)
    assert view_now(store).members == before


def test_a_folder_that_is_no_dataset_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "add", str(tmp_path), "--root", str(tmp_path)]) == 2
    assert "manifest.json" in capsys.readouterr().err
