"""Two real runs, one from nothing and the same over a grown corpus: what they export, log and trace equals what they
record, and whoever looks at the root sees them work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.cost.runs import cost_of_run
from factory.observe import catalogue
from factory.observe.traces import trace_id_of
from tests.corpora import row_of, write_corpus, write_shard
from tests.observe.closed_sets import VALUES
from tests.observe.exposition import samples, value
from tests.observe.otlp_receiver import Received, receiving
from tests.observe.watched import LATENCY_S, SECRET, Watched, watch
from tests.runs import factory_cli

DOCUMENTS, GROWN = 18, 6
TOKENS = ("prompt", "cached", "generated")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Received]:
    with receiving() as received:
        yield received


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("observed-corpus"), DOCUMENTS)


@pytest.fixture(scope="module")
def first(corpus: Path, receiver: Received, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A run from nothing."""
    return watch(corpus, tmp_path_factory.mktemp("observed-root"), receiver.address)


@pytest.fixture(scope="module")
def grown(first: Watched, corpus: Path, receiver: Received) -> Watched:
    """The same command when the corpus has more documents."""
    write_shard(corpus / "shard-900", [row_of(number) for number in range(500, 500 + GROWN)], 1)
    return watch(corpus, first.root, receiver.address)


def test_counters_equal_the_ledger(first: Watched) -> None:
    text, dones = first.last, first.dones
    assert set(dones) >= {"select", "extract", "answer", "shards"}
    for step, done in dones.items():
        for kind in catalogue.ROW_KINDS:
            assert value(text, "factory_rows_total", step=step, kind=kind) == done["counts"][kind], (step, kind)
        assert value(text, "factory_commits_total", step=step) == done["units"]
        assert value(text, "factory_requests_total", step=step) == done["spent_now"].get("requests", 0)
        for kind in TOKENS:
            assert value(text, "factory_tokens_total", step=step, kind=kind) == done["ledger"].get(f"{kind}_tokens", 0)
        assert _rejects(text, step) == {
            (side, reason): rows for side, reasons in done["reasons"].items() for reason, rows in reasons.items()
        }
    assert value(text, "factory_rows_total", step="select", kind="inputs") == DOCUMENTS
    assert sum(sum(_rejects(text, step).values()) for step in ("extract", "question_1", "question_2", "answer")) > 0


def test_after_the_corpus_has_grown_counters_say_what_was_done_now_and_gauges_what_is_there(
    first: Watched, grown: Watched
) -> None:
    before, text, dones = first.last, grown.last, grown.dones
    assert grown.run == first.run
    assert value(text, "factory_rows_total", step="select", kind="inputs") == GROWN
    assert value(text, "factory_committed_rows", step="select", kind="inputs") == DOCUMENTS + GROWN
    for step, done in dones.items():
        if step in ("select", "extract", "question_1", "question_2"):
            assert 0 < value(text, "factory_commits_total", step=step) < done["units"]
            assert value(text, "factory_units", step=step, state="reused") == done["units_reused"] > 0
        assert value(text, "factory_commits_total", step=step) == done["units"] - done["units_reused"]
        assert value(text, "factory_units", step=step, state="committed") == done["units"]
        assert value(text, "factory_requests_total", step=step) == done["spent_now"].get("requests", 0)
        for kind in TOKENS:
            paid, there = done["spent_now"].get(f"{kind}_tokens", 0), done["ledger"].get(f"{kind}_tokens", 0)
            assert value(text, "factory_tokens_total", step=step, kind=kind) == paid
            assert value(text, "factory_committed_tokens", step=step, kind=kind) == there
        for kind in catalogue.ROW_KINDS:
            assert value(text, "factory_committed_rows", step=step, kind=kind) == done["counts"][kind]
    accepted = {"step": "extract", "kind": "accepted"}
    both = value(before, "factory_rows_total", **accepted) + value(text, "factory_rows_total", **accepted)
    assert both == dones["extract"]["counts"]["accepted"]


def test_engines_phases_and_states(first: Watched) -> None:
    text, record = first.last, first.record
    starts = record["engine_starts"]["scripted"]["starts"]
    assert value(text, "factory_engine_starts_total", kind="first") == starts == 1
    assert value(text, "factory_engine_starts_total", kind="replacement") == 0
    asked = value(text, "factory_unit_seconds_sum", step="extract")
    phases = {labels["phase"]: seconds for labels, seconds in _of(text, "factory_phase_seconds_total", "extract")}
    assert set(phases) == {"read", "wait", "generate", "parse", "commit"}
    units = first.dones["extract"]["units"]
    assert phases["generate"] >= LATENCY_S * units
    assert sum(phases.values()) <= asked
    assert value(text, "factory_unit_seconds_count", step="extract") == units
    assert {labels["phase"] for labels, _ in _of(text, "factory_phase_seconds_total", "curate")} == {"work", "commit"}
    states = {labels["state"]: number for labels, number in samples(text)["factory_run_state"]}
    assert states == {state: float(state == "finished") for state in catalogue.STATES}
    during = [text for text in first.scrapes if value(text, "factory_run_state", state="running")]
    assert any(value(text, "factory_step_active") for text in during)
    assert any("factory_engine_open_batches{" in text for text in during)  # looked at every 5 s
    assert any(value(text, "factory_engine_replicas", state="answering") == 1 for text in during)
    assert value(text, "factory_engine_replicas", state="answering") == 0  # they were ended


