"""What documents say of rows that were erased since publication."""

from __future__ import annotations

import orjson
import pytest

from factory.govern.bundle import rendered
from factory.govern.check.fields import claims_of
from factory.govern.documents import documents
from factory.govern.facts import Facts, facts_of
from tests.publish.world import World

AT, ERASURE = "2099-01-02T03:04:05+00:00", "ce8d4b5e0378e281"


@pytest.fixture(scope="module")
def erased(worked: World) -> Facts:
    manifest = worked.publish(version="erased").manifest
    note = {"erasure": ERASURE, "at": AT, "rows": 2, "shards": {}, "manifest_before": manifest["digest"]}
    return facts_of({**manifest, "erased": [note]})


def test_they_name_the_erasure_with_its_rows_and_read_it_back(erased: Facts) -> None:
    said, wanted = rendered(erased), claims_of(erased)
    claims = {document.PATH: document.claims(said[document.PATH]) for document in documents()}
    telling = {path for path, own in claims.items() if own.erased is not None}
    assert {
        "croissant.json",
        "prov.json",
        "openlineage.jsonl",
        "spdx.json",
        "cyclonedx.json",
        "eu-ai-act.md",
    } <= telling
    assert {str(claims[path].erased) for path in telling} == {str({ERASURE: 2})}
    assert {own.updated for own in claims.values()} == {None, AT} == {None, wanted.updated}
    assert {document.PATH: document.problems(said[document.PATH]) for document in documents()} == {
        path: [] for path in said
    }


def test_the_last_update_of_the_summary_is_the_erasure_and_publication_stays(erased: Facts) -> None:
    sections = orjson.loads(rendered(erased)["eu-ai-act.json"])["sections"]
    about = {answer["key"]: answer["value"] for answer in sections[0]["answers"]}
    assert (about["last_update"], about["published"]) == (AT, erased.created)
    assert about["erased"] == [f"2 rows on {AT} by erasure {ERASURE}"]


def test_croissant_has_the_date_of_its_change(erased: Facts) -> None:
    croissant = orjson.loads(rendered(erased)["croissant.json"])
    assert croissant["dateModified"] == AT
    assert any("2 rows were erased since publication" in each for each in croissant["rai:dataLimitations"])
