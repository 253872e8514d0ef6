"""What a comparison knows of a root: settings, yield, cost by payer, quality, and what has not finished."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from factory.compare.columns import columns_of
from factory.compare.facts import Comparison
from factory.compare.gather import gather
from factory.compare.sums import sums_of
from factory.cost.config import PricesConfig
from factory.errors import ConfigError
from factory.store.local import LocalStore
from tests.compare.roots import SWEEP, put_evaluation, put_run, put_sweep, run_name, three, whole_sweep


def values(found: Comparison, key: str) -> list[object]:
    column = next(column for column in columns_of(found) if column.key == key)
    return [column.value(row) for row in found.rows]


def test_points_are_told_by_their_settings_yield_cost_and_quality(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    put_evaluation(local_store, 2, 0.25)
    found = gather(local_store, SWEEP)
    assert values(found, "seed") == [1, 2, 3]
    assert values(found, "samples") == [41, 42, 43]
    assert values(found, "documents") == [20, 20, 20]
    assert values(found, "yield") == [0.82, 0.84, 0.86]
    assert values(found, "rejected.question_1.too_short") == [5, 5, 5]
    assert values(found, "rejected.answer.truncated") == [1, 2, 3]
    assert values(found, "measured.max_shared_start") == [0.05, 0.1, pytest.approx(0.15)]
    assert values(found, "failed_gates") == [None, None, "max_shared_start"]
    assert values(found, "verified.yes") == [0.75, 0.75, 0.75]
    assert values(found, "verified.unchecked") == [0.25, 0.25, 0.25]
    assert values(found, "evaluation.intrinsic.self-BLEU") == [None, 0.25, None]


def test_what_is_shared_is_paid_once_and_by_whom(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    found = gather(local_store, SWEEP)
    assert values(found, "requests") == [100, 100, 100]
    assert values(found, "own_requests") == [100, 40, 40]
    assert values(found, "shared_requests") == [0, 60, 60]
    sums = sums_of(found)
    assert (sums.alone.requests, sums.paid.requests, sums.by_others.requests) == (300, 180, 0)


def test_what_runs_outside_the_comparison_paid_is_named(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    found = gather(local_store, runs=[run_name(2), run_name(3)[:4]])
    assert [row.run for row in found.rows] == [run_name(2), run_name(3)]
    assert sums_of(found).by_others.requests == 120


def test_only_what_is_compared_is_read(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    points = put_sweep(local_store, three(), {}).points
    put_sweep(local_store, three(), {}, points=tuple(replace(each, run=run_name(each.point)) for each in points))
    local_store.put(f"runs/{run_name(9)}.json", b"{")
    assert gather(local_store, SWEEP).problems == ()
    assert gather(local_store, runs=[run_name(1)]).problems == ()
    with pytest.raises(ConfigError, match=f"can be read\n.*{run_name(9)}"):
        gather(local_store, runs=[run_name(9)])


def test_prices_given_now_price_what_was_recorded_without(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    assert not any(column.key.startswith("cost") for column in columns_of(gather(local_store, SWEEP)))
    prices = PricesConfig(currency="EUR", million_prompt_tokens=1.0, million_generated_tokens=10.0, engine_hour=0.0)
    found = gather(local_store, SWEEP, prices=prices)
    # 100 requests of 100 prompt and 20 generated tokens
    assert values(found, "cost") == [pytest.approx(0.01 + 0.02)] * 3
    assert values(found, "own_cost") == [pytest.approx(0.03), pytest.approx(0.012), pytest.approx(0.012)]
    assert values(found, "cost_per_thousand")[0] == pytest.approx(0.03 / 0.041)


def test_what_a_thousand_samples_take_is_the_same_whichever_run_came_first(local_store: LocalStore) -> None:
    """Found by a newcomer: four points of 7 requests each cost 36.48, 1.20, 3.33 and 1.00 EUR a thousand, by the time
    their engine had waited before them."""
    whole_sweep(local_store)
    for number, idle in ((1, 14.0), (2, 0.05), (3, 0.9)):
        key = f"runs/{run_name(number)}/answer.done.json"
        body = orjson.loads(local_store.get(key))
        used = {"engine_busy_seconds": 4.0, "engine_idle_seconds": idle, "gpu_seconds:H100": 2 * (4.0 + idle)}
        body["ledger"] |= used
        body["paid"][run_name(number)] |= used
        local_store.put(key, orjson.dumps(body))
    held = PricesConfig(currency="EUR", engine_hour=3600.0)
    for prices, factor in ((held, 1), (PricesConfig(currency="EUR", gpu_hour={"H100": 3600.0}), 2)):
        found = gather(local_store, SWEEP, prices=prices)
        assert values(found, "waiting_cost") == [pytest.approx(factor * idle) for idle in (14.0, 0.05, 0.9)]
        answering = 4.0 * factor + (6.0 if factor == 1 else 0.0)  # the shared steps were not measured on GPUs
        assert values(found, "work_per_thousand") == [
            pytest.approx(answering / (0.04 + number / 1000)) for number in (1, 2, 3)
        ]
        assert values(found, "busy_seconds") == [10.0, 10.0, 10.0]
    brief = {column.key for column in columns_of(found) if column.brief}
    assert "work_per_thousand" in brief
    assert "cost_per_thousand" not in brief


def test_the_runs_of_a_root_are_told_apart_by_their_configuration(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    found = gather(local_store)
    assert [row.run for row in found.rows] == [run_name(1), run_name(2), run_name(3)]
    assert [dict(row.differs) for row in found.rows] == [{"seed": 1}, {"seed": 2}, {"seed": 3}]


def test_what_has_not_finished_is_shown_as_far_as_it_is(local_store: LocalStore) -> None:
    points = three()
    put_run(local_store, points[0], 1, first=True)
    put_run(local_store, points[1], 2, first=False, upto="question_1", state="running", samples=None, dataset=None)
    put_sweep(local_store, points, {2: "running", 3: "waiting"}, state="running")
    found = gather(local_store, SWEEP)
    assert [row.state for row in found.rows] == ["finished", "stopped", "waiting"]
    assert found.sweep_state == "stopped"
    assert found.incomplete == 2
    assert found.rows[1].at == "at answer"
    assert values(found, "samples") == [41, None, None]
    assert values(found, "requests") == [100, 60, None]
    assert values(found, "seed") == [1, 2, 3]


def test_a_point_that_failed_before_there_was_a_run_says_why(local_store: LocalStore) -> None:
    points = three()
    record = put_sweep(local_store, points, {1: "failed", 2: "failed", 3: "failed"}, state="failed")
    told = tuple(point.__class__(**{**point.__dict__, "error": "CorpusError: no file"}) for point in record.points)
    put_sweep(local_store, points, {}, points=told, state="failed")
    found = gather(local_store, "last")
    assert {(row.state, row.error) for row in found.rows} == {("failed", "CorpusError: no file")}


def test_points_that_are_the_same_run_cost_once(local_store: LocalStore) -> None:
    points = three("engine.max_num_seqs=8,16")
    put_run(local_store, points[0], 1, first=True)
    put_sweep(local_store, points, {})
    found = gather(local_store, SWEEP)
    assert [row.same_as for row in found.rows] == [None, 1]
    assert values(found, "requests") == [100, 100]
    assert sums_of(found).alone.requests == 100


def test_of_two_evaluations_the_last_is_taken_and_a_damaged_one_is_named(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    put_evaluation(local_store, 1, 0.5, created="2026-02")
    put_evaluation(local_store, 1, 0.3, created="2026-01")
    local_store.put("datasets/demo/records/v1/evaluation-x/evaluation.json", b"{")
    found = gather(local_store, SWEEP)
    assert values(found, "evaluation.intrinsic.self-BLEU") == [0.5, None, None]
    assert any("evaluation-x" in problem for problem in found.problems)


def test_a_damaged_record_is_named_and_the_others_are_compared(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    local_store.put(f"runs/{run_name(2)}.json", b"{")
    found = gather(local_store)
    assert [row.run for row in found.rows] == [run_name(1), run_name(3)]
    assert any(run_name(2) in problem for problem in found.problems)


def test_a_dataset_that_is_gone_is_said(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    local_store.delete("datasets/demo/v2/manifest.json")
    assert any("datasets/demo/v2" in problem for problem in gather(local_store).problems)


def test_a_root_without_runs_and_unknown_names_are_errors(local_store: LocalStore) -> None:
    with pytest.raises(ConfigError, match="there is no run under"):
        gather(local_store)
    with pytest.raises(ConfigError, match="there is no sweep under"):
        gather(local_store, "last")
    whole_sweep(local_store)
    with pytest.raises(ConfigError, match="there is no sweep beef"):
        gather(local_store, "beef")
    with pytest.raises(ConfigError, match="there is no run beef"):
        gather(local_store, runs=["beef"])
    assert gather(local_store, SWEEP[:5]).sweep == SWEEP


def test_a_run_of_another_version_takes_no_other_run_with_it(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    record = orjson.loads(local_store.get(f"runs/{run_name(2)}.json"))
    record["config"]["no_such_section"] = {"key": 1}
    local_store.put(f"runs/{run_name(2)}.json", orjson.dumps(record))
    assert len(gather(local_store).rows) == 3
