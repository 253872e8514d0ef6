"""Runs in one root that leave out what others published, end to end with the scripted engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.curate.index.listing import LIST, read_list
from factory.curate.index.pin import View, pin_key, view_bytes
from factory.curate.index.segment import prefix_of
from factory.store.local import LocalStore
from tests.corpora import write_corpus
from tests.runs import command, dataset_rows, done_of, factory_cli, run_factory

ON = ("curate.index.use=all", "curate.index.register=true", "question.levels=[1]", "gate.min_yield=null")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), 24)


@pytest.fixture(scope="module")
def first(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A root with one registered dataset, and that run's closing object."""
    root = tmp_path_factory.mktemp("root")
    result = run_factory(corpus, str(root), (*ON, "publish.name=first", "limit=16")).result
    shutil.copytree(root, early(root))
    return root, result


def early(root: Path) -> Path:
    """A copy of the root as it was before the second run."""
    return root.with_name("early")


@pytest.fixture(scope="module")
def second(corpus: Path, first: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """A run over more of the same corpus, with another name."""
    return run_factory(corpus, str(first[0]), (*ON, "publish.name=second")).result


def questions(dataset: str) -> set[str]:
    tables = [table.select(["question"]) for table in dataset_rows(dataset).values()]
    return set(pa.concat_tables(tables).column("question").to_pylist())


def rejects(root: Path, step: str) -> list[dict[str, object]]:
    tables = [pq.read_table(path).to_pylist() for path in root.glob(f"steps/{step}-*/rejects/*.parquet")]
    return [{**row, "evidence": json.loads(row["evidence"])} for rows in tables for row in rows]


def manifest_of(dataset: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(Path(dataset, "manifest.json").read_text())
    return found


def test_a_second_run_leaves_out_what_the_first_published_and_says_so(
    first: tuple[Path, dict[str, str]], second: dict[str, str]
) -> None:
    root, published = first
    assert questions(published["dataset"]) & questions(second["dataset"]) == set()
    decided = done_of(root, second["run"], "decide")
    assert decided["facts"]["repeat_published"] > 0
    named = [row["evidence"] for row in rejects(root, "curate") if "dataset" in row["evidence"]]  # type: ignore[operator]
    version = manifest_of(published["dataset"])["version"]
    assert len(named) == decided["facts"]["repeat_published"]
    assert {(row["dataset"], row["version"]) for row in named} == {("first", version)}  # type: ignore[index]
    ids = {row for table in dataset_rows(published["dataset"]).values() for row in table["sample_id"].to_pylist()}
    assert {row["kept"] for row in named} <= ids  # type: ignore[index]


def test_manifest_names_what_the_dataset_was_compared_with_and_its_own_segment(
    first: tuple[Path, dict[str, str]], second: dict[str, str]
) -> None:
    root, published = first
    one, two = manifest_of(published["dataset"])["index"], manifest_of(second["dataset"])["index"]
    assert one["compared_with"] == []  # type: ignore[index]
    assert [item["dataset"] for item in two["compared_with"]] == ["first"]  # type: ignore[index]
    assert two["segments"] == [one["segment"]]  # type: ignore[index]
    on_list = {entry.segment for entry in read_list(LocalStore(str(root))).entries}
    assert {one["segment"], two["segment"]} <= on_list  # type: ignore[index]
    for dataset in (published["dataset"], second["dataset"]):
        assert factory_cli("verify", dataset).code == 0


def test_plan_and_report_say_what_a_run_is_compared_with(
    corpus: Path, first: tuple[Path, dict[str, str]], second: dict[str, str]
) -> None:
    root, _ = first
    planned = factory_cli("plan", *command(corpus, str(root), (*ON, "publish.name=third"))[3:])
    assert planned.code == 0, planned.stderr
    assert "first@" in planned.stdout
    assert "second@" in planned.stdout
    assert "first@" in Path(second["report"]).read_text()


def test_the_same_command_again_has_nothing_to_do(
    corpus: Path, first: tuple[Path, dict[str, str]], second: dict[str, str]
) -> None:
    again = run_factory(corpus, str(first[0]), (*ON, "publish.name=second")).result
    assert again["already_finished"]


def test_killed_after_registering_or_before_the_same_command_finishes_what_it_began(
    corpus: Path, first: tuple[Path, dict[str, str]], second: dict[str, str], tmp_path: Path
) -> None:
    """What a kill leaves: a record that says `running`, no manifest, and the questions on the list or not yet."""
    root = tmp_path / "root"
    shutil.copytree(first[0], root)
    store = LocalStore(str(root))
    dataset = Path(root, *Path(second["dataset"]).parts[-3:])
    before = (dataset / "manifest.json").read_bytes()
    segment = json.loads(before)["index"]["segment"]
    for registered in (True, False):
        (dataset / "manifest.json").unlink()
        record = root / "runs" / f"{second['run']}.json"
        record.write_text(record.read_text().replace('"state": "finished"', '"state": "running"'))
        if not registered:
            value = orjson.loads(store.get(LIST))
            value["entries"] = [entry for entry in value["entries"] if entry["segment"] != segment]
            store.put(LIST, orjson.dumps(value))
            shutil.rmtree(root / prefix_of(segment))
        assert run_factory(corpus, str(root), (*ON, "publish.name=second")).result["run"] == second["run"]
        assert (dataset / "manifest.json").read_bytes() == before
        assert segment in {entry.segment for entry in read_list(store).entries}


def test_what_others_registered_meanwhile_is_left_out_however_late_it_is_noticed(
    corpus: Path, first: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(early(first[0]), root)
    store = LocalStore(str(root))
    late = (*ON, "publish.name=late")
    # Pinned before anything was registered.
    run = json.loads(factory_cli("plan", "--json", *command(corpus, str(root), late)[3:]).stdout)["run"]
    store.put_if_absent(pin_key(run), view_bytes(View()))
    result = run_factory(corpus, str(root), late).result
    published = Path(root, *Path(first[1]["dataset"]).parts[-3:])
    assert questions(str(published)) & questions(result["dataset"]) == set()
    rechecked = done_of(root, run, "recheck")
    assert rechecked["counts"]["rejected"] == sum(rechecked["reasons"]["input"].values()) > 0
    assert {row["evidence"]["dataset"] for row in rejects(root, "recheck")} == {"first"}  # type: ignore[index]
    assert "first@" in Path(result["report"]).read_text()
    assert factory_cli("verify", result["dataset"]).code == 0

    # Once more from just before the swap, and the list has moved again since the recheck.
    (Path(result["dataset"]) / "manifest.json").unlink()
    record = root / "runs" / f"{run}.json"
    record.write_text(record.read_text().replace('"state": "finished"', '"state": "running"'))
    assert factory_cli("index", "remove", "late", "--root", str(root)).code == 0
    other = tmp_path / "other"
    third = run_factory(corpus, str(other), (*ON, "publish.name=third", "limit=20")).result
    assert factory_cli("index", "add", third["dataset"], "--root", str(root)).code == 0
    again = run_factory(corpus, str(root), late).result
    assert again["run"] == run
    assert questions(again["dataset"])
    assert questions(again["dataset"]) < questions(result["dataset"])
    assert questions(again["dataset"]) & questions(third["dataset"]) == set()
    assert {row["evidence"]["dataset"] for row in rejects(root, "recheck")} == {"first", "third"}  # type: ignore[index]
    assert read_list(store).datasets == ["first", "late", "third"]
    assert factory_cli("verify", again["dataset"]).code == 0


def test_what_is_removed_from_the_index_may_be_published_again(
    corpus: Path, first: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(early(first[0]), root)
    assert factory_cli("index", "remove", "first", "--root", str(root)).code == 0
    result = run_factory(corpus, str(root), (*ON, "publish.name=freed", "limit=16")).result
    published = Path(root, *Path(first[1]["dataset"]).parts[-3:])
    assert questions(result["dataset"]) == questions(str(published))
