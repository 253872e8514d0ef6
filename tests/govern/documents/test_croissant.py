from __future__ import annotations

import shutil
import socket
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlcroissant
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.govern.bundle import bundle_of, write_bundle
from factory.govern.columns import columns_of
from factory.govern.croissant.reading import REQUIRED
from factory.govern.croissant.responsible import NOT_STATED
from factory.govern.croissant.responsible import REQUIRED as RAI_REQUIRED
from factory.govern.documents import croissant, croissant_beside
from factory.govern.facts import Facts
from tests.govern.documents.agreeing import disagreements
from tests.govern.documents.conftest import GOVERNANCE, OWNER
from tests.publish.world import World

Body = dict[str, Any]

RAI = {
    "dataCollection", "dataCollectionType", "dataCollectionMissingData", "dataCollectionRawData",
    "dataCollectionTimeframe", "dataImputationProtocol", "dataManipulationProtocol", "dataPreprocessingProtocol",
    "dataAnnotationProtocol", "dataAnnotationPlatform", "dataAnnotationAnalysis", "dataReleaseMaintenancePlan",
    "personalSensitiveInformation", "dataSocialImpact", "dataBiases", "dataLimitations", "dataUseCases",
    "annotationsPerItem", "annotatorDemographics", "machineAnnotationTools",
}  # fmt: skip
"""All properties of the vocabulary, as the table of its specification spells them."""


@pytest.fixture(scope="module")
def data(facts: Facts) -> bytes:
    return croissant.render(facts)


@pytest.fixture(scope="module")
def body(data: bytes) -> Body:
    found: Body = orjson.loads(data)
    return found


@pytest.fixture(scope="module")
def published(worked: World) -> tuple[Path, Path]:
    """The folders of a dataset and of its bundle."""
    done = worked.publish(version="read")
    bundle = bundle_of(worked.store, done.manifest, done.prefix)
    write_bundle(worked.store, bundle)
    root = Path(worked.store.uri)
    return root / done.prefix, root / bundle.prefix


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refused(*given: Any) -> None:
        raise AssertionError(f"somebody connects to {given}")

    monkeypatch.setattr(socket.socket, "connect", refused)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def changed(data: bytes, change: Callable[[Body], Any]) -> bytes:
    body = orjson.loads(data)
    change(body)
    return orjson.dumps(body)


def rows_of(folder: Path, pattern: str = "*") -> dict[str, Body]:
    tables = [pq.read_table(path) for path in folder.glob(f"data/{pattern}.parquet")]
    return {row["sample_id"]: row for row in pa.concat_tables(tables).to_pylist()}


def test_the_document_says_what_the_facts_say(data: bytes, facts: Facts) -> None:
    claims = croissant.claims(data)
    assert disagreements(claims, facts) == []
    assert None not in (claims.rows, claims.bytes, claims.splits, claims.models, claims.steps, claims.source_licenses)
    assert claims.files == {file.path: file.sha256 for file in facts.files}


@pytest.mark.parametrize("document", [croissant, croissant_beside])
def test_it_has_no_problem_whether_the_publisher_said_anything_or_not(
    document: Any, facts: Facts, silent: Facts
) -> None:
    assert document.problems(document.render(facts)) == []
    assert document.problems(document.render(silent)) == []


