"""Traces of units, received by a small collector over HTTP."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from factory.errors import ConfigError
from factory.observe.events import Began
from factory.observe.phases import Phase, Timeline
from factory.observe.traces import UnitTraces
from factory.run.attempt import Receipt
from factory.store.commits import Counts
from tests.corpora import write_corpus
from tests.observe.otlp_receiver import receiving
from tests.runs import run_factory

BEGAN = Began("answer", "answer-1", 3, 0, Counts(), {}, time.time(), 0.1, "model", 1)


def _receipt(unit: str, attempt: str) -> Receipt:
    now = time.time()
    timeline = Timeline("host", 1, now, 2.0, (Phase("read", now, 0.5), Phase("generate", now + 0.5, 1.0)))
    return Receipt(unit, attempt, None, {"requests": 3}, timeline)


def test_two_attempts_at_a_unit_are_in_one_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.address)
        for attempt in ("a1", "a2"):  # two executions
            traces = UnitTraces("run", "data", print)
            traces.step_began(BEGAN)
            traces.unit(BEGAN, _receipt("u", attempt))
            traces.ended("failed")
            traces.closed()
    units = received.named("unit")
    assert {span.attributes["factory.attempt"] for span in units} == {"a1", "a2"}
    assert len({span.trace for span in units}) == 1
    assert len({span.span for span in units}) == 2
    assert all(span.failed for span in (*units, *received.named("step answer")))  # too late; and the run ended there
    assert len({span.span for span in received.spans}) == len(received.spans)


def test_a_collector_that_does_not_answer_costs_seconds_and_holds_up_no_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        traces = UnitTraces("run", "data", print)
        traces.step_began(BEGAN)
        began = time.monotonic()
        for number in range(5000):  # more than the processor's queue takes
            traces.unit(BEGAN, _receipt(f"u{number}", f"a{number}"))
        fed = time.monotonic() - began
        traces.ended("finished")
        traces.closed()
    assert fed < 60  # a unit that waited for the collector would take 10 s, the exporter's time-out
    assert time.monotonic() - began < fed + 20  # FLUSH_S, and what a busy machine adds


def test_a_run_goes_on_when_there_is_no_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as port:
        address = f"http://127.0.0.1:{port.getsockname()[1]}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    traces = UnitTraces("run", "data", said.append)
    traces.step_began(BEGAN)
    for number in range(600):
        traces.unit(BEGAN, _receipt(f"u{number}", f"a{number}"))
    deadline = time.monotonic() + 30
    while not said and time.monotonic() < deadline:
        time.sleep(0.1)
    traces.closed()
    assert len(said) == 1
    assert "the run goes on" in said[0]


def test_without_the_extra_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, module, None)  # as Python marks what cannot be imported
    with pytest.raises(ConfigError, match="needs OpenTelemetry") as raised:
        UnitTraces("run", "data", print)
    assert "corpus-factory[otel]" in raised.value.remedy


def test_a_port_that_is_taken_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", 2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: Any = taken.getsockname()[1]
        failed = run_factory(corpus, str(tmp_path / "root"), [f"observe.metrics_port={port}"], check=False)
    assert failed.code == 2
    assert "observe.metrics_port=0" in failed.stderr
