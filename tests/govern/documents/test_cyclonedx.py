from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft7Validator
from rfc3986_validator import validate_rfc3986

from factory.govern.bom import cyclonedx_check
from factory.govern.documents import cyclonedx
from factory.govern.facts import Facts
from tests.govern.documents.agreeing import disagreements

Body = dict[str, Any]


@pytest.fixture(scope="module")
def data(facts: Facts) -> bytes:
    return cyclonedx.render(facts)


def changed(data: bytes, change: Callable[[Body], Any]) -> bytes:
    body = orjson.loads(data)
    change(body)
    return orjson.dumps(body)


def component(body: Body, kind: str) -> Body:
    return next(found for found in body["components"] if found["type"] == kind)


def test_the_document_says_what_the_facts_say(data: bytes, facts: Facts) -> None:
    claims = cyclonedx.claims(data)
    assert disagreements(claims, facts) == []
    assert None not in (claims.rows, claims.bytes, claims.splits, claims.models, claims.steps, claims.source_licenses)
    assert claims.files == {file.path: file.sha256 for file in (*facts.files, facts.manifest)}


def refers(value: object) -> bool:
    """Is it an IRI reference: a URI reference, once what is not ASCII is escaped (RFC 3987, 3.1)?"""
    escaped = "".join(sign if sign.isascii() else quote(sign) for sign in str(value))
    return validate_rfc3986(escaped, rule="URI_reference") is not None


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> JsonStrictValidator:
    """jsonschema checks this format only with a package that is left out (infra/environment/overrides.txt)."""
    monkeypatch.setitem(Draft7Validator.FORMAT_CHECKER.checkers, "iri-reference", (refers, ()))
    return JsonStrictValidator(SchemaVersion.V1_7)


@pytest.mark.parametrize("who", ["facts", "silent"])
def test_strict_validation_of_version_1_7_passes(
    who: str, strict: JsonStrictValidator, request: pytest.FixtureRequest
) -> None:
    data = cyclonedx.render(request.getfixturevalue(who))
    assert strict.validate_str(data.decode()) is None
    assert cyclonedx.problems(data) == []


def test_strict_validation_minds_addresses(data: bytes, strict: JsonStrictValidator) -> None:
    def blank(body: Body) -> None:
        body["externalReferences"] = [{"type": "other", "url": "https://example.org/a b"}]

    refused = strict.validate_str(changed(data, blank).decode())
    assert refused is not None
    assert "a b" in str(refused)


@pytest.mark.parametrize("name", [cyclonedx_check.SCHEMA, *cyclonedx_check.BESIDE])
def test_the_schemas_are_the_published_ones_byte_for_byte(name: str) -> None:
    ours = files("factory.govern.schemas").joinpath("cyclonedx", name).read_bytes()
    assert ours == files("cyclonedx.schema").joinpath("_res", name).read_bytes()


def test_models_are_told_with_cards_and_the_dataset_with_its_ancestors(data: bytes, facts: Facts) -> None:
    body = orjson.loads(data)
    models = [found for found in body["components"] if found["type"] == "machine-learning-model"]
    tasks = {model["name"]: model["modelCard"]["modelParameters"]["task"] for model in models}
    assert tasks == {
        "toy/answer": "question answering",
        "toy/judge": "judging answers",
        "toy/question": "question generation",
    }
    asked = next(model for model in models if model["name"] == "toy/question")
    assert asked["modelCard"]["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "accepted share of outputs", "value": "1", "slice": "question_1"}
    ]
    ancestors = body["metadata"]["component"]["pedigree"]["ancestors"]
    assert {found["licenses"][0]["expression"] for found in ancestors} == set(facts.sources["licenses"])
    assert body["metadata"]["distributionConstraints"] == {"tlp": "GREEN"}


def test_steps_are_tasks_with_times_models_and_what_they_read(data: bytes, facts: Facts) -> None:
    workflow = orjson.loads(data)["formulation"][0]["workflows"][0]
    tasks = {task["name"]: task for task in workflow["tasks"]}
    assert tasks["question_1"]["timeEnd"] == "2026-01-01T00:02:00Z"
    assert "timeEnd" not in tasks["answer"]
    assert tasks["answer"]["resourceReferences"] == [{"ref": "model/0"}]
    reads = {link["ref"]: link["dependsOn"] for link in workflow["taskDependencies"]}
    assert reads[tasks["answer"]["bom-ref"]] == [tasks["question_1"]["bom-ref"]]
    assert workflow["timeStart"] == "2026-01-01T00:00:00Z"


def test_the_same_facts_make_the_same_bytes(data: bytes, facts: Facts) -> None:
    assert cyclonedx.render(facts) == data


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: body.pop("specVersion"), "specVersion"),
        (lambda body: body.update(specVersion=1.7), "specVersion"),
        (lambda body: body.update(verdict="fine"), "verdict"),
        (lambda body: body.pop("serialNumber"), "serialNumber"),
        (lambda body: body.pop("formulation"), "formulation"),
        (lambda body: body["metadata"].pop("timestamp"), "timestamp"),
        (lambda body: body["metadata"]["component"].pop("licenses"), "licenses"),
        (lambda body: body["metadata"]["component"].pop("pedigree"), "pedigree"),
        (lambda body: body["metadata"]["component"]["hashes"][0].update(content="12"), "hashes"),
        (lambda body: body["metadata"]["component"]["data"][0].pop("type"), "type"),
        (lambda body: component(body, "machine-learning-model").pop("modelCard"), "modelCard"),
        (lambda body: component(body, "machine-learning-model").pop("version"), "version"),
        (lambda body: component(body, "data").pop("licenses"), "licenses"),
        (lambda body: component(body, "file").pop("hashes"), "hashes"),
        (lambda body: component(body, "file").update({"bom-ref": "dataset"}), "names 2 things"),
        (lambda body: body["dependencies"][0].update(ref="nothing"), "nothing"),
        (lambda body: body["components"].append(body["components"][0]), "the same"),
    ],
)
def test_a_planted_fault_is_found(data: bytes, change: Callable[[Body], Any], said: str) -> None:
    assert any(said in problem for problem in cyclonedx.problems(changed(data, change)))


def test_bytes_that_are_no_document_are_told_not_raised() -> None:
    assert all(cyclonedx.problems(data) for data in (b"\xff", b"[]", b"{}", b""))
    with pytest.raises(ValueError, match="metadata is missing"):
        cyclonedx.claims(b"{}")