def text(value: Any) -> Any:
    """What mlcroissant gives for text (bytes) as text, and its field ids as names."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {name.rpartition("/")[2]: text(inner) for name, inner in value.items()}
    return [text(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("beside", [False, True], ids=["in the bundle", "beside the data"])
def test_mlcroissant_reads_every_row_from_the_files(published: tuple[Path, Path], tmp_path: Path, beside: bool) -> None:
    dataset, bundle = published
    document = bundle / croissant.PATH
    if beside:
        dataset = shutil.copytree(dataset, tmp_path / "download")
        document = Path(shutil.copy(bundle / croissant_beside.PATH, dataset))
    found = {record["sample_id"]: record for record in map(text, mlcroissant.Dataset(str(document)).records("samples"))}
    rows = rows_of(dataset)
    assert found.keys() == rows.keys()
    for sample_id, row in rows.items():
        record = found[sample_id]
        for name in ("question", "answer", "messages", "level", "agreement", "synthetic", "doc_ids", "attribution"):
            assert record[name] == row[name], name
        lineage = dict(row["lineage"])
        assert {key: value for key, value in lineage.items() if key != "sources"} == record["lineage"]
        assert record["split"] in ("train", "validation", "test")


@pytest.mark.usefixtures("offline")
def test_mlcroissant_reads_one_split_and_a_dataset_that_was_moved(published: tuple[Path, Path], tmp_path: Path) -> None:
    dataset, bundle = published
    moved = shutil.copytree(dataset, tmp_path / "moved")
    document = shutil.copy(bundle / croissant.PATH, tmp_path)
    reader = mlcroissant.Dataset(str(document), mapping={"dataset": str(moved)})
    found = [text(record) for record in reader.records("samples", filters={"samples/split": "train"})]
    assert {record["sample_id"] for record in found} == rows_of(dataset, "train-*").keys()
    assert {record["split"] for record in found} == {"train"}


@pytest.mark.usefixtures("offline")
def test_mlcroissant_finds_nothing_wrong_with_it(published: tuple[Path, Path]) -> None:
    issues = mlcroissant.Dataset(str(published[1] / croissant.PATH)).metadata.ctx.issues
    assert not issues.errors
    allowed = ("citeAs", "MAJOR.MINOR.PATCH")  # nobody stated a citation, and a version is the hash of its rows
    assert [warning for warning in issues.warnings if not any(word in warning for word in allowed)] == []


def test_every_published_column_has_a_field_and_nested_ones_have_theirs(body: Body, facts: Facts) -> None:
    fields = {field["name"]: field for field in body["recordSet"][1]["field"]}
    assert list(fields) == ["split", *(name for name, _ in facts.columns)]
    for column in columns_of(facts.columns):
        inner = {field["name"] for field in fields[column.name].get("subField", ())}
        told = fields[column.name]["description"]
        assert all(field.name in inner or field.name in told for field in column.fields), column.name
        assert fields[column.name].get("isArray", False) == (column.lists > 0)
    assert fields["level"]["dataType"] == "sc:Integer"
    assert fields["synthetic"]["dataType"] == "sc:Boolean"
    assert {field["name"] for field in fields["messages"]["subField"]} == {"role", "content"}


def test_every_step_is_there_with_times_parameters_and_models(body: Body, facts: Facts) -> None:
    steps = {step["prov:label"]: step for step in body["prov:wasGeneratedBy"]}
    assert list(steps) == [step.name for step in facts.steps]
    assert steps["question_1"]["prov:startedAtTime"] == "2026-01-01T00:01:00+00:00"
    assert steps["question_1"]["prov:endedAtTime"] == "2026-01-01T00:02:00+00:00"
    assert "prov:endedAtTime" not in steps["answer"]
    assert "prov:startedAtTime" not in steps["select"]
    parameters = {each["name"]: orjson.loads(each["value"]) for each in steps["answer"]["additionalProperty"]}
    answer = facts.step("answer")
    assert answer is not None
    assert parameters["parameters"] == answer.own
    assert parameters["sampling"] == answer.sampling
    assert steps["answer"]["prov:wasAssociatedWith"] == [{"@id": "agents/answer"}]
    assert steps["answer"]["prov:wasInformedBy"] == [{"@id": steps["question_1"]["@id"]}]


def test_the_publishers_words_are_there_as_they_are(body: Body) -> None:
    assert body["creator"]["name"] == OWNER
    assert body["creator"]["email"] == "data@example.org"
    assert body["url"] == GOVERNANCE["homepage"]
    assert body["usageInfo"]["odrl:permission"][0]["odrl:action"]["name"] == "tuning a tutor"
    assert body["usageInfo"]["odrl:prohibition"][0]["odrl:action"]["name"] == "marking exams"
    assert body["rai:dataBiases"] == ["English alone"]
    assert "Web Scraping" in body["rai:dataCollectionType"]
    assert "crawled from January to March 2026" in body["rai:dataCollectionRawData"]
    assert "hold no sensitive personal information" in body["rai:personalSensitiveInformation"][0]


def test_what_the_publisher_did_not_say_is_absent_or_said_to_be_so(silent: Facts) -> None:
    body = orjson.loads(croissant.render(silent))
    assert not {"usageInfo", "conditionsOfAccess", "inLanguage", "citeAs"} & set(body)
    assert body["creator"]["name"] == NOT_STATED
    assert "email" not in body["creator"]
    assert body["url"] == f"../../../{silent.version}/README.md"
    for name in ("dataBiases", "dataUseCases", "dataReleaseMaintenancePlan"):
        assert body[f"rai:{name}"] == [NOT_STATED]


def test_the_words_of_responsible_ai_are_those_of_its_vocabulary(body: Body) -> None:
    used = {name.removeprefix("rai:") for name in body if name.startswith("rai:")}
    assert set(RAI_REQUIRED) <= used <= RAI


@pytest.mark.parametrize("name", [*REQUIRED, "@context", "recordSet", *(f"rai:{name}" for name in RAI_REQUIRED)])
def test_a_missing_property_is_named(data: bytes, name: str) -> None:
    assert croissant.problems(changed(data, lambda body: body.pop(name)))[0] == f"{name} is missing"


FAULTS: dict[str, tuple[Callable[[Body], Any], str]] = {
    "another context": (lambda body: body["@context"].update(field="cr:other"), "@context has another field"),
    "another version": (lambda body: body.update({"dct:conformsTo": "http://mlcommons.org/croissant/1.0"}), "1.1"),
    "no type": (lambda body: body.pop("@type"), "@type is not sc:Dataset"),
    "a nameless creator": (lambda body: body["creator"].pop("name"), "creator is no organisation or person"),
    "no date": (lambda body: body.update(datePublished="lately"), "datePublished is 'lately'"),
    "no hash": (lambda body: body["distribution"][1].pop("sha256"), "has no sha256"),
    "half a hash": (lambda body: body["distribution"][1].update(sha256="ab12"), "has a sha256 that is none"),
    "no address": (lambda body: body["distribution"][0].pop("contentUrl"), "dataset has no contentUrl"),
    "a file twice": (lambda body: body["distribution"].append(body["distribution"][1]), "twice"),
    "a container that is none": (lambda body: body["distribution"].pop(0), "is contained in dataset, which is not"),
    "a field of no file": (
        lambda body: body["recordSet"][1]["field"][1]["source"].update(fileSet={"@id": "gone"}),
        "samples/sample_id is read from gone",
    ),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_is_told(data: bytes, fault: str) -> None:
    change, words = FAULTS[fault]
    assert any(words in problem for problem in croissant.problems(changed(data, change)))


@pytest.mark.parametrize("name", ["name", "version", "identifier", "recordSet", "prov:wasAttributedTo"])
def test_a_document_that_does_not_say_enough_is_refused(data: bytes, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is missing"):
        croissant.claims(changed(data, lambda body: body.pop(name)))


def test_a_dry_run_is_nowhere_said_to_be_written_by_language_models(facts: Facts) -> None:
    said = orjson.loads(croissant.render(replace(facts, dry_run=True)))
    assert (
        "Others: generated from documents by the scripted engine, no language model" in (said["rai:dataCollectionType"])
    )
