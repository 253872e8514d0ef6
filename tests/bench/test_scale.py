"""The simulation of a run on many nodes: work is conserved, nothing beats the ideal, and one queue is no worse."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.bench.scale_model import World, simulate, undealt
from tests.runs import run_module

SMALL = World(nodes=20, units=1500, unit_s=120.0, preempted_every_s=3600.0)


@settings(max_examples=40, deadline=None)
@example(nodes=2, units=62, unit_s=23.0, every_s=math.inf, open_units=2, seed=0, pinned=False)
@given(
    nodes=st.integers(1, 30),
    units=st.integers(1, 300),
    unit_s=st.floats(5, 600),
    every_s=st.one_of(st.just(math.inf), st.floats(600, 20_000)),
    open_units=st.integers(1, 6),
    seed=st.integers(0, 1000),
    pinned=st.booleans(),
)
def test_every_unit_is_committed_once_and_no_run_beats_the_ideal(
    nodes: int, units: int, unit_s: float, every_s: float, open_units: int, seed: int, pinned: bool
) -> None:
    world = World(nodes, units, unit_s, open_units=open_units, preempted_every_s=every_s, seed=seed)
    outcome = simulate(undealt(world) if pinned else world)
    assert outcome.seconds >= outcome.ideal_s
    assert outcome.ideal_s * nodes == pytest.approx(outcome.work_s)
    assert outcome.units_begun >= units
    assert 0 <= outcome.tail_s <= outcome.seconds
    # Nodes worked no more than they were there for.
    assert outcome.work_s + outcome.redone_s <= nodes * outcome.seconds * (1 + 1e-9)
    if math.isinf(every_s):
        assert (outcome.preemptions, outcome.redone_s, outcome.units_begun) == (0, 0.0, units)


def test_the_same_world_gives_the_same_run() -> None:
    assert simulate(SMALL) == simulate(SMALL)


def test_one_queue_shortens_the_run_and_its_tail() -> None:
    ours, without = simulate(SMALL), simulate(undealt(SMALL))
    assert ours.work_s == without.work_s
    assert ours.seconds < without.seconds
    assert ours.tail_s < without.tail_s


def test_more_preemptions_cost_more_and_larger_units_lose_more_to_them() -> None:
    calm = simulate(dataclasses.replace(SMALL, preempted_every_s=8 * 3600.0))
    rough = simulate(dataclasses.replace(SMALL, preempted_every_s=1800.0))
    assert calm.redone_s < rough.redone_s
    large = simulate(dataclasses.replace(SMALL, unit_s=960.0, units=SMALL.units // 8, preempted_every_s=1800.0))
    assert large.redone_share > rough.redone_share


def test_the_script_ends_with_one_json_object_and_says_what_went_in() -> None:
    done = run_module("tests.bench.scale", "--shards", "5", "--nodes", "10")
    assert done.code == 0, done.stderr[-4000:]
    found = done.result
    assert found["benchmark"] == "scale"
    assert found["store"]["put"] >= 3  # receipt, rows, commit
    assert found["requests"]["put"] > found["store"]["put"] * 200
    assert {run["world"] for run in found["runs"]} >= {"no preemption", "no preemption, without one queue"}
