"""Counting and exposing: bounds of labels, histograms, and listeners that fail."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from factory.cost.config import PricesConfig
from factory.observe import catalogue
from factory.observe.counters import RunMetrics
from factory.observe.events import Began, Listener, Observer
from factory.observe.forwarded import families
from factory.observe.numbers import Numbers
from factory.run.attempt import Receipt
from factory.run.ledger import Tally
from factory.run.plan import Plan
from factory.store.commits import Commit, Counts
from tests.observe.exposition import samples, value


def _text(numbers: Numbers) -> str:
    registry = CollectorRegistry()
    registry.register(numbers)
    return generate_latest(registry).decode()


def test_reasons_beyond_the_bound_are_counted_as_other_and_none_is_lost() -> None:
    numbers = Numbers()
    for number in range(3 * catalogue.REASONS_AT_MOST):
        numbers.add(catalogue.REJECTS, 2, "run", "answer", "input", f"reason {number}")
    numbers.add(catalogue.REJECTS, 1, "run", "answer", "output", "reason of the other side")
    text = _text(numbers)
    series = samples(text)["factory_rejects_total"]
    assert len(series) == catalogue.REASONS_AT_MOST + 2
    assert value(text, "factory_rejects_total", side="input") == 6 * catalogue.REASONS_AT_MOST
    assert value(text, "factory_rejects_total", reason="other") == 4 * catalogue.REASONS_AT_MOST
    assert value(text, "factory_rejects_total", side="output") == 1


@given(st.lists(st.floats(0, 1e5), max_size=30))
def test_a_histogram_holds_every_value_in_the_right_bucket(seconds: list[float]) -> None:
    numbers = Numbers()
    for each in seconds:
        numbers.observe(catalogue.UNIT_TIME, each, "run", "answer")
    text = _text(numbers)
    for bound in catalogue.UNIT_SECONDS:
        expected = sum(each <= bound for each in seconds)
        assert value(text, "factory_unit_seconds_bucket", le=str(bound)) == expected
    assert value(text, "factory_unit_seconds_count") == len(seconds)


@given(st.text(max_size=20))
def test_any_label_survives_the_format(reason: str) -> None:
    numbers = Numbers()
    numbers.add(catalogue.REJECTS, 7, "run", "answer", "input", reason)
    assert value(_text(numbers), "factory_rejects_total") == 7


class Failing(Listener):
    def unit(self, *_: Any) -> None:
        raise RuntimeError("the disk of the collector is full")


class Kept(Listener):
    def __init__(self) -> None:
        self.units: list[str] = []

    def unit(self, _began: Any, receipt: Receipt) -> None:
        self.units.append(receipt.unit)


def test_a_listener_that_fails_is_left_out_and_hurts_nobody() -> None:
    said: list[str] = []
    kept = Kept()
    observer = Observer((Failing(), kept), say=said.append)
    observer.step_began("answer", "answer-1", Plan((), frozenset()), Tally())
    for unit in "abc":
        observer.unit(Receipt(unit, "1", None))
    assert kept.units == ["a", "b", "c"]
    assert len(said) == 1
    assert "the disk of the collector is full" in said[0]


VLLM = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
# HELP vllm:prefix_cache_hits_total Prefix cache hits.
# TYPE vllm:prefix_cache_hits_total counter
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 40.0
vllm:prefix_cache_hits_created{engine="0",model_name="m"} 1.7e+09
# HELP python_info Of somebody else.
# TYPE python_info gauge
python_info{version="3"} 1.0
"""


def test_what_engines_count_is_forwarded_by_replica_each_name_once() -> None:
    texts = {("run", "m", "0"): VLLM, ("run", "m", "1"): VLLM, ("run", "m", "2"): "no exposition {"}

    class Found:
        def collect(self) -> list[Any]:
            return families(texts)

    registry = CollectorRegistry()
    registry.register(Found())
    text = generate_latest(registry).decode()
    assert text.count("# TYPE vllm:num_requests_running") == 1
    assert value(text, "vllm:num_requests_running") == 6
    assert value(text, "vllm:prefix_cache_hits_total", replica="1", engine="0") == 40
    assert "python_info" not in text
    assert "_created" not in text


def test_of_engines_that_are_gone_counters_stay_and_gauges_do_not() -> None:
    texts = {("run", "gone", "0"): VLLM, ("run", "m", "0"): VLLM}
    shown = {family.name: [sample.labels["model"] for sample in family.samples] for family in families(texts, {"gone"})}
    assert shown == {"vllm:num_requests_running": ["m"], "vllm:prefix_cache_hits": ["gone", "m"]}


def test_rows_and_units_are_counted_whoever_committed_them_and_tokens_only_where_this_execution_asked() -> None:
    numbers = Numbers()
    counted = RunMetrics("run", numbers, PricesConfig())
    began = Began("answer", "answer-1", 4, 0, Counts(), {}, 0.0, 0.0, "m")
    counted.step_began(began)
    spent = {"requests": 3.0, "prompt_tokens": 30.0, "generated_tokens": 9.0}
    for unit, attempt, commit, paid in (
        ("a", "mine", _commit("a", "mine"), spent),
        ("b", "mine", _commit("b", "theirs"), spent),
        ("c", "theirs", _commit("c", "theirs"), {}),
        ("d", "mine", None, spent),
    ):
        counted.unit(began, Receipt(unit, attempt, commit, paid))
    text = _text(numbers)
    for outcome in catalogue.OUTCOMES:
        assert value(text, "factory_attempts_total", outcome=outcome) == 1, outcome
    assert value(text, "factory_commits_total") == value(text, "factory_units", state="committed") == 3
    assert value(text, "factory_rows_total", kind="accepted") == 3 * 5
    assert value(text, "factory_requests_total") == 3 * 3
    assert value(text, "factory_tokens_total", kind="generated") == 3 * 9


def _commit(unit: str, attempt: str) -> Commit:
    counts = Counts(inputs=5, used=5, accepted=5)
    return Commit(unit, attempt, "answer-1", "run", "", None, (), {}, counts, {}, "", "", {})
