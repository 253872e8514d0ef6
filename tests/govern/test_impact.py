"""What rests on a document, a licence or a model: found in datasets and in mixes, and listed by name."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.govern.approval import Approver, approve
from factory.govern.facts import facts_of
from factory.mix.job import make
from factory.publish.samples import SAMPLE
from factory.store.local import LocalStore
from tests.evaluate.dataset.published import publish as publish_rows
from tests.evaluate.dataset.published import row_of
from tests.govern.signing_off import factory
from tests.mix.planted import config, pairs, write
from tests.publish.world import World


@dataclass(frozen=True)
class Root:
    """A dataset of a run, a mix of its training rows with human ones, and a dataset of somebody else's documents."""

    path: Path
    rows: pa.Table
    mixed: pa.Table

    @property
    def document(self) -> str:
        """One that rows of the training split rest on."""
        return str(self.trained.column("doc_ids")[0].as_py()[0])

    @property
    def trained(self) -> pa.Table:
        return self.rows.filter(pa.compute.is_in(self.rows.column("sample_id"), self.in_mix))

    @property
    def in_mix(self) -> pa.Array:
        return pa.array([row["sample_id"] for row in self.mixed.column("lineage").to_pylist() if row["dataset"]])

    def resting_on(self, doc_id: str) -> set[str]:
        rows = self.rows.select(["sample_id", "doc_ids"]).to_pylist()
        return {row["sample_id"] for row in rows if doc_id in row["doc_ids"]}


@pytest.fixture(scope="module")
def root(worked: World, tmp_path_factory: pytest.TempPathFactory) -> Root:
    assert isinstance(worked.store, LocalStore)
    path = Path(shutil.copytree(worked.store.root, tmp_path_factory.mktemp("impact") / "root"))
    store = LocalStore(str(path))
    published = World(store, worked.dones, worked.steps).publish()
    approve(store, facts_of(published.manifest), Approver("ada"))
    people = write(path.parent / "h.jsonl", pairs(130, license="CC-BY-4.0"))
    parts = [
        {"name": "synth", "role": "synthetic", "paths": [str(path / published.prefix)]},
        {"name": "people", "role": "human", "paths": [people]},
    ]
    mix = make(config(path, parts), store)
    publish_rows(store, [row_of(n, "Why?", "So.", doc_ids=["e" * 32], license="ISC") for n in range(5)], name="other")
    return Root(path, table_of(path / published.prefix), table_of(path / mix.prefix))


def table_of(dataset: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted(dataset.glob("data/*.parquet")))


def found(root: Root, capsys: pytest.CaptureFixture[str], *asked: str) -> dict[str, tuple[int, int]]:
    """Dataset -> rows concerned, and rows in all."""
    capsys.readouterr()
    assert factory("impact", root.path, *asked, "--json") == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["rows"] == sum(each["rows"] for each in told["datasets"])
    return {each["dataset"]: (each["rows"], each["of"]) for each in told["datasets"]}


