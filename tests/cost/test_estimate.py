"""Estimates: intervals that hold as often as they say, guesses without one, and the error afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from factory.config import load_config
from factory.cost.amounts import Amounts
from factory.cost.config import PricesConfig
from factory.cost.estimate.draws import NOTHING, SPREAD, guess, known, predicted, share_of, waiting
from factory.cost.estimate.estimate import TOTAL, Compared, Estimate, Range, StepEstimate, compared, held_against
from factory.cost.estimate.kept import estimate_key, read_estimate, write_estimate
from factory.cost.estimate.observed import BUSY_SECONDS, GENERATED, INPUTS, PROMPT, REQUESTS, Done, Observed
from factory.cost.estimate.part import Part
from factory.cost.estimate.pricing import Priced, priced
from factory.cost.estimate.siblings import Sibling
from factory.cost.runs import cost_of_run
from factory.cost.words import compared_lines, estimate_lines
from factory.errors import StoreError
from factory.run.compose import compose
from factory.section import checked
from factory.store.local import LocalStore


def units(rng: np.random.Generator, count: int) -> np.ndarray:  # type: ignore[type-arg]
    """Units of 4 to 12 rows whose rows resemble each other: a level of their own, and noise."""
    rows = rng.integers(4, 13, count).astype(float)
    level = rng.gamma(4.0, 25.0, count)
    tokens = np.array([rng.gamma(4.0, each / 4.0, int(n)).sum() for each, n in zip(level, rows, strict=True)])
    return np.stack([rows, tokens], axis=1)


@pytest.mark.parametrize("seen", [8, 40])
def test_ninety_percent_intervals_hold_what_comes_about_as_often_as_they_say(seen: int) -> None:
    rng = np.random.default_rng(seen)
    held = 0
    for _ in range(300):
        whole = units(rng, seen + 30)
        sample, rest = whole[:seen], whole[seen:]
        found = predicted(sample, known(rest[:, 0].sum()), rng)[1].range
        assert found.low is not None
        assert found.high is not None
        held += found.low <= rest[:, 1].sum() <= found.high
    assert 0.84 <= held / 300 <= 0.97


def test_more_units_narrow_the_interval_and_none_is_left_where_all_is_known() -> None:
    rng = np.random.default_rng(1)

    def width(count: int) -> float:
        found = predicted(units(rng, count), known(10_000), rng)[1].range
        assert found.low is not None
        assert found.high is not None
        return (found.high - found.low) / found.middle

    assert width(400) < width(20) / 2
    same = np.array([[8.0, 800.0]] * 12)
    assert predicted(same, known(100), rng)[1].range == Range(10_000.0, 10_000.0, 10_000.0)


def test_what_rests_on_a_guess_has_no_interval() -> None:
    rng = np.random.default_rng(1)
    assert predicted(units(rng, 20), guess(100), rng)[1].range.low is None
    assert (known(3) + guess(4)).range == Range(7.0)
    assert predicted(units(rng, 2), known(100), rng)[1].range.low is None
    assert predicted(np.zeros((5, 2)), known(10), rng)[1].middle == 0
    assert (NOTHING + known(3)).less(5).range == Range(0.0, 0.0, 0.0)


def test_a_share_that_was_seen_of_few_is_wider_than_one_seen_of_many() -> None:
    rng = np.random.default_rng(1)

    def width(seen: float, share: float) -> float:
        found = share_of(known(1000), share, seen, rng).range
        assert found.middle == pytest.approx(1000 * share)
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    assert width(20, 0.9) > 3 * width(2000, 0.9) > 0
    assert width(20, 1.0) == 0
    assert share_of(guess(10), 0.5, 20, rng).range == Range(5.0)


def test_time_seen_once_bounds_neither_that_it_is_fixed_nor_that_it_grows() -> None:
    found = waiting(10.0, 4.0, np.random.default_rng(1)).range
    assert found.middle == pytest.approx(20)
    assert found.low is not None
    assert found.high is not None
    assert 10 / SPREAD < found.low < 10
    assert 40 < found.high < 40 * SPREAD
    fixed = waiting(10.0, 1.0, np.random.default_rng(1)).range
    assert (fixed.low, fixed.high) == (pytest.approx(10 / SPREAD, rel=0.2), pytest.approx(10 * SPREAD, rel=0.2))
    assert waiting(0.0, 4.0, np.random.default_rng(1)).range == Range(0.0, 0.0, 0.0)


def part(observed: Observed | None, rows: float = 8.0, busy: float = 0.0) -> Part:
    taken = {INPUTS: rows, REQUESTS: rows, PROMPT: 100 * rows, GENERATED: 10 * rows, BUSY_SECONDS: busy}
    return Part(tuple(known(taken.get(column, 0.0)) for column in range(7)), "", observed, 0.0, ("m",))


def seen(waited: float) -> Observed:
    return Observed(
        "answer-1", np.zeros((1, 7)), 1, Amounts(busy_seconds=1.0, idle_seconds=waited), Done(), waited, 4.0
    )


def worked_before(**seconds: float) -> Sibling:
    return Sibling("before", 4, None, 6, 1.0, seconds, 1.0)


def money_of(
    prices: dict[str, Any], parts: dict[str, Part], sibling: Sibling | None, done: Sequence[str] = ()
) -> Priced:
    config = load_config({**compose(["preset=demo"]).model_dump(mode="json"), "prices": prices})
    growth = None if sibling is None else 2.0
    return priced(config, parts, sibling, growth, 2, done, np.random.default_rng(1))


def test_engines_are_planned_as_they_are_charged_and_not_for_what_comes_after_their_last_request() -> None:
    """Gates or shards of an hour after the last answer cost no engine: their time is in no commit."""
    asked = {"answer": part(seen(waited=5.0), busy=2.0)}
    found = money_of({"engine_hour": 3600.0}, asked, worked_before(shards=3600.0))
    assert found.money is not None
    planned = found.money.range
    assert planned.middle == pytest.approx(2 + 1 + 4 * 2**0.5)
    assert planned.low is not None
    assert planned.high is not None
    assert planned.low < 2 + 5
    assert planned.high > 2 + 1 + 2 * 4


def test_a_wait_measured_on_a_warm_engine_may_be_as_long_as_that_of_the_run_that_started_it() -> None:
    """The last point of a sweep waits milliseconds: the first paid for the start."""
    asked = {"answer": part(seen(waited=0.03))}
    warm = money_of({"engine_hour": 3600.0}, asked, replace(worked_before(), start_seconds=None))
    started = money_of({"engine_hour": 3600.0}, asked, replace(worked_before(), start_seconds=None, waited=4.5))
    assert warm.money is not None
    assert warm.money.range.high is not None
    assert warm.money.range.high < 1
    assert started.money is not None
    assert started.money.range.low is not None
    assert started.money.range.high is not None
    assert started.money.range.low < 0.03
    assert started.money.range.high > 4.5


def test_steps_that_are_done_take_no_time_of_what_is_left() -> None:
    prices = {"cpu_core_hour": 3600.0, "engine_hour": 0.0}
    asked = {"answer": part(seen(0.0))}
    before = worked_before(select=1000.0, merge=1.0)
    some, all_ = money_of(prices, asked, before, ["select"]), money_of(prices, asked, before)
    assert some.money is not None
    assert all_.money is not None
    assert some.money.middle == pytest.approx(2**0.5)
    assert all_.money.middle == pytest.approx(1001 * 2**0.5)


@pytest.mark.parametrize(
    ("prices", "unmeasured", "money"),
    [
        ({"engine_hour": 36.0}, ("engine hours",), None),
        ({"gpu_hour": {"H100": 2.0}}, ("GPU hours",), None),
        ({"engine_hour": 36.0, "cpu_core_hour": 1.0}, ("engine hours", "CPU core hours"), None),
        ({"engine_hour": 0.0, "cpu_core_hour": 0.0}, (), 0.0),
        ({"engine_hour": 36.0, "million_prompt_tokens": 1.0, "million_generated_tokens": 0.0}, ("engine hours",), 8e-4),
        ({"million_prompt_tokens": 1.0, "million_generated_tokens": 0.0}, (), 8e-4),
    ],
)
def test_time_that_has_a_price_and_was_not_measured_is_never_taken_for_free(
    prices: dict[str, Any], unmeasured: tuple[str, ...], money: float | None
) -> None:
    found = money_of(prices, {"answer": part(None)}, None)
    assert found.unmeasured == unmeasured
    assert found.missing == ()
    assert (None if found.money is None else found.money.middle) == (None if money is None else pytest.approx(money))
    told = replace(estimate(), money=found.money.range if found.money else None, unmeasured=unmeasured)
    text = "\n".join(estimate_lines(told))
    assert ("money: not known" in text) == (money is None)
    assert ("(not measured; factory plan --measure N)" in text) == bool(unmeasured and money is not None)


def test_a_count_that_came_out_exactly_is_within_and_not_off() -> None:
    asked = StepEstimate(
        "answer", "measured", True, 0.0, Range(8.02, 8.01, 8.03), Range(800.0, 790.4, 810.2), Range(50.0, 50.0, 50.0)
    )
    planned = replace(estimate(), steps=(asked,), requests=asked.requests, money=Range(0.6021, 0.6021, 0.6021))
    came_to = {"requests": 8.0, "prompt_tokens": 790.0, "generated_tokens": 50.0}
    lines = compared(planned, {"answer": came_to})
    for line in (line for line in lines if line.step == "answer"):
        assert line.within is True
    assert lines[0].error == 0
    assert "8 (8-9) requests, came to 8 (+0.0%, within the interval)" in compared_lines(lines, "EUR")[0]
    assert Compared(TOTAL, "money", Range(0.6021, 0.6021, 0.6021), 0.6019).within is True
    assert Compared(TOTAL, "money", Range(0.6021, 0.6021, 0.6021), 0.65).within is False


def estimate() -> Estimate:
    asked = StepEstimate("extract", "a guess", False, 10.0, Range(100.0), Range(5e4), Range(1e4))
    told = StepEstimate(
        "answer", "measured", True, 0.0, Range(50.0, 40.0, 60.0), Range(5e3, 4e3, 6e3), Range(9e3, 8e3, 9.5e3)
    )
    sums = (Range(150.0), Range(5.5e4), Range(1.9e4))
    return Estimate("run", "2026-01-01T00:00:00+00:00", (asked, told), *sums, None, None, "EUR")


def test_what_was_paid_before_the_plan_is_not_held_against_it() -> None:
    ledgers = {
        "extract": {"requests": 120, "prompt_tokens": 6e4, "generated_tokens": 1.2e4},
        "answer": {"requests": 55, "prompt_tokens": 5e3, "generated_tokens": 9.9e3},
        "judge": {"requests": 5},
    }
    lines = {(line.step, line.what): line for line in compared(estimate(), ledgers)}
    extract = lines["extract", "requests"]
    assert (extract.came_to, extract.error, extract.within) == (110, pytest.approx(0.1), None)
    assert lines["extract", "prompt_tokens"].came_to == pytest.approx(6e4 * 110 / 120)
    assert lines["answer", "requests"].within is True
    assert lines["answer", "generated_tokens"].within is False
    assert lines[TOTAL, "requests"].came_to == 165
    assert "outside the interval" in "\n".join(compared_lines(tuple(lines.values()), "EUR"))
    unfinished = compared(estimate(), {"extract": ledgers["extract"]})
    assert TOTAL not in {line.step for line in unfinished}


def test_planned_money_is_held_against_what_this_run_paid_after_the_plan() -> None:
    paid = {"requests": 60.0, "generated_tokens": 60e6}
    dones = {
        # 10 requests were there when it was planned, all of another run; 60 came afterwards
        "extract": {"ledger": {"requests": 70.0, "generated_tokens": 70e6}, "counts": {"accepted": 1},
                    "paid": {"run": paid, "other": {"requests": 10.0, "generated_tokens": 10e6}}},
        "answer": {"ledger": paid, "counts": {"accepted": 1}, "paid": {"run": paid}},
    }  # fmt: skip
    prices = checked(PricesConfig, {"currency": "EUR", "million_prompt_tokens": 0, "million_generated_tokens": 0.5})
    cost = cost_of_run("run", {}, dones, prices)
    planned = replace(estimate(), money=Range(50.0, 45.0, 55.0))
    line = held_against(planned, {name: done["ledger"] for name, done in dones.items()}, cost)[-1]  # type: ignore[misc]
    assert (line.what, line.came_to, line.error, line.within) == ("money", 60.0, pytest.approx(0.2), False)
    partly = replace(planned, unmeasured=("engine hours",))
    assert held_against(partly, {name: done["ledger"] for name, done in dones.items()}, cost)[-1].what != "money"  # type: ignore[misc]
    other = cost_of_run("run", {}, dones, checked(PricesConfig, {"currency": "USD"}))
    assert held_against(planned, {}, other) == ()
    assert held_against(None, {}, cost) == ()


def test_an_estimate_is_kept_beside_the_run_and_a_damaged_one_is_named(tmp_path: object) -> None:
    store = LocalStore(str(tmp_path))
    assert read_estimate(store, "run") is None
    assert write_estimate(store, estimate()) == "runs/run/estimate.json"
    assert read_estimate(store, "run") == estimate()
    store.put(estimate_key("run"), b'{"run": "run", "steps": 3}')
    with pytest.raises(StoreError, match=r"estimate\.json"):
        read_estimate(store, "run")
    problems: list[str] = []
    assert read_estimate(store, "run", problems) is None
    assert "estimate.json" in problems[0]


def test_the_lines_say_what_is_guessed_and_that_there_is_no_price() -> None:
    text = "\n".join(estimate_lines(estimate()))
    assert "~100" in text
    assert "50 (40-60)" in text
    assert "no price given" in text
    assert "10 requests paid already" in text