def test_money_is_that_of_the_ledger(first: Watched) -> None:
    paid = cost_of_run(first.run, first.record["config"], first.dones).paid.money
    assert paid.amount is not None
    assert abs(value(first.last, "factory_spent", currency="USD") - paid.amount) < 1e-9
    assert value(first.last, "factory_unpriced") == 0


def test_only_what_the_catalogue_names_is_exported_with_labels_and_values_it_names(
    first: Watched, grown: Watched
) -> None:
    known = {metric.name: metric for metric in catalogue.METRICS}
    histograms = {name + end: metric for name, metric in known.items() for end in ("_bucket", "_sum", "_count")}
    for text in (first.last, grown.last):
        for name, series in samples(text).items():
            metric = known.get(name) or histograms[name]
            for labels, _ in series:
                assert set(labels) - {"le"} == set(metric.labels)
                assert labels["run"] == first.run
                assert all(labels[label] in VALUES.get((name, label), (labels[label],)) for label in metric.labels)
    missing = {metric.name for metric in catalogue.METRICS if metric.kind != "histogram"} - set(samples(first.last))
    assert missing <= {"factory_engine_open_requests", "factory_engine_open_batches"}  # only while engines are there


def test_prometheus_finds_the_endpoint_while_it_is_there(first: Watched) -> None:
    (target,) = first.targets[-1]
    assert target["targets"][0].startswith("127.0.0.1:")
    assert target["labels"] == {"job": "factory"}
    assert not list(first.targets_folder.glob("*.json"))


def test_whoever_looks_at_the_root_sees_the_run_work_and_end(first: Watched, grown: Watched) -> None:
    assert first.failures == grown.failures == []
    for watched in (first, grown):
        states = [glimpse.state for glimpse in watched.looks]
        working = [glimpse for glimpse in watched.looks if glimpse.state == "running"]
        assert working
        assert any(not step.done for glimpse in working for step in glimpse.steps)
        assert states[-1] == "finished"
        last = {step.step: step for step in watched.looks[-1].steps}
        assert set(last) == set(watched.dones)
        for name, done in watched.dones.items():
            counts = done["counts"]
            shown = (last[name].done, last[name].units, last[name].rows_in, last[name].accepted)
            assert shown == (True, done["units"], counts["inputs"], counts["accepted"])


def test_once_and_without_a_terminal_there_is_no_colour(grown: Watched) -> None:
    done = factory_cli("top", str(grown.root), "--once")
    assert done.code == 0
    assert "\x1b" not in done.stdout
    line = next(line for line in done.stdout.splitlines() if line.startswith("extract "))
    extract = grown.dones["extract"]
    assert f"{extract['units']}/{extract['units']}" in line
    assert line.split()[3:5] == [str(extract["counts"]["inputs"]), str(extract["counts"]["accepted"])]
    followed = factory_cli("top", str(grown.root))
    assert followed.stdout == done.stdout  # the run has ended: one frame


def test_every_line_of_a_run_is_an_object_about_it(first: Watched) -> None:
    lines = [json.loads(line) for line in first.finished.stderr.splitlines()]
    assert all(line["run"] == first.run for line in lines if line["event"] not in ("note", "log"))
    assert {"step_began", "unit_done", "step_done", "note"} <= {line["event"] for line in lines}
    for step, done in first.dones.items():
        units = [line for line in lines if line["event"] == "unit_done" and line["step"] == step]
        assert len(units) == len({line["unit"] for line in units}) == done["units"]
        assert all(line["attempt"] and line["seconds"] > 0 for line in units)
        (ended,) = [line for line in lines if line["event"] == "step_done" and line["step"] == step]
        assert sum(line["rows"]["inputs"] for line in units) == ended["rows"]["inputs"] == done["counts"]["inputs"]
    assert SECRET not in first.finished.stderr


def test_every_unit_of_a_run_is_a_trace_with_its_phases(first: Watched, receiver: Received) -> None:
    done = first.dones["extract"]
    step = min(receiver.named("step extract"), key=lambda span: span.start)  # of the run from nothing
    units = [span for span in receiver.named("unit") if step.span in span.links]
    assert len(units) == done["units"]
    for unit in units:
        parts = sorted((span for span in receiver.spans if span.parent == unit.span), key=lambda span: span.start)
        assert [span.name for span in parts] == ["read", "wait", "generate", "parse", "commit"]
        assert all(span.trace == unit.trace for span in parts)
        assert all(unit.start <= span.start <= span.end for span in parts)
        assert unit.attributes["factory.run"] == first.run
        assert unit.attributes["factory.rows.inputs"] > 0
        assert unit.attributes["factory.requests"] > 0
        assert int(unit.trace, 16) == trace_id_of(first.run, done["folder"], unit.attributes["factory.unit"])
    assert len([span for span in receiver.named("plan") if span.parent == step.span]) == 1
    assert "factory" in receiver.services
    assert receiver.paths == {"/v1/traces"}


def _rejects(text: str, step: str) -> dict[tuple[str, str], float]:
    return {(labels["side"], labels["reason"]): rows for labels, rows in _of(text, "factory_rejects_total", step)}


def _of(text: str, name: str, step: str) -> list[tuple[dict[str, str], float]]:
    return [(labels, number) for labels, number in samples(text).get(name, []) if labels["step"] == step]
