"""What a run tells a catalogue, event by event, and what it says where the catalogue does not listen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.errors import StoreError
from factory.govern.lineage import check
from factory.govern.lineage.events import Whole
from factory.identity import canonical_json
from factory.observe.delivery import Delivery, UnsentError
from factory.observe.events import Began, Since
from factory.observe.lineage import LineageEvents, open_key
from factory.run.record import record_key
from factory.store.commits import Counts
from factory.store.local import LocalStore

RUN = "0123456789abcdef"
WHOLE = Whole("demo", RUN, 17, "0.1.0")
AT = "2026-01-01T00:00:00+00:00"


@dataclass
class Kept:
    """Takes events, or none."""

    deaf: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    where: str = "http://127.0.0.1:9/api/v1/lineage"

    def send(self, data: bytes) -> None:
        if self.deaf:
            raise UnsentError("nobody listens")
        self.events.append(orjson.loads(data))

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event["eventType"], event["job"]["name"]) for event in self.events]


@dataclass
class Execution:
    """One execution of the run over a store."""

    store: LocalStore
    kept: Kept = field(default_factory=Kept)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = LineageEvents(self.store, WHOLE, Delivery(self.kept), self.notes.append)

    def begin(self, step: str, began: str = AT, again: bool = False) -> None:
        since = Since(began, again, () if step == "select" else ("select",))
        self.listener.step_began(Began(step, f"{step}-1", 1, 0, Counts(), {}, 0.0, 0.0, since=since))

    def end(self, step: str, began: str = AT, accepted: int = 3) -> None:
        key = f"steps/{step}-1/step.json"
        self.store.put_if_absent(key, canonical_json({"name": step, "version": 1, "own": {}}))
        counts = {"inputs": 3, "used": 3, "rejected": 0, "quarantined": 0, "accepted": accepted, "output_rejected": 0}
        done = {
            "step": step,
            "folder": f"{step}-1",
            "reads": [] if step == "select" else ["select"],
            "units": 1,
            "plan": "p",
            "counts": counts,
            "reasons": {},
            "input_digest": "i",
            "accepted_digest": "a",
            "ledger": {},
            "engines": [],
            "began": began,
            "ended": AT,
        }
        self.listener.step_ended(done)

    def over(self, state: str) -> None:
        self.listener.ended(state)
        self.listener.closed()


@pytest.fixture
def execution(local_store: LocalStore) -> Execution:
    return Execution(local_store)


def test_a_step_that_grows_after_it_was_complete_tells_what_it_knows_now(execution: Execution) -> None:
    execution.begin("select")
    execution.end("select", accepted=3)
    execution.begin("select", again=True)
    execution.end("select", accepted=5)
    execution.over("interrupted")
    told = [("START", "demo"), ("START", "demo.select"), ("COMPLETE", "demo.select"), ("OTHER", "demo.select")]
    assert execution.kept.told == [*told, ("ABORT", "demo")]
    assert list(check.misshapen(execution.kept.events)) == []
    first, later = (execution.kept.events[place] for place in (2, 3))
    assert first["run"]["runId"] == later["run"]["runId"]
    assert later["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 5


def test_a_step_that_was_done_before_a_kill_is_complete_and_not_aborted(execution: Execution) -> None:
    execution.begin("select")
    execution.begin("merge")  # the last that was heard of it
    execution.listener._delivery.close(5)
    again = Execution(execution.store)
    again.end("select")  # its record was written, its COMPLETE was not sent
    again.begin("merge", "2026-01-02T00:00:00+00:00")
    again.over("failed")
    assert again.kept.told == [
        ("COMPLETE", "demo.select"),
        ("ABORT", "demo.merge"),
        ("START", "demo.merge"),
        ("FAIL", "demo.merge"),
        ("FAIL", "demo"),
    ]
    assert orjson.loads(execution.store.get(open_key(RUN))) == {"open": {}}


def test_an_execution_that_worked_nothing_tells_nothing(execution: Execution) -> None:
    execution.over("failed")
    assert execution.kept.told == []
    assert execution.notes == []


def test_why_a_run_failed_is_said_without_a_stack(execution: Execution) -> None:
    record = {"run": RUN, "state": "failed", "error": "the disk is full", "config": {}, "steps": {}, "dataset": None}
    record |= {"inputs": "", "models": {}, "started": AT, "resumed": [], "engine_starts": {}}
    execution.store.put(record_key(RUN), canonical_json(record))
    execution.begin("select")
    execution.over("failed")
    for event in execution.kept.events[-2:]:
        assert event["run"]["facets"]["errorMessage"]["message"] == "the disk is full"
        assert "stackTrace" not in event["run"]["facets"]["errorMessage"]


def test_a_catalogue_that_does_not_listen_is_said_once(
    local_store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("factory.observe.lineage.FLUSH_S", 0.1)
    execution = Execution(local_store, Kept(deaf=True))
    execution.begin("select")
    execution.end("select")
    execution.over("failed")
    assert len(execution.notes) == 1
    assert "4 of 4 lineage events did not get to http://127.0.0.1:9" in execution.notes[0]
    assert "nobody listens" in execution.notes[0]
    assert "factory lineage DATASET" in execution.notes[0]


def test_a_store_that_does_not_take_what_is_open_holds_up_no_event(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(key: str, data: bytes) -> None:
        raise StoreError("the store is away")

    execution.store.put_if_absent(
        "steps/select-1/step.json", canonical_json({"name": "select", "version": 1, "own": {}})
    )
    monkeypatch.setattr(LocalStore, "put", lambda self, key, data: refuse(key, data))
    execution.begin("select")
    execution.end("select")
    execution.over("interrupted")
    assert execution.kept.told[-1] == ("ABORT", "demo")


def away(store: LocalStore, run: str) -> None:
    raise StoreError("the store is away")


def test_a_run_that_fails_because_its_store_is_away_is_told_as_failed(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution.begin("select")
    monkeypatch.setattr("factory.observe.lineage.read_record", away)
    execution.over("failed")
    assert execution.kept.told[2:] == [("FAIL", "demo.select"), ("FAIL", "demo")]


@pytest.mark.parametrize("what", ["read_record", "standing"])
def test_a_run_whose_manifest_cannot_be_read_at_the_end_is_not_told_as_aborted(
    execution: Execution, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    record = {"run": RUN, "state": "finished", "dataset": "datasets/demo/v1"}
    execution.store.put(record_key(RUN), canonical_json(record))
    execution.begin("select")
    execution.end("select")
    monkeypatch.setattr(f"factory.observe.lineage.{what}", away)
    execution.over("finished")
    assert execution.kept.told[-1] == ("COMPLETE", "demo.select")
    assert [note for note in execution.notes if "factory lineage DATASET" in note]


def test_an_edited_list_of_what_is_open_is_read_as_far_as_it_goes(execution: Execution, tmp_path: Path) -> None:
    execution.store.put(open_key(RUN), b'{"open": {"x": {"step": "select"}, "y": 7}}')
    execution.begin("select")
    execution.over("interrupted")
    assert execution.kept.told[0] == ("START", "demo")
