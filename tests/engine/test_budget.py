"""What a pool may lose, by kind: who pays for a death, and when."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.engine.budget import Allowance, Budget, Death, OnTrial


def died(budget: Budget, *deaths: Death, suspects: int = 64) -> OnTrial:
    trial = OnTrial(suspects)
    trial.deaths.extend(deaths)
    return trial


def test_deaths_that_led_to_a_killer_cost_one_killer_and_no_engine() -> None:
    budget = Budget(Allowance(killers=1, hangs=0, losses=0))
    trial = died(budget, "loss", "hang", "loss", "loss")
    budget.killer_found(trial)
    budget.hunt_over(trial)
    assert (budget.killers, dict(budget.charged)) == (1, {})
    assert not budget.overdrawn([trial])


def test_deaths_of_a_hunt_that_found_nobody_are_charged_by_what_they_looked_like() -> None:
    budget = Budget(Allowance(killers=0, hangs=1, losses=1))
    trial = died(budget, "loss", "hang")
    assert not budget.overdrawn([trial]), "nobody knows yet whose they are"
    budget.hunt_over(trial)
    assert dict(budget.charged) == {"loss": 1, "hang": 1}
    assert not budget.overdrawn([])


@pytest.mark.parametrize(
    ("killers", "deaths", "said"),
    [
        (2, [], "2 prompts killed or hung engines, more than engine.killers_allowed=1"),
        (1, ["hang"] * 3, "3 engines hung and no prompt was to blame, more than engine.hangs_allowed=2"),
        (0, ["loss"] * 4, "4 engines were lost and no prompt was to blame, more than engine.losses_allowed=3"),
    ],
)
def test_the_message_names_the_kind_that_was_spent_and_what_is_left_of_the_others(
    killers: int, deaths: list[Death], said: str
) -> None:
    budget = Budget(Allowance(killers=1, hangs=2, losses=3))
    budget.killers = killers
    for death in deaths:
        budget.hunt_over(died(budget, death))
    told = budget.overdrawn([])
    assert told.startswith(said)
    assert told.count(" of ") == 3, "and both others"


@given(st.integers(1, 4096), st.integers(0, 40))
def test_a_hunt_may_cost_what_finding_one_killer_can_and_not_more(suspects: int, allowed: int) -> None:
    budget = Budget(Allowance(killers=5, hangs=0, losses=allowed))
    trial = OnTrial(suspects)
    free = math.ceil(math.log2(max(2, suspects))) + 1
    trial.deaths.extend(["loss"] * (free + allowed))
    assert not budget.overdrawn([trial])
    trial.deaths.append("loss")
    assert "losses_allowed" in budget.overdrawn([trial])
