"""Every figure of a run's cost is a part of one whole: by step, by payer, by level, by subject."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.cost.amounts import PARTS, total
from factory.cost.config import PricesConfig
from factory.cost.runs import cost_of_run
from factory.cost.shares import serves
from factory.cost.words import said_money
from factory.section import checked

RUN = "aaaa"
PRICES = checked(PricesConfig, {"gpu_hour": {"H100": 2.5}, "cpu_core_hour": 0.1, "currency": "EUR"})
CONFIG = {"model": {"id": "m"}, "answer": {"model": {"id": "better"}}}
CHAIN = ("select", "merge", "extract", "question_1", "question_2", "graph_edges", "walk", "question_3", "curate")


def ledger(requests: float, seconds: float = 1.0, asks: bool = True) -> dict[str, float]:
    if not asks:
        return {"seconds": seconds}
    return {
        "requests": requests,
        "prompt_tokens": 100 * requests,
        "cached_tokens": 10 * requests,
        "generated_tokens": 50 * requests,
        "engine_busy_seconds": 2 * requests,
        "engine_idle_seconds": seconds,
        "gpu_seconds:H100": 2 * requests + seconds,
        "seconds": seconds,
    }


def done(name: str, paid: dict[str, dict[str, float]], **other: Any) -> dict[str, Any]:
    keys = {key for each in paid.values() for key in each}
    whole = {key: sum(each.get(key, 0) for each in paid.values()) for key in sorted(keys)}
    return {"step": name, "ledger": whole, "paid": paid, "counts": {"accepted": 10}, "engines": [], **other}


def part(requests: float, of: float) -> list[float]:
    whole = ledger(of)
    return [whole[name] * requests / of for name in PARTS]


numbers = st.integers(0, 1000).map(float)


@st.composite
def runs(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    dones = {}
    for name in CHAIN:
        asks = name == "extract" or name.startswith("question_")
        paid = {
            run: ledger(draw(numbers), draw(numbers), asks)
            for run in draw(st.sampled_from([[RUN], [RUN, "bbbb"], ["bbbb"]]))
        }
        lost = {"attempts": 1, "requests_at_most": 3.0, "by_run": {RUN: 2.0, "bbbb": 1.0}}
        dones[name] = done(name, paid, lost=draw(st.sampled_from([{}, lost])))
    first, second = draw(st.integers(1, 100)), draw(st.integers(1, 100))
    split = {"1": part(first, first + second), "2": part(second, first + second)}
    subjects = {"algebra": part(first, 2 * first + second), "law": part(second, 2 * first + second)}
    asked = done("answer", {RUN: ledger(first + second)}, split={"level": split, "subject": subjects})
    samples = {f"level_{level}": draw(st.integers(0, 50)) for level in (1, 2, 3)}
    return {**dones, "answer": asked, "samples": done("samples", {RUN: ledger(0, asks=False)}, facts=samples)}


@given(runs(), st.dictionaries(st.sampled_from(["algebra", "law", "music"]), st.integers(0, 50)))
def test_steps_levels_subjects_and_payers_each_add_up_to_the_whole(
    dones: dict[str, dict[str, Any]], subjects: dict[str, int]
) -> None:
    cost = cost_of_run(RUN, CONFIG, dones, PRICES)
    whole = cost.all.money.amount
    assert whole is not None
    assert not cost.all.money.missing
    assert sum(step.all.money.amount or 0 for step in cost.steps) == pytest.approx(whole)
    assert [level.name for level in cost.levels] == ["1", "2", "3"]
    assert sum(level.cost.money.amount or 0 for level in cost.levels) == pytest.approx(whole)
    for name in ("requests", "generated_tokens", "busy_seconds", "idle_seconds", "core_seconds"):
        by_level = total(level.cost.amounts for level in cost.levels)
        assert getattr(by_level, name) == pytest.approx(getattr(cost.all.amounts, name), abs=1e-6)
    accepted = {"level": {"1": 3, "2": 0, "3": 4}, "subject": subjects}
    by_subject = cost_of_run(RUN, CONFIG, dones, PRICES, accepted).subjects
    if subjects:
        assert sum(group.cost.money.amount or 0 for group in by_subject) == pytest.approx(whole)
    for step in cost.steps:
        payers = [part.money.amount or 0 for part in step.reused.values()]
        others = (step.lost.money.amount or 0) / 3 if step.lost.amounts.requests else 0
        paid = step.paid.money.amount or 0
        assert paid + sum(payers) + others == pytest.approx(step.all.money.amount or 0)


def test_a_step_of_another_run_costs_that_run_and_is_told_beside_what_this_one_paid() -> None:
    dones = {
        "extract": done("extract", {"bbbb": ledger(100)}),
        "question_1": done("question_1", {"bbbb": ledger(30), RUN: ledger(10)}),
    }
    cost = cost_of_run(RUN, CONFIG, dones, PRICES)
    extract, question = cost.steps
    assert said_money(extract.paid.money) == "nothing"
    assert extract.reused["bbbb"].money == extract.all.money
    assert question.reused["bbbb"].amounts.requests == 30
    assert question.paid.amounts.requests == 10
    assert cost.paid.amounts.requests == 10
    assert cost.all.amounts.requests == 140


def test_lost_attempts_are_priced_at_the_mean_apart_and_in_what_a_sample_costs() -> None:
    lost = {"attempts": 2, "requests_at_most": 50.0, "by_run": {RUN: 10.0, "bbbb": 40.0}}
    without = cost_of_run(RUN, CONFIG, {"answer": done("answer", {RUN: ledger(100)})}, PRICES)
    cost = cost_of_run(RUN, CONFIG, {"answer": done("answer", {RUN: ledger(100)}, lost=lost)}, PRICES)
    plain = without.all.money.amount
    assert plain is not None
    assert cost.lost.money.amount == pytest.approx(0.5 * plain)
    assert cost.all.money.amount == pytest.approx(1.5 * plain)
    assert cost.paid.money.amount == pytest.approx(1.1 * plain)


def test_a_level_bears_what_it_caused_and_its_share_of_what_it_needs() -> None:
    dones = {
        "extract": done("extract", {RUN: ledger(100)}),
        "question_1": done("question_1", {RUN: ledger(10)}),
        "question_2": done("question_2", {RUN: ledger(20)}),
        "samples": done("samples", {RUN: {"seconds": 0.0}}, facts={"level_1": 30, "level_2": 10}),
    }
    one, two = cost_of_run(RUN, CONFIG, dones, PRICES).levels
    assert (one.samples, two.samples) == (30, 10)
    assert one.cost.amounts.requests == pytest.approx(10)  # level 1 reads documents, not concepts
    assert two.cost.amounts.requests == pytest.approx(120)
    assert two.per_thousand.amount == pytest.approx((two.cost.money.amount or 0) * 100)


def test_which_levels_need_which_steps() -> None:
    assert [serves("extract", level) for level in "123"] == [False, True, True]
    assert [serves("graph_edges", level) for level in "123"] == [False, False, True]
    assert [serves("question_2", level) for level in "123"] == [False, True, False]
    assert all(serves("answer", level) for level in "123")


def test_every_step_is_priced_by_the_model_that_it_asked() -> None:
    by_model = checked(
        PricesConfig, {"models": {"m": {"prompt": 0, "generated": 1}, "better": {"prompt": 0, "generated": 10}}}
    )
    asked = {"requests": 1.0, "generated_tokens": 1e6}
    dones = {"question_1": done("question_1", {RUN: asked}), "answer": done("answer", {RUN: asked})}
    question, answer = cost_of_run(RUN, CONFIG, dones, by_model).steps
    assert (question.all.money.amount, answer.all.money.amount) == (1, 10)
    assert question.models == ("m",)


def test_without_prices_there_is_no_figure_and_what_is_missing_is_said() -> None:
    cost = cost_of_run(RUN, CONFIG, {"answer": done("answer", {RUN: ledger(1)})})
    assert cost.all.money.amount is None
    assert cost.all.money.missing == ("H100 GPU hours",)
    assert cost.per_thousand.amount is None


@pytest.mark.parametrize("noted", [3, "x", [], {"requests_at_most": "x"}, {"requests_at_most": 3, "by_run": 3}])
def test_a_record_that_others_have_written_into_is_no_stack(noted: object) -> None:
    torn = done("answer", {RUN: ledger(10)}) | {"lost": noted, "engines": noted, "split": noted, "facts": noted}
    assert cost_of_run(RUN, CONFIG, {"answer": torn}, PRICES).all.money.amount


def test_records_from_before_payers_were_noted_still_have_a_cost() -> None:
    old = {
        "ledger": {"requests": 20, "generated_tokens": 1000, "engine_seconds": 1800.0},
        "spent_now": {"requests": 10, "generated_tokens": 500},
        "lost": {"attempts": 1, "requests_at_most": 5},
        "counts": {"accepted": 9},
    }
    hourly = checked(PricesConfig, {"engine_hour": 2.0})
    cost = cost_of_run(RUN, CONFIG, {"answer": old}, hourly)
    assert cost.steps[0].rows.money.amount == pytest.approx(2.0)  # half was reused: at this execution's rate
    assert cost.lost.money.amount == pytest.approx(0.5)
