"""A soak of one round: what it says at its end."""

from __future__ import annotations

import pytest

from tests.faults.soak import trend
from tests.faults.soak_round import Round
from tests.runs import run_module


def rounds(*mib: float) -> list[Round]:
    return [Round("folder", "none", driver_mib=each, driver_files=40) for each in mib]


def test_a_driver_that_grows_over_the_rounds_is_told() -> None:
    assert trend(rounds(300, 310, 305, 300, 308, 303))["grown"] == []
    assert "driver_mib grew from 305" in trend(rounds(300, 310, 305, 400, 408, 403))["grown"][0]


@pytest.mark.slow
def test_a_round_ends_with_its_figures_as_one_json_object() -> None:
    done = run_module("tests.faults.soak", "--minutes", "0", "--store", "folder")
    result = done.result
    assert done.code == 0, result["failures"]
    assert (result["ok"], result["rounds"], result["datasets_verified"], result["orphan_processes"]) == (True, 1, 1, 0)
