"""Lineage events of real runs: killed in the middle and given again, and stopped by a gate."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from factory.govern.documents import openlineage
from factory.govern.facts import Facts, facts_of
from factory.govern.lineage import check
from factory.govern.lineage.events import line
from factory.observe.lineage import open_key
from factory.publish.locate import open_dataset, read_manifest
from factory.run.record import now
from tests.corpora import write_corpus
from tests.observe.marquez import Marquez, marquez
from tests.runs import REPOSITORY, Finished, command, environment, factory_cli, run_factory
from tests.waiting import until

Event = dict[str, Any]
ENDS = ("COMPLETE", "FAIL", "ABORT")
UNREACHABLE = "http://127.0.0.1:9"


@dataclass
class Killed:
    """A run that was killed while it answered, and what came of it when it was given again."""

    root: Path
    corpus: Path
    server: Marquez
    left_open: set[str]
    again: Finished

    @property
    def dataset(self) -> Path:
        return self.root / self.again.result["dataset"]

    @property
    def facts(self) -> Facts:
        return facts_of(read_manifest(open_dataset(str(self.dataset))))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("lineage")
    corpus, root = write_corpus(folder / "corpus", 12), folder / "root"
    with marquez() as server:
        server.moods = [503, "hang up", 201, 429]
        common = ("question.levels=[1]", f"observe.openlineage.to={server.address}")
        slow = (*common, "cluster.executor=processes", "engine.scripted_latency_s=5")
        with subprocess.Popen(
            command(corpus, str(root), slow),
            cwd=REPOSITORY,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                until("the answers begin", lambda: _is_noted(root, "answer"), 120)
                # so that none is committed before the server has heard of the step, however long that takes
                _suspend_workers(psutil.Process(process.pid))
                until("the server hears of it", lambda: "START" in server.states("demo.answer"), 120)
            finally:
                os.killpg(process.pid, 9)
        left_open = {event["run"]["runId"] for event in _unended(server.events)}
        # Begins are whole seconds: a step begun anew in the second in which it was killed goes on as what it was.
        killed_at = now()
        until("the next second", lambda: now() != killed_at)
        again = run_factory(corpus, str(root), common)
        yield Killed(root, corpus, server, left_open, again)


def _suspend_workers(driver: psutil.Process) -> None:
    """Those too that were being forked while the first were suspended."""
    held: set[psutil.Process] = set()
    while new := set(driver.children(recursive=True)) - held:
        for worker in new:
            worker.suspend()
        held |= new


def _is_noted(root: Path, step: str) -> bool:
    """Whether a run has noted that it began the step, which it does before it tells anybody."""
    kept = [orjson.loads(path.read_bytes())["open"] for path in root.glob("runs/*/openlineage.json")]
    return any(noted["step"] == step for each in kept for noted in each.values())


def _unended(events: list[Event]) -> list[Event]:
    ended = {event["run"]["runId"] for event in events if event["eventType"] in ENDS}
    return [event for event in events if event["eventType"] == "START" and event["run"]["runId"] not in ended]


def _by_run(events: list[Event]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = defaultdict(list)
    for event in events:
        told[event["run"]["runId"]].append(event["eventType"])
    return told


def test_a_run_given_again_ends_what_it_started(killed: Killed) -> None:
    assert len(killed.left_open) == 2  # the run around all, and `answer`
    told = _by_run(killed.server.events)
    assert all(kinds[0] == "START" and len(kinds) == 2 and kinds[1] in ENDS for kinds in told.values())
    assert sorted(told[run][1] for run in killed.left_open) == ["ABORT", "COMPLETE"]
    assert killed.server.states("demo") == ["START", "COMPLETE"]
    assert killed.server.states("demo.answer") == ["START", "ABORT", "START", "COMPLETE"]
    assert orjson.loads((killed.root / open_key(killed.facts.run)).read_bytes()) == {"open": {}}


def test_a_live_run_says_what_the_bundle_says(killed: Killed) -> None:
    rebuilt = list(openlineage.events(killed.facts))
    around = ("demo",)  # ended when the run was over, which the manifest cannot know
    live = [event for event in killed.server.events if event["job"]["name"] not in around]
    assert [event for event in rebuilt if event["job"]["name"] not in around and event not in live] == []
    assert {event["run"]["runId"] for event in rebuilt} <= {event["run"]["runId"] for event in killed.server.events}


def test_every_live_event_is_of_the_schema(killed: Killed) -> None:
    assert list(check.misshapen(killed.server.events)) == []


def test_a_run_that_a_gate_stops_has_failed_and_says_which_test(killed: Killed, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    extra = ("question.levels=[1]", "gate.min_samples=100000", f"observe.openlineage.to={file}")
    stopped = run_factory(killed.corpus, str(killed.root), extra, check=False)
    assert stopped.code != 0
    events = openlineage.parsed(file.read_bytes())
    assert list(check.misshapen(events)) == []
    assert _unended(events) == []
    assert events[-1]["eventType"] == "FAIL"
    assert "min_samples" in events[-1]["run"]["facets"]["errorMessage"]["message"]
    gate = next(event for event in events if event["job"]["name"] == "demo.gate" and event["eventType"] == "COMPLETE")
    tests = {test["name"]: test["status"] for test in gate["run"]["facets"]["test"]["tests"]}
    assert tests["min_samples"] == "fail"


def test_what_did_not_get_through_is_said_and_can_be_sent_later(killed: Killed, tmp_path: Path) -> None:
    extra = ("question.levels=[1]", "publish.name=later", f"observe.openlineage.to={UNREACHABLE}")
    finished = run_factory(killed.corpus, str(killed.root), extra)
    notes = [text for text in finished.stderr.splitlines() if "lineage events did not get to" in text]
    assert len(notes) == 1
    dataset = finished.result["dataset"]
    assert f"factory lineage {dataset} --to {UNREACHABLE}/api/v1/lineage" in notes[0]
    with marquez() as server:
        server.moods = [500]
        sent = factory_cli("lineage", dataset, "--to", server.address, "--json")
        assert sent.code == 0, sent.stderr
        assert orjson.loads(sent.stdout)["sent"] == len(server.events)
        assert openlineage.problems(b"".join(map(line, server.events))) == []
        server.always = 403
        refused = factory_cli("lineage", dataset, "--to", server.address)
    assert refused.code == 1
    assert "403" in refused.stderr
    file = tmp_path / "events.jsonl"
    for expected in (len(server.events), 0):  # a file gets an event once
        told = factory_cli("lineage", dataset, "--to", str(file), "--json")
        assert orjson.loads(told.stdout)["sent"] == expected
    assert "above 0" in factory_cli("lineage", dataset, "--to", str(file), "--timeout", "0").stderr
    printed = factory_cli("lineage", dataset)
    assert printed.stdout.encode() == file.read_bytes()
