"""Bills of materials, the EU's answers and NIST's evidence that somebody edited: read back, or refused by name; and
the addresses of sources."""

from __future__ import annotations

import orjson
from hypothesis import example
from hypothesis import strategies as st

from factory.govern.ai_act.answers import FIELDS
from factory.govern.documents import ai_act, ai_act_markdown, cyclonedx, nist, spdx
from factory.govern.nist_actions import ACTIONS
from factory.publish.sources import host_of
from tests.fuzz.breaking import broken_bytes, json_bytes, texts
from tests.fuzz.harness import fuzzed, refused

BASE = "urn:uuid:00000000-0000-5000-8000-000000000000#"
MADE = {"creationInfo": "_:creation"}
FIGURES = {
    "digest": "d", "rows": 3, "splits": {"train": 3}, "languages": ["en"], "steps": ["s"], "prompts": ["p"],
    "gates": {"g": True}, "synthetic": True, "updated": "2026-01-01T00:00:00Z", "erased": {"e": 1},
}  # fmt: skip
SPDX = {
    "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
    "@graph": [
        {"@id": "_:creation", "type": "CreationInfo", "specVersion": "3.0.1", "created": "2026-01-01T00:00:00Z",
         "createdBy": [BASE + "owner"]},
        {"type": "Agent", "spdxId": BASE + "owner", **MADE},
        {"type": "SpdxDocument", "spdxId": BASE + "document", "profileConformance": ["core", "dataset"], **MADE},
        {"type": "dataset_DatasetPackage", "spdxId": BASE + "dataset", "name": "n", "software_packageVersion": "v",
         "builtTime": "2026-01-01T00:00:00Z", "dataset_datasetSize": 1, "dataset_datasetType": ["text"], **MADE},
        {"type": "build_Build", "spdxId": BASE + "run", "build_buildId": "r", "build_buildType": "urn:x:y", **MADE},
        {"type": "software_File", "spdxId": BASE + "file", "name": "a.parquet",
         "verifiedUsing": [{"type": "Hash", "algorithm": "sha256", "hashValue": "0"}], **MADE},
        {"type": "ai_AIPackage", "spdxId": BASE + "model", "name": "m", "software_packageVersion": "r1", **MADE},
        {"type": "simplelicensing_LicenseExpression", "spdxId": BASE + "mit",
         "simplelicensing_licenseExpression": "MIT", **MADE},
        {"type": "Relationship", "spdxId": BASE + "r1", "relationshipType": "hasDeclaredLicense",
         "from": BASE + "dataset", "to": [BASE + "mit"], **MADE},
        {"type": "Annotation", "spdxId": BASE + "figures", "annotationType": "other", "subject": BASE + "dataset",
         "statement": orjson.dumps(FIGURES).decode(), **MADE},
    ],
}  # fmt: skip
CYCLONEDX = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.7",
    "serialNumber": "urn:uuid:00000000-0000-5000-8000-000000000000",
    "metadata": {
        "timestamp": "2026-01-01T00:00:00Z",
        "component": {
            "type": "data", "bom-ref": "dataset", "name": "n", "version": "v", "licenses": [{"expression": "MIT"}],
            "properties": [
                {"name": f"factory:{key}", "value": orjson.dumps(value).decode()}
                for key, value in {**FIGURES, "bytes": 1}.items()
            ],
        },
    },
    "components": [
        {"type": "file", "bom-ref": "file", "name": "a", "hashes": [{"alg": "SHA-256", "content": "0" * 64}]},
        {"type": "machine-learning-model", "bom-ref": "model", "name": "m", "version": "r", "modelCard": {},
         "licenses": [{"expression": "MIT"}]},
        {"type": "data", "bom-ref": "source", "name": "s", "licenses": [{"expression": "MIT"}]},
    ],
    "formulation": [
        {"workflows": [{"bom-ref": "run", "uid": "r", "taskTypes": ["build"],
                        "tasks": [{"bom-ref": "s", "uid": "s", "taskTypes": ["other"]}]}]}
    ],
}  # fmt: skip
VALUES = {"rows": "3", "other_models": ["m, revision r (answer)"], "gates": ["g: passed, measured 1"]}
AI_ACT = {
    "kind": ai_act.KIND,
    "sections": [
        {
            "number": number,
            "answers": [{"key": key, "value": VALUES.get(key, "x: 1")} for section, key in FIELDS if section == number],
        }
        for number in dict(FIELDS)
    ],
}
PAGE = ai_act_markdown.TITLE + "\n".join(
    f"## {section} Title\n\n- **Label** (`{key}`): {VALUES.get(key, 'x')}" for section, key in FIELDS
)
NIST = {
    "kind": nist.KIND,
    "dataset": {"name": "n", "version": "v", "created": "c", "run": "r", "digest": "d", "rows": 3, "synthetic": True,
                "license": "MIT", "models": [["m", "r"]]},
    "gates": {"g": True},
    "actions": [
        {"id": action.id, "asks": "a", "means": "m", "result": "pass",
         "evidence": [{"path": "manifest.json", "sha256": "0", "pointer": ""}]}
        for action in ACTIONS[:2]
    ],
}  # fmt: skip
NESTED = b'{"components":' + b'[{"components":' * 400 + b"1" + b"}]" * 400 + b"}"


