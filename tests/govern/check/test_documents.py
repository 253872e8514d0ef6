"""What is planted in a document of the bundle, and hashed again, is found and named with its artefact and field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

import factory.govern.documents as room
from factory.govern.bundle import INDEX
from factory.govern.check.bundle import bundle_findings, claims_in, document_findings
from factory.govern.check.fields import claims_of
from factory.govern.check.findings import Finding
from factory.govern.claims import Claims
from factory.govern.documents import DOCUMENTS, Document, documents
from factory.govern.facts import Facts
from factory.identity import sha256_hex
from tests.govern.check.planted import PROMPT_ID, Bundled, publish, with_document, with_index, word_replaced
from tests.publish.world import World

OTHER_HASH = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def found(worked: World) -> Bundled:
    return publish(worked)


def fields_of(findings: list[Finding], artefact: str) -> set[str]:
    """Fields that were found wrong in an artefact; every finding must be of that one."""
    assert {finding.artefact for finding in findings} == {artefact}, "\n".join(each.in_words() for each in findings[:9])
    return {finding.field for finding in findings}


def read_back(found: Bundled, document: Document, data: bytes) -> list[Finding]:
    """What is found in one document, when all hashes fit."""
    return list(document_findings(document, data, claims_in(document, data), claims_of(found.whole.facts)))


def test_an_untouched_bundle_has_no_findings(found: Bundled) -> None:
    assert found.findings() == []
    assert found.of_dataset() == []


def test_every_document_of_the_room_is_checked() -> None:
    modules = {path.stem for path in Path(room.__file__).parent.glob("*.py") if "\nPATH" in path.read_text()}
    assert modules == {*DOCUMENTS, "card"}


Word = Callable[[Facts], tuple[str, str]]
WORDS: dict[str, tuple[Word, str, int]] = {
    "name": (lambda facts: (facts.name, "t0y"), "name", 8),
    "version": (lambda facts: (facts.version, "planted2"), "version", 8),
    "run": (lambda facts: (facts.run, "fedcba9876543210"), "run", 7),
    "digest": (lambda facts: (facts.digest, OTHER_HASH), "digest", 8),
    "date": (lambda facts: (facts.created[:10], "1999-01-01"), "created", 8),
    "rows": (lambda facts: (str(facts.rows), str(facts.rows + 1)), "rows", 7),
    "shard": (lambda facts: (facts.splits[0].files[0], "data/train-9.parquet"), "files", 4),
    "shard's hash": (lambda facts: (facts.file(facts.splits[0].files[0]).sha256, OTHER_HASH), "files", 4),
    "card's hash": (lambda facts: (facts.file("README.md").sha256, OTHER_HASH), "files", 4),
    "revision": (lambda facts: (facts.models[0].revision, "r9"), "models", 6),
    "model": (lambda facts: (facts.models[0].name, "toy/other"), "models", 6),
    "step": (lambda facts: (facts.steps[-1].folder, f"shards-{'0' * 16}"), "steps", 4),
    "prompt": (lambda facts: (PROMPT_ID, OTHER_HASH), "prompts", 4),
    "licence": (lambda facts: (facts.license, "GPL-3.0-only"), "licenses", 6),
}
"""What is replaced wherever it stands by itself in a document, the field that must be named, and the least number of
kinds of document that speak of it."""


@pytest.mark.parametrize("kind", WORDS)
def test_a_planted_word_is_named_in_every_document_that_says_it(found: Bundled, kind: str) -> None:
    word, field, least = WORDS[kind]
    old, new = word(found.whole.facts)
    planted = 0
    for document in documents():
        data = word_replaced(found.files[document.PATH], old, new)
        if data == found.files[document.PATH] or getattr(document.claims(found.files[document.PATH]), field) is None:
            continue
        planted += 1
        fields = fields_of(read_back(found, document, data), document.PATH)
        assert any(each.startswith((field, "required")) for each in fields), (document.PATH, fields)
    assert planted >= least


def test_hashing_it_again_hides_nothing(found: Bundled) -> None:
    """The whole way once, with the index and the name of the folder as if the bundle had been written so."""
    data = word_replaced(found.files["croissant.json"], found.whole.facts.models[0].revision, "r9")
    assert fields_of(with_document(found, "croissant.json", data).findings(), "croissant.json") == {"models"}


def leaves_without(value: Any, path: tuple[str | int, ...]) -> Any:
    """JSON without what lies at a path."""
    key, rest = path[0], path[1:]
    if not rest:
        return {name: inner for name, inner in value.items() if name != key}
    if isinstance(value, list):
        return [leaves_without(inner, rest) if place == key else inner for place, inner in enumerate(value)]
    return {name: leaves_without(inner, rest) if name == key else inner for name, inner in value.items()}


REQUIRED: tuple[tuple[str, tuple[str | int, ...]], ...] = (
    ("croissant.json", ("license",)),
    ("croissant.json", ("dct:conformsTo",)),
    ("croissant.json", ("datePublished",)),
    ("croissant.json", ("distribution", 1, "sha256")),
    ("beside-data/croissant.json", ("creator",)),
    ("spdx.json", ("@context",)),
    ("spdx.json", ("@graph", 0, "type")),
    ("cyclonedx.json", ("specVersion",)),
    ("cyclonedx.json", ("metadata", "component")),
)


@pytest.mark.parametrize(("path", "field"), REQUIRED)
def test_a_missing_required_field_is_named(found: Bundled, path: str, field: tuple[str | int, ...]) -> None:
    document = next(document for document in documents() if path == document.PATH)
    data = orjson.dumps(leaves_without(orjson.loads(found.files[path]), field))
    findings = read_back(found, document, data)
    assert "required" in fields_of(findings, path)
    last = str(field[-1]).removeprefix("@")
    assert any(last in finding.says for finding in findings), [finding.in_words() for finding in findings]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_no_document_of_its_kind_is_named_and_stops_nothing(found: Bundled, name: str) -> None:
    document = next(each for each, module in zip(documents(), DOCUMENTS, strict=True) if module == name)
    for data in (b"", b"[]", b"{}", b"null", b"\xff\xfe", b'{"@graph": 1, "components": [1]}'):
        assert fields_of(read_back(found, document, data), document.PATH) == {"required"}


def jsons(found: Bundled) -> Iterator[tuple[Document, Claims]]:
    for document in documents():
        yield document, document.claims(found.files[document.PATH])


def test_counts_gates_languages_and_marks_that_documents_claim_are_those_of_the_dataset(found: Bundled) -> None:
    """Whatever a document says in any field is compared: the fields that each kind claims are all of the facts'."""
    facts = claims_of(found.whole.facts)
    spoken = {field: sum(getattr(claims, field) is not None for _, claims in jsons(found)) for field in vars(facts)}
    assert min(spoken.values()) >= 2, spoken


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "name": (lambda index: index.update(name="t0y"), "name"),
    "version": (lambda index: index.update(version="v0"), "version"),
    "created": (lambda index: index.update(created="1999-01-01T00:00:00+00:00"), "created"),
    "run": (lambda index: index.update(run="0" * 16), "run"),
    "kind": (lambda index: index.update(kind="bundle"), "kind"),
    "dataset": (lambda index: index.update(dataset="datasets/toy/v0"), "dataset"),
    "manifest's hash": (lambda index: index["manifest"].update(sha256=OTHER_HASH), "manifest sha256"),
    "manifest's digest": (lambda index: index["manifest"].update(digest=OTHER_HASH), "digest"),
    "prompts' hash": (lambda index: index["prompts"].update(sha256=OTHER_HASH), "prompts sha256"),
    "a prompt": (lambda index: index["prompts"]["content"]["prompts"][0].update(template="Lie."), "prompts"),
    "recipe's hash": (lambda index: index["recipe"].update(sha256=OTHER_HASH), "recipe sha256"),
    "a missing run": (lambda index: index.pop("run"), "required fields"),
    "a missing digest": (lambda index: index["manifest"].pop("digest"), "required fields"),
    "bytes of a document": (lambda index: index["documents"][0].update(bytes=1), "bytes of beside-data/croissant.json"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_planted_change_of_the_index_is_named(found: Bundled, kind: str) -> None:
    change, field = CHANGES[kind]
    planted = with_index(found, change)
    assert fields_of(planted.findings(), INDEX) == {field}


def test_prompts_of_the_dataset_that_were_cut_short_are_named_and_stop_nothing(found: Bundled) -> None:
    cut = found.whole.prompts[:-5]
    damaged = Bundled(replace(found.whole, prompts=cut), found.files)
    assert fields_of(damaged.findings(), INDEX) == {"prompts sha256"}
    agreed = with_index(damaged, lambda index: index["prompts"].update(sha256=sha256_hex(cut)))
    assert fields_of(agreed.findings(), INDEX) == {"prompts"}


def test_a_document_of_other_bytes_than_the_index_says_is_named(found: Bundled) -> None:
    changed = Bundled(found.whole, {**found.files, "croissant.json": found.files["croissant.json"] + b"\n"})
    assert fields_of(changed.findings(), "croissant.json") == {"sha256", "bytes"}


def test_documents_that_are_missing_strange_or_not_listed_are_named(found: Bundled) -> None:
    gone = Bundled(found.whole, {path: data for path, data in found.files.items() if path != "croissant.json"})
    assert fields_of(gone.findings(), "croissant.json") == {"file"}
    strange = Bundled(found.whole, {**found.files, "notes.txt": b"approved!"})
    assert fields_of(strange.findings(), "notes.txt") == {"file", "kind"}


def test_a_folder_that_is_called_after_another_index_is_named(found: Bundled) -> None:
    findings = list(bundle_findings(found.files, "bundle-000000000000", found.whole))
    assert fields_of(findings, INDEX) == {"digest"}


def test_a_bundle_without_its_dataset_is_held_against_itself(found: Bundled) -> None:
    away = Bundled(found.whole, dict(found.files))
    assert list(bundle_findings(away.files, "anywhere", None)) == []
    revision = word_replaced(away.files["croissant.json"], "r1", "r9")
    planted = with_document(away, "croissant.json", revision)
    findings = list(bundle_findings(planted.files, "anywhere", None))
    assert fields_of(findings, "croissant.json") == {"models"}
    assert "(beside-data/croissant.json)" in findings[0].in_words()


def relicensed(path: str, data: bytes) -> bytes:
    """The document with another licence for every model."""
    body = orjson.loads(data)
    if path == "cyclonedx.json":
        for item in body["components"]:
            if item["type"] == "machine-learning-model":
                item["licenses"][0]["expression"] = "GPL-3.0-only"
    elif path == "croissant.json":
        for agent in body["prov:wasAttributedTo"]:
            agent["license"]["name"] = "GPL-3.0-only"
    else:
        models = {item["spdxId"] for item in body["@graph"] if item["type"] == "ai_AIPackage"}
        relations = [
            item
            for item in body["@graph"]
            if item.get("relationshipType") == "hasDeclaredLicense" and item["from"] in models
        ]
        licence = next(item for item in body["@graph"] if item["type"] == "simplelicensing_LicenseExpression") | {
            "spdxId": "https://example.org/gpl",
            "simplelicensing_licenseExpression": "GPL-3.0-only",
        }
        body["@graph"].append(licence)
        for relation in relations:
            relation["to"] = [licence["spdxId"]]
    return orjson.dumps(body)


@pytest.mark.parametrize("path", ["croissant.json", "cyclonedx.json", "spdx.json"])
def test_a_licence_of_models_that_one_document_alone_gives_is_named(found: Bundled, path: str) -> None:
    planted = with_document(found, path, relicensed(path, found.files[path]))
    away = list(bundle_findings(planted.files, "anywhere", None))
    assert fields_of(away, path) == {"model_licenses"}
    assert "model_licenses" in fields_of(planted.findings(), path)


SAYINGS: tuple[tuple[str, str, str, str], ...] = (
    ("croissant.json", r'("splits/rows": )\d+', r"\g<1>1000", "splits train"),
    ("croissant.json", r'("contentSize": ")\d+', r"\g<1>7", "bytes"),
    ("croissant.json", r'("inLanguage": \[\s*")en', r"\g<1>de", "languages"),
    ("croissant.json", r'("name": "synthetic",\s*"value": )true', r"\g<1>false", "synthetic"),
    ("croissant.json", r'("name": ")CC-BY-SA-4.0(",\s*"size")', r"\g<1>MIT-0\g<2>", "source_licenses"),
    ("markers.json", r'("synthetic": )true', r"\g<1>false", "synthetic"),
    ("cyclonedx.json", r'(\\"min_yield\\":)true', r"\g<1>false", "gates min_yield"),
    ("cyclonedx.json", r'(\\"train\\":)\d+', r"\g<1>1000", "splits train"),
    ("spdx.json", r'(\\"min_yield\\":)true', r"\g<1>false", "gates min_yield"),
    ("spdx.json", r'("dataset_datasetSize": )\d+', r"\g<1>7", "bytes"),
    ("spdx.json", r'("simplelicensing_licenseExpression": ")CC-BY-SA-4.0"', r'\g<1>MIT-0"', "source_licenses"),
    ("openlineage.jsonl", r'("name":"min_yield"[^}]*"status":")pass', r"\g<1>fail", "gates min_yield"),
    ("eu-ai-act.json", r"(max_personal_data: )passed", r"\g<1>failed", "gates max_personal_data"),
    ("eu-ai-act.md", r"(max_personal_data: )passed", r"\g<1>failed", "gates max_personal_data"),
    ("prov.json", r"CC-BY-SA-4\.0", r"MIT-0", "source_licenses"),
)
"""What a single place of a document says: its path, a pattern, what is written instead, the field that is named."""


@pytest.mark.parametrize(("path", "pattern", "by", "field"), SAYINGS)
def test_a_planted_count_gate_licence_or_mark_is_named(
    found: Bundled, path: str, pattern: str, by: str, field: str
) -> None:
    document = next(document for document in documents() if path == document.PATH)
    text, places = re.subn(pattern, by, found.files[path].decode(), count=0 if path == "prov.json" else 1)
    assert places
    findings = read_back(found, document, text.encode())
    assert field in fields_of(findings, path), [finding.in_words() for finding in findings]


WHEREVER: tuple[tuple[str, str, str, str], ...] = (
    ("croissant.json", "Example Ltd", "Another Ltd", "/creator/name"),
    ("cyclonedx.json", "outputs may be used for training", "no terms", "/"),
    ("spdx.json", "Example Ltd", "Another Ltd", "/@graph/"),
    ("eu-ai-act.md", "Example Ltd", "Another Ltd", "line "),
    ("openlineage.jsonl", "2026-01-01T00:04:00", "2026-01-01T00:03:00", "line "),
    ("prov.json", "2026-01-01T00:04:00", "2026-01-01T00:03:00", "/"),
)
"""What no claim speaks of: owners, terms, times of steps."""


@pytest.mark.parametrize(("path", "old", "new", "place"), WHEREVER)
def test_a_change_of_what_no_claim_speaks_of_is_named_with_its_place(
    found: Bundled, path: str, old: str, new: str, place: str
) -> None:
    data = found.files[path].replace(old.encode(), new.encode())
    assert all(each.startswith(place) for each in fields_of(with_document(found, path, data).findings(), path))


def test_a_bundle_of_another_version_is_held_to_what_it_claims_and_to_the_documents_that_every_bundle_has(
    found: Bundled,
) -> None:
    newer = with_index(found, lambda index: index.update(written_by="99.0.0"))
    worded = found.files["croissant.json"].replace(b"Example Ltd", b"Example Limited")
    assert with_document(newer, "croissant.json", worded).findings() == []
    wrong = word_replaced(found.files["croissant.json"], "r1", "r9")
    assert fields_of(with_document(newer, "croissant.json", wrong).findings(), "croissant.json") == {"models"}
    lacking = with_index(
        newer, lambda index: index["documents"].pop([e["path"] for e in index["documents"]].index(SPDX))
    )
    del lacking.files[SPDX]
    assert fields_of(lacking.findings(), SPDX) == {"file"}
    assert fields_of(list(bundle_findings(lacking.files, "anywhere", None)), SPDX) == {"file"}


SPDX = "spdx.json"


@pytest.mark.parametrize("writer", ["0.0.1", "a version of my own", ""])
def test_a_writer_that_is_older_than_the_dataset_or_none_at_all_is_named(found: Bundled, writer: str) -> None:
    planted = with_index(found, lambda index: index.update(written_by=writer))
    assert fields_of(planted.findings(), INDEX) == {"written_by"}


INDEX_ALONE: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a key of its own": (lambda index: index.update(approved_by="nobody"), "/approved_by"),
    "an entry twice": (
        lambda index: index["documents"].insert(0, {**index["documents"][0], "sha256": ""}),
        "documents",
    ),
    "an entry with more in it": (lambda index: index["documents"][0].update(note="reviewed"), "/documents/0/note"),
}


@pytest.mark.parametrize("kind", INDEX_ALONE)
def test_what_no_claim_speaks_of_is_named_in_the_index_too(found: Bundled, kind: str) -> None:
    change, field = INDEX_ALONE[kind]
    assert fields_of(with_index(found, change).findings(), INDEX) == {field}


def test_what_cannot_be_read_is_told_once(found: Bundled) -> None:
    cut = with_document(found, "nist-ai-600-1.json", found.files["nist-ai-600-1.json"][:-9])
    assert len(cut.findings()) == 1
