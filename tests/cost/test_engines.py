"""Engines as the record of a run tells of them."""

from __future__ import annotations

from typing import Any

import pytest

from factory.cost.engines import by_model, engine_uses, folded_use


def row(replica: int, alive: float, busy: float, **changes: Any) -> dict[str, Any]:
    return {
        "pool": "p", "model": "m", "replica": replica, "host": "h", "pid": 1, "gpus": 2.0, "gpu_kind": "H100",
        "cores": 0.0, "alive_seconds": alive, "busy_seconds": busy, "requests": 10, "prompt_tokens": 1000,
        "cached_tokens": 250, "generated_tokens": 500, **changes,
    }  # fmt: skip


def test_rates_are_of_busy_time_and_idleness_of_the_time_alive() -> None:
    (use,) = engine_uses([row(0, 100, 25)])
    assert (use.idle_share, use.hit_share, use.prompt_per_second, use.generated_per_second) == (0.75, 0.25, 40, 20)
    assert use.hardware == "2 x H100"
    never = engine_uses([row(0, 0, 0, prompt_tokens=0)])[0]
    assert (never.idle_share, never.hit_share, never.prompt_per_second) == (None, None, None)


@pytest.mark.parametrize("rows", [None, 3, "x", {}, [3], [{"alive_seconds": "x"}], [row(0, 1, 1) | {"gpus": None}]])
def test_what_no_engine_noted_is_left_out(rows: object) -> None:
    assert engine_uses(rows) == ()
    assert folded_use(rows) == []


def test_replicas_of_a_model_on_the_same_hardware_are_one_line() -> None:
    uses = by_model(engine_uses([row(0, 100, 25), row(1, 100, 75), row(0, 10, 10, gpu_kind="A100"), "no row"]))
    assert [(use.hardware, use.alive_seconds, use.busy_seconds) for use in uses] == [
        ("2 x A100", 10, 10),
        ("2 x H100", 200, 100),
    ]
    assert uses[1].replica is None


def test_what_earlier_executions_used_is_kept_in_as_many_rows_as_there_are_models() -> None:
    rows = [row(replica, 100, 50) for replica in range(1000)]
    folded = folded_use([*rows, {"torn": True}])
    assert len(folded) == 1
    assert folded[0]["alive_seconds"] == pytest.approx(100_000)
    assert by_model(engine_uses(folded)) == by_model(engine_uses(rows))
    assert folded_use(folded_use(rows)) == folded