def test_a_document_is_found_in_the_dataset_and_in_the_mix_made_of_it(
    root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    resting = root.resting_on(root.document)
    mixed = resting & set(root.in_mix.to_pylist())
    assert mixed
    counts = found(root, capsys, root.document)
    assert counts == {"toy": (len(resting), root.rows.num_rows), "mix": (len(mixed), root.mixed.num_rows)}
    assert found(root, capsys, "e" * 32) == {"other": (5, 5)}
    assert found(root, capsys, "0" * 32) == {}


def test_a_licence_is_found_by_any_name_and_within_longer_ones(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    stated = root.rows.column("license").to_pylist()
    share_alike = sum("CC-BY-SA-4.0" in licence for licence in stated)
    assert 0 < share_alike < len(stated)
    assert found(root, capsys, "--license", "CC-BY-SA-4.0")["toy"][0] == share_alike
    assert found(root, capsys, "--license", "CC BY-SA 4.0")["toy"][0] == share_alike
    either = sum("MIT OR Apache-2.0" in licence or "Apache-2.0 OR MIT" in licence for licence in stated)
    assert found(root, capsys, "--license", "Apache-2.0 OR MIT")["toy"][0] == either > 0
    people = found(root, capsys, "--license", "CC-BY-4.0")
    assert people == {"mix": (130, root.mixed.num_rows)}, "rows of files, which no dataset is behind"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("ISC OR 0BSD", "not counted, with a part of it: ISC (5 rows)"),
        ("CC-BY-SA-4.1", "spelled like it: "),
        ("nonsense licence", "LicenseRef-nonsense-licence"),
        ("AGPL-3.0-only", "the licences below this root: "),
    ],
)
def test_an_empty_answer_about_a_licence_names_what_was_nearly_asked(
    root: Root, asked: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert factory("impact", root.path, "--license", asked) == 0
    assert f"note: {says}" in capsys.readouterr().err
    assert factory("impact", root.path, "--license", asked, "--json") == 0
    assert any(note.startswith(says) for note in orjson.loads(capsys.readouterr().out)["notes"])


def test_of_a_licence_that_rows_have_nothing_is_to_be_noted(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    assert factory("impact", root.path, "--license", "ISC") == 0
    assert "note:" not in capsys.readouterr().err


def notes(root: Path, capsys: pytest.CaptureFixture[str], *asked: str) -> str:
    """What is said beside the table, which `--json` says as well."""
    capsys.readouterr()
    assert factory("impact", root, *asked, "--json") == 0
    told = orjson.loads(capsys.readouterr().out)["notes"]
    assert factory("impact", root, *asked) == 0
    assert capsys.readouterr().err == "".join(f"note: {note}\n" for note in told)
    return " ".join(told)


def test_an_id_or_a_model_that_no_dataset_knows_is_said_to_be_unknown(
    root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no dataset or mix below this root knows this document" in notes(root.path, capsys, "0" * 32)
    said = notes(root.path, capsys, "--model", "gpt-4")
    assert "names a model gpt-4; those it names are" in said
    assert "toy/answer" in said
    assert notes(root.path, capsys, "--model", "toy/answer@r2").endswith("revision r2 of toy/answer: known are r1")
    assert notes(root.path, capsys, root.document) == notes(root.path, capsys, "--model", "toy/answer") == ""


def test_of_an_erased_or_withdrawn_document_it_is_said_when(
    root: Root, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(root.path, tmp_path / "root"))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()[:8]
    withdraw = ("withdraw", "--document", "1" * 32, "--root", copy, "--as", "ada", "--reason", "asked", "--unknown")
    assert factory(*withdraw) == 0
    assert f"it was withdrawn on {today}" in notes(copy, capsys, "1" * 32)
    assert factory("erase", copy, root.document, "--reason", "request 7", "--by", "ada") == 0
    said = notes(copy, capsys, root.document)
    assert f"it was erased from this root on {today}" in said
    assert "by ada (erasure " in said
    assert said.endswith(": request 7)")
    assert "no dataset" not in said


def test_a_model_is_found_with_and_without_its_revision(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    everywhere = {"toy": (root.rows.num_rows,) * 2, "mix": (len(root.in_mix), root.mixed.num_rows)}
    assert found(root, capsys, "--model", "toy/answer") == everywhere
    assert found(root, capsys, "--model", "toy/question@r1") == everywhere
    assert found(root, capsys, "--model", "toy/answer@r2") == {}
    assert found(root, capsys, "--model", "house") == {"other": (5, 5)}


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_rows_are_listed_by_name(root: Root, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"rows.{ending}"
    found(root, capsys, root.document, "--rows", str(path))
    rows = (
        pq.read_table(path).to_pylist()
        if ending == "parquet"
        else list(map(orjson.loads, path.read_bytes().splitlines()))
    )
    assert {row["sample_id"] for row in rows if row["dataset"] == "toy"} == root.resting_on(root.document)
    for row in rows:
        shard = pq.read_table(root.path / "datasets" / row["dataset"] / row["version"] / row["file"])
        assert shard.column("sample_id")[row["row"]].as_py() == row["sample_id"]
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_of_a_mix_whose_parts_are_elsewhere_it_is_said_that_nothing_can_be_told(
    root: Root, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(root.path, tmp_path / "root"))
    shutil.rmtree(copy / "datasets/toy")
    assert factory("impact", copy, root.document) == 1
    assert "nothing can be told, made of toy@v1, not below this root" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ([], "nothing was asked"),
        (["0" * 32, "--model", "x"], "one thing at a time"),
        (["not-an-id"], "is no document id"),
        (["../../etc"], "is no document id"),
        (["0" * 32, "--rows", "rows.csv"], "names no format"),
        (["0" * 32, "--rows", "no/such/folder/rows.jsonl"], "cannot be written"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    root: Root, asked: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert factory("impact", root.path, *asked) == 2
    assert says in capsys.readouterr().err


def test_every_column_that_is_asked_for_is_published() -> None:
    from factory.govern.scan import OfDocuments, UnderLicence, WrittenBy

    for question in (OfDocuments(frozenset()), UnderLicence("MIT"), WrittenBy("m", None)):
        assert {column.split(".")[0] for column in question.columns} <= set(SAMPLE.names)


def test_a_shard_without_those_columns_is_named(root: Root, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(root.path / "datasets", tmp_path / "root/datasets"))
    shard = next((copy / "other").rglob("*.parquet"))
    pq.write_table(pa.table({"doc_ids": ["text"] * 5, "sample_id": ["x"] * 5}), shard)
    assert factory("impact", tmp_path / "root", "e" * 32) == 4
    assert shard.name in capsys.readouterr().err
