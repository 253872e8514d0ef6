"""What documents say of units that were worked before the run took them up, and of the corpus that it read."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from factory.govern.bundle import rendered
from factory.govern.documents import documents
from factory.govern.facts import Facts, facts_of
from tests.govern.documents.conftest import CLOCK
from tests.publish.world import World

SINCE = "2025-12-24T00:00:00+00:00"
BEGAN = CLOCK["steps"]["question_1"][0]  # type: ignore[index]


def published(worked: World, version: str, since: str | None) -> Facts:
    clock = {**CLOCK, "reused": {"question_1": {"units": 3, "runs": 1, "since": since}}}
    return facts_of(worked.publish(version=version, clock=clock).manifest)


@pytest.fixture(scope="module")
def reused(worked: World) -> Facts:
    return published(worked, "reused", SINCE)


@pytest.fixture(scope="module")
def said(reused: Facts) -> dict[str, bytes]:
    return rendered(reused)


def loaded(said: dict[str, bytes], path: str) -> Any:
    return orjson.loads(said[path])


def test_documents_with_reused_units_lack_nothing(said: dict[str, bytes]) -> None:
    assert {document.PATH: document.problems(said[document.PATH]) for document in documents()} == {
        path: [] for path in said
    }


def test_every_document_that_tells_times_of_steps_says_what_was_reused(said: dict[str, bytes]) -> None:
    for path in ("prov.json", "croissant.json", "spdx.json", "cyclonedx.json"):
        assert f"reused, worked earlier (not before {SINCE})".encode() in said[path], path
    assert b'"key":"units.reused","source":"factory","value":"3"' in said["openlineage.jsonl"]


def test_no_document_gives_the_times_of_the_run_for_those_of_the_work(said: dict[str, bytes]) -> None:
    activities = loaded(said, "prov.json")["activity"]
    [asked] = [each for each in activities.values() if each["prov:label"] == "question_1"]
    assert asked["factory:began"] == BEGAN
    assert "prov:startTime" not in asked
    croissant = loaded(said, "croissant.json")
    [step] = [each for each in croissant["prov:wasGeneratedBy"] if each["prov:label"] == "question_1"]
    assert "prov:startedAtTime" not in step
    assert croissant["rai:dataCollectionTimeframe"][0] == SINCE
    [build] = [each for each in loaded(said, "spdx.json")["@graph"] if each["type"] == "build_Build"]
    assert build["build_buildStartTime"] == SINCE.replace("+00:00", "Z")
    workflow = loaded(said, "cyclonedx.json")["formulation"][0]["workflows"][0]
    [task] = [each for each in workflow["tasks"] if each["name"] == "question_1"]
    assert "timeStart" not in task
    assert workflow["timeStart"].startswith(SINCE[:10])


def test_where_nobody_knows_when_no_beginning_is_given(worked: World) -> None:
    facts = published(worked, "unknown", None)
    croissant = orjson.loads(rendered(facts)["croissant.json"])
    assert croissant["rai:dataCollectionTimeframe"] == [facts.created]
    assert b"at a time not known" in rendered(facts)["spdx.json"]


def test_the_corpus_is_named_by_what_was_read_of_it(reused: Facts, said: dict[str, bytes]) -> None:
    select = reused.step("select")
    assert select is not None
    assert len(select.plan) == 64
    corpus = next(
        each for each in loaded(said, "prov.json")["entity"].values() if each["prov:label"] == "source documents"
    )
    assert corpus["factory:ranges_digest"] == select.plan
    events = [orjson.loads(line) for line in said["openlineage.jsonl"].splitlines()]
    versions = {
        table["facets"]["version"]["datasetVersion"]
        for event in events
        for table in event["inputs"]
        if "version" in table.get("facets", {})
    }
    assert versions == {select.plan}
