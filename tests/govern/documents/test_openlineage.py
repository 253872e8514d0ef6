"""The run events of a published dataset."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.cli.main import main
from factory.govern.documents import openlineage
from factory.govern.facts import Facts, facts_of
from factory.govern.lineage.events import line
from tests.govern.lineage.published import taken
from tests.publish.world import World

Event = dict[str, Any]
CLOCK = {
    "started": "2026-01-01T00:00:00+00:00",
    "steps": {
        name: [f"2026-01-01T00:0{place}:00+00:00", f"2026-01-01T00:0{place}:30+00:00"]
        for place, name in enumerate(
            ("select", "merge", "question_1", "answer", "check", "samples", "gate", "shards"), start=1
        )
    },
}


@pytest.fixture(scope="module")
def facts(worked: World) -> Facts:
    published = worked.publish(version="lineage", clock=CLOCK, languages=("en",), governance={"owner": "Example Ltd"})
    return facts_of(published.manifest)


@pytest.fixture(scope="module")
def data(facts: Facts) -> bytes:
    return openlineage.render(facts)


@pytest.fixture
def events(data: bytes) -> list[Event]:
    return [orjson.loads(text) for text in data.splitlines()]


def _told(events: Iterable[Event]) -> list[str]:
    return openlineage.problems(b"".join(line(event) for event in events))


def _of(events: list[Event], job: str, kind: str = "COMPLETE") -> Event:
    return next(event for event in events if event["job"]["name"] == job and event["eventType"] == kind)


def test_the_same_facts_give_the_same_events(facts: Facts, data: bytes) -> None:
    assert openlineage.render(facts) == data
    assert openlineage.problems(data) == []


def test_every_step_starts_once_and_ends_once_at_the_times_it_noted(events: list[Event], facts: Facts) -> None:
    for step in facts.steps:
        start, end = (_of(events, f"toy.{step.name}", kind) for kind in ("START", "COMPLETE"))
        assert (start["eventTime"], end["eventTime"]) == (step.began, step.ended)
        assert start["run"]["runId"] == end["run"]["runId"]
        assert uuid.UUID(start["run"]["runId"]).version == 5
        root = events[0]["run"]["runId"]
        assert start["run"]["facets"]["parent"]["run"]["runId"] == root
        assert start["run"]["facets"]["parent"]["root"]["run"]["runId"] == root
    assert [events[0]["eventType"], events[-1]["eventType"]] == ["START", "COMPLETE"]
    assert len(events) == 2 * (len(facts.steps) + 2)


def test_openlineages_own_classes_take_every_event(events: list[Event]) -> None:
    for event in events:
        taken(event)
    broken = copy.deepcopy(_of(events, "toy.gate"))
    del broken["run"]["facets"]["test"]["tests"][0]["status"]
    with pytest.raises(TypeError, match="status"):
        taken(broken)


def test_gates_are_tests_of_their_step_and_assertions_on_what_they_tested(events: list[Event], facts: Facts) -> None:
    gate = _of(events, "toy.gate")
    tests = {test["name"]: test for test in gate["run"]["facets"]["test"]["tests"]}
    assert set(tests) == {found.name for found in facts.gates}
    for found in facts.gates:
        status = "skip" if found.threshold is None else "pass" if found.passed else "fail"
        assert tests[found.name]["status"] == status
    samples = next(table for table in gate["inputs"] if "samples-" in table["name"])
    asserted = samples["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {each["assertion"] for each in asserted} == {
        found.name for found in facts.gates if found.threshold is not None
    }


def test_a_published_column_leads_back_to_the_text_of_the_documents(events: list[Event], facts: Facts) -> None:
    written = {table["name"]: table for event in events for table in event["outputs"] if "facets" in table}

    def before(table: str, column: str) -> set[tuple[str, str]]:
        lineage = written[table]["facets"].get("columnLineage", {"fields": {}})["fields"]
        found = lineage.get(column, {"inputFields": []})["inputFields"]
        steps = {(field["name"], field["field"]) for field in found}
        return steps.union(*(before(*step) for step in steps))

    select = next(step.folder for step in facts.steps if step.name == "select")
    assert (f"steps/{select}", "text") in before(facts.prefix, "answer")
    assert (f"steps/{select}", "license") in before(facts.prefix, "license")
    assert before(facts.prefix, "synthetic") == {
        (f"steps/{facts.step('shards').folder}", "synthetic"),
        (f"steps/{facts.step('samples').folder}", "synthetic"),
    }  # type: ignore[union-attr]


def test_figures_of_the_published_dataset_are_the_manifests(events: list[Event], facts: Facts) -> None:
    output = _of(events, "toy.publish")["outputs"][0]
    statistics = output["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"], statistics["fileCount"]) == (
        facts.rows,
        facts.published_bytes,
        len(facts.files),
    )
    assert output["facets"]["ownership"]["owners"][0]["name"] == "Example Ltd"
    assert [(each["name"], each["type"]) for each in output["facets"]["schema"]["fields"]] == list(facts.columns)


def test_a_file_that_a_live_run_wrote_gets_what_it_lacks_and_no_second_run(
    events: list[Event], facts: Facts, worked: World, tmp_path: Path
) -> None:
    for around in (events[0], events[-1]):  # a live run tells these at its own times
        around["eventTime"] = "2026-01-02T00:00:00+00:00"
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(line(event) for event in events if event["job"]["name"] != "toy.check"))
    assert len(file.read_bytes().splitlines()) == len(events) - 2
    for _ in range(2):
        assert main(["lineage", f"{worked.store.uri}/{facts.prefix}", "--to", str(file)]) == 0
        told = file.read_bytes()
        assert len(told.splitlines()) == len(events)
        assert openlineage.problems(told) == []


def test_claims_are_what_the_facts_say(data: bytes, facts: Facts) -> None:
    claims = openlineage.claims(data)
    assert (claims.name, claims.version, claims.created, claims.run) == ("toy", "lineage", facts.created, facts.run)
    assert (claims.rows, claims.bytes, claims.digest) == (facts.rows, facts.published_bytes, facts.digest)
    assert claims.splits == {split.name: split.rows for split in facts.splits}
    assert claims.licenses == {facts.license}
    assert claims.models == {(model.name, model.revision) for model in facts.models}
    assert claims.steps == {step.folder for step in facts.steps}
    assert claims.gates == {gate.name: gate.passed for gate in facts.gates}
    assert claims.languages == {"en"}
    assert claims.synthetic is True


BREAKS: list[tuple[str, Callable[[list[Event]], Any], str]] = [
    ("no end", lambda events: events.pop(4), "not one of each"),
    ("a second start", lambda events: events.insert(2, copy.deepcopy(events[1])), "not one of each"),
    ("the end first", lambda events: events.insert(1, events.pop(2)), "does not begin with its START"),
    ("no parent", lambda events: events.__delitem__(slice(-1, None)) or events.pop(0), "names the parent toy"),
    ("no run id", lambda events: events[1]["run"].pop("runId"), "'runId' is a required property"),
    ("no uuid", lambda events: events[1]["run"].update(runId="seven"), "is not a 'uuid'"),
    ("no producer", lambda events: events[1]["run"]["facets"]["parent"].pop("_producer"), "'_producer' is a required"),
    ("a time without a zone", lambda events: events[1].update(eventTime="2026-01-01T00:00:00"), "is not a 'date-time'"),
    (
        "another facet's schema",
        lambda events: events[1]["job"]["facets"]["jobType"].update(_schemaURL="urn:x"),
        "urn:x",
    ),
    ("a table from nowhere", lambda events: events[3]["inputs"][0].update(name="steps/none-1"), "which nothing wrote"),
    ("negative rows", lambda events: _statistics(events).update(rowCount=-1), "less than the minimum"),
    ("a column that is not there", lambda events: _column(events).update(field="nowhere"), "has none of that name"),
    ("a table that is not read", lambda events: _column(events).update(name="steps/x"), "which it does not read"),
    ("no events", lambda events: events.clear(), "there is no event"),
]


def _statistics(events: list[Event]) -> Any:
    return _of(events, "toy.publish")["outputs"][0]["outputFacets"]["outputStatistics"]


def _column(events: list[Event]) -> Any:
    return _of(events, "toy.samples")["outputs"][0]["facets"]["columnLineage"]["fields"]["question"]["inputFields"][0]


@pytest.mark.parametrize(("what", "broken", "told"), BREAKS, ids=[what for what, _, _ in BREAKS])
def test_what_is_wrong_is_named(
    events: list[Event], what: str, broken: Callable[[list[Event]], Any], told: str
) -> None:
    broken(events)
    assert any(told in problem for problem in _told(events)), _told(events)


def test_a_line_that_is_no_json_is_named_by_its_number(data: bytes) -> None:
    assert openlineage.problems(data.replace(b"\n", b"\n{\n", 1)) == [
        "line 2 is no JSON: unexpected end of data: line 1 column 2 (char 1)"
    ]


def test_a_missing_field_is_named_by_claims(events: list[Event]) -> None:
    del _of(events, "toy.publish")["outputs"][0]["facets"]["version"]
    with pytest.raises(ValueError, match=r"version is missing"):
        openlineage.claims(b"".join(line(event) for event in events))
