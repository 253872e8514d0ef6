from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
import spdx_python_model

from factory.govern.documents import spdx
from factory.govern.facts import Facts
from tests.govern.documents.agreeing import disagreements
from tests.govern.spdx_schema import FILE, written

Graph = list[dict[str, Any]]


@pytest.fixture(scope="module")
def data(facts: Facts) -> bytes:
    return spdx.render(facts)


def of_kind(graph: Graph, kind: str) -> dict[str, Any]:
    return next(element for element in graph if element["type"] == kind)


def licence_of_the_dataset(graph: Graph) -> dict[str, Any]:
    return next(
        element
        for element in graph
        if element.get("relationshipType") == "hasDeclaredLicense" and element["from"].endswith("#dataset")
    )


def changed(data: bytes, change: Callable[[Graph], Any]) -> bytes:
    body = orjson.loads(data)
    change(body["@graph"])
    return orjson.dumps(body)


def test_the_document_says_what_the_facts_say(data: bytes, facts: Facts) -> None:
    claims = spdx.claims(data)
    assert disagreements(claims, facts) == []
    assert None not in (claims.rows, claims.bytes, claims.splits, claims.models, claims.steps, claims.source_licenses)
    assert claims.files == {file.path: file.sha256 for file in (*facts.files, facts.manifest)}


def test_it_has_no_problem_whether_the_publisher_said_anything_or_not(data: bytes, silent: Facts) -> None:
    assert spdx.problems(data) == []
    assert spdx.problems(spdx.render(silent)) == []


def test_the_bindings_of_spdx_read_it_and_every_reference_leads_somewhere(data: bytes) -> None:
    model, objects = spdx_python_model.load_data(orjson.loads(data))
    assert objects.link() == set()
    again = model.JSONLDSerializer().serialize_data(objects)["@graph"]
    assert len(again) == len(orjson.loads(data)["@graph"])


def test_the_schema_is_what_the_bindings_of_spdx_say() -> None:
    assert FILE.read_bytes() == written()


def test_the_ai_profile_is_claimed_only_where_everything_it_asks_is_stated(data: bytes, silent: Facts) -> None:
    def profiles(data: bytes) -> list[str]:
        return list(of_kind(orjson.loads(data)["@graph"], "SpdxDocument")["profileConformance"])

    assert "ai" in profiles(data)
    assert "ai" not in profiles(spdx.render(silent))


def test_the_same_facts_make_the_same_bytes(data: bytes, facts: Facts) -> None:
    assert spdx.render(facts) == data


def test_the_run_takes_the_sources_in_and_gives_the_dataset_out(data: bytes) -> None:
    graph = orjson.loads(data)["@graph"]
    types = {element.get("spdxId"): element["type"] for element in graph}
    ends = {
        (types[element["from"]], element["relationshipType"], types[target])
        for element in graph
        if element["type"] == "Relationship"
        for target in element["to"]
    }
    assert {
        ("build_Build", "hasInput", "software_Package"),
        ("build_Build", "hasOutput", "dataset_DatasetPackage"),
        ("build_Build", "usesTool", "ai_AIPackage"),
        ("build_Build", "usesTool", "Tool"),
        ("ai_AIPackage", "generates", "dataset_DatasetPackage"),
        ("ai_AIPackage", "hasDeclaredLicense", "simplelicensing_LicenseExpression"),
        ("dataset_DatasetPackage", "hasDataFile", "software_File"),
        ("dataset_DatasetPackage", "hasConcludedLicense", "simplelicensing_LicenseExpression"),
    } <= ends


def test_a_shard_without_rows_is_data_still(facts: Facts) -> None:
    emptied = replace(facts, files=tuple(replace(file, rows=file.rows and 0) for file in facts.files))
    graph = orjson.loads(spdx.render(emptied))["@graph"]
    purposes = {x["name"]: x["software_primaryPurpose"] for x in graph if x["type"] == "software_File"}
    assert {purposes[file.path] for file in facts.files if file.rows is not None} == {"data"}


def test_a_licence_in_words_keeps_them(data: bytes) -> None:
    graph = orjson.loads(data)["@graph"]
    comments = [element.get("comment") for element in graph if element["type"] == "simplelicensing_LicenseExpression"]
    assert "stated as: Toy Licence 1" in comments


def test_words_that_look_like_an_id_are_no_reference(facts: Facts) -> None:
    strange = replace(
        facts, governance=facts.governance.model_copy(update={"owner": "_:nobody", "contact": "urn:uuid:1"})
    )
    assert spdx.problems(spdx.render(strange)) == []


DROPPED = {
    "dataset_DatasetPackage": ("dataset_datasetType", "releaseTime", "originatedBy", "builtTime", "creationInfo"),
    "ai_AIPackage": ("suppliedBy", "releaseTime", "software_downloadLocation", "software_packageVersion"),
    "build_Build": ("build_buildType",),
    "CreationInfo": ("created", "createdBy", "specVersion"),
    "Relationship": ("relationshipType", "to"),
    "simplelicensing_LicenseExpression": ("simplelicensing_licenseExpression",),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in DROPPED.items() for name in names])
def test_a_required_field_that_is_gone_is_named(data: bytes, kind: str, name: str) -> None:
    found = spdx.problems(changed(data, lambda graph: of_kind(graph, kind).pop(name)))
    assert any(kind in problem and name in problem for problem in found), found


def _empty_graph(graph: Graph) -> None:
    graph.clear()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda graph: of_kind(graph, "software_File").update(verifiedUsing=["abc"]), "verifiedUsing"),
        (lambda graph: of_kind(graph, "Relationship").update(relationshipType="madeBy"), "madeBy"),
        (lambda graph: of_kind(graph, "CreationInfo").update(created="yesterday"), "yesterday"),
        (lambda graph: of_kind(graph, "Tool").update(colour="red"), "colour"),
        (lambda graph: graph.remove(of_kind(graph, "build_Build")), "which is not there"),
        (lambda graph: graph.remove(of_kind(graph, "SpdxDocument")), "no SpdxDocument"),
        (lambda graph: graph.append(of_kind(graph, "Tool")), "names 2 elements"),
        (lambda graph: graph.append({"type": "Unheard"}), "Unheard"),
        (_empty_graph, "@graph"),
        (
            lambda graph: of_kind(graph, "dataset_DatasetPackage").update(suppliedBy=of_kind(graph, "Tool")["spdxId"]),
            "suppliedBy names a Tool",
        ),
        (
            lambda graph: licence_of_the_dataset(graph).update(to=[of_kind(graph, "build_Build")["spdxId"]]),
            "hasDeclaredLicense names a build_Build",
        ),
    ],
)
def test_a_planted_fault_is_found(data: bytes, change: Callable[[Graph], Any], said: str) -> None:
    assert any(said in problem for problem in spdx.problems(changed(data, change)))


def test_bytes_that_are_no_document_are_told_not_raised() -> None:
    assert all(spdx.problems(data) for data in (b"\xff", b"[]", b"{}", b""))
    with pytest.raises(ValueError, match="@graph is missing"):
        spdx.claims(b"{}")