@fuzzed("factory.govern.documents.spdx.claims", "factory.govern.bom.spdx_claims.spdx_claims", data=json_bytes(SPDX))
@example(data=orjson.dumps(SPDX))
def test_an_spdx_document_is_read_back_or_refused(data: bytes) -> None:
    assert all(isinstance(problem, str) for problem in spdx.problems(data))
    with refused(ValueError):
        spdx.claims(data)


@fuzzed(
    "factory.govern.documents.cyclonedx.claims",
    "factory.govern.bom.cyclonedx_claims.cyclonedx_claims",
    data=json_bytes(CYCLONEDX),
)
@example(data=orjson.dumps(CYCLONEDX))
@example(data=NESTED)
def test_a_cyclonedx_document_is_read_back_or_refused(data: bytes) -> None:
    assert all(isinstance(problem, str) for problem in cyclonedx.problems(data))
    with refused(ValueError):
        cyclonedx.claims(data)


@fuzzed("factory.govern.documents.ai_act.claims", "factory.govern.json_document.parsed", data=json_bytes(AI_ACT))
@example(data=orjson.dumps(AI_ACT))
def test_answers_are_read_back_or_refused(data: bytes) -> None:
    assert all(isinstance(problem, str) for problem in ai_act.problems(data))
    with refused(ValueError):
        ai_act.claims(data)


@fuzzed("factory.govern.documents.ai_act_markdown.claims", data=st.data())
def test_a_page_of_answers_is_read_back_or_refused(data: st.DataObject) -> None:
    page = data.draw(broken_bytes([PAGE.encode()]))
    assert all(isinstance(problem, str) for problem in ai_act_markdown.problems(page))
    with refused(ValueError):
        ai_act_markdown.claims(page)


@fuzzed("factory.govern.documents.nist.claims", data=json_bytes(NIST))
@example(data=orjson.dumps(NIST))
def test_evidence_is_read_back_or_refused(data: bytes) -> None:
    assert all(isinstance(problem, str) for problem in nist.problems(data))
    with refused(ValueError):
        nist.claims(data)


@fuzzed("factory.publish.sources.host_of", url=texts("https://www.example.org:80/a?b#c", "http://[::1]/", "//host"))
@example(url="http://[")
def test_an_address_has_a_host_or_none(url: str) -> None:
    host = host_of(url)
    assert host is None or (host and "/" not in host)


def test_what_is_broken_here_is_read_when_it_is_whole() -> None:
    assert spdx.claims(orjson.dumps(SPDX)).licenses == {"MIT"}
    assert cyclonedx.claims(orjson.dumps(CYCLONEDX)).models == {("m", "r")}
    assert ai_act.claims(orjson.dumps(AI_ACT)).gates == {"g": True}
    assert ai_act_markdown.claims(PAGE.encode()).name == "x"
    assert nist.claims(orjson.dumps(NIST)).rows == 3
