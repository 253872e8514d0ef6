"""What is planted in a document of the bundle, and hashed again, is found and named with its artefact and field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import factory.govern.documents as room
from factory.govern.check.findings import Finding
from factory.govern.documents import DOCUMENTS, documents
from factory.govern.facts import Facts
from tests.govern.check.planted import PROMPT_ID, Bundled, publish, with_document, word_replaced
from tests.publish.world import World

PATHS = [document.PATH for document in documents()]

OTHER_HASH = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def found(worked: World) -> Bundled:
    return publish(worked)


def named(findings: list[Finding], artefact: str) -> set[str]:
    """Fields that were found wrong in an artefact; every finding must be of that one."""
    assert {finding.artefact for finding in findings} == {artefact}, [each.in_words() for each in findings]
    return {finding.field for finding in findings}


def test_an_untouched_bundle_has_no_findings(found: Bundled) -> None:
    assert found.findings() == []
    assert found.of_dataset() == []


def test_every_document_of_the_room_is_checked() -> None:
    modules = {path.stem for path in Path(room.__file__).parent.glob("*.py") if "\nPATH" in path.read_text()}
    assert modules == set(DOCUMENTS)


Word = Callable[[Facts], tuple[str, str]]
WORDS: dict[str, tuple[Word, str]] = {
    "name": (lambda facts: (facts.name, "t0y"), "name"),
    "version": (lambda facts: (facts.version, "planted2"), "version"),
    "run": (lambda facts: (facts.run, "fedcba9876543210"), "run"),
    "digest": (lambda facts: (facts.digest, OTHER_HASH), "digest"),
    "date": (lambda facts: (facts.created[:10], "1999-01-01"), "created"),
    "file": (lambda facts: (facts.files[-1].sha256, OTHER_HASH), "files"),
    "card": (lambda facts: (facts.file("README.md").sha256, OTHER_HASH), "files"),
    "revision": (lambda facts: (facts.models[0].revision, "r9"), "models"),
    "model": (lambda facts: (facts.models[0].name, "toy/other"), "models"),
    "step": (lambda facts: (facts.steps[-1].folder, f"shards-{'0' * 16}"), "steps"),
    "prompt": (lambda facts: (PROMPT_ID, OTHER_HASH), "prompts"),
    "licence": (lambda facts: (facts.license, "GPL-3.0-only"), "licenses"),
}
"""What is replaced wherever it stands by itself in a document, and the field that must be named."""


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", WORDS)
def test_a_planted_word_is_named(found: Bundled, path: str, kind: str) -> None:
    """Of every document that speaks of the thing at all."""
    word, field = WORDS[kind]
    old, new = word(found.whole.facts)
    own = next(document for document in documents() if path == document.PATH).claims(found.files[path])
    if getattr(own, field) is None:
        pytest.skip(f"{path} does not speak of {field}")
    fields_found = named(with_document(found, path, word_replaced(found.files[path], old, new)).findings(), path)
    assert any(each.startswith((field, "required")) for each in fields_found), fields_found
