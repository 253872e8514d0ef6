from __future__ import annotations

import pytest

from factory.errors import ConfigError, GateError
from factory.review.gate import check, parse_conditions, require
from factory.review.summary import Summary, summarise
from tests.review.test_summary import decisions, sheet


@pytest.fixture
def summary() -> Summary:
    return summarise(sheet(10), [*decisions("ada", "aaaaaaaar "), *decisions("bob", "aaaaaaaar ")])


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ("accepted>=0.8", True),
        ("accepted>=80%, kappa >= 1 ,reviewed>=9", True),
        ("accepted>0.95", False),
        ("accepted_low>=0.8", False),
        ("reviewed>=10", False),
        ("complete>=0.9", True),
        ("reviewers>=2,observed>=1,alpha>0.9", True),
        ("score>=3", False),
        ("accuracy<=0.6", False),
    ],
)
def test_conditions_hold_or_do_not(summary: Summary, conditions: str, holds: bool) -> None:
    outcomes = check(summary, parse_conditions(conditions))
    assert all(outcome.holds for outcome in outcomes) is holds
    if holds:
        require(outcomes, "random-1")
    else:
        with pytest.raises(GateError, match="does not meet"):
            require(outcomes, "random-1")


def test_a_figure_that_could_not_be_computed_never_passes() -> None:
    alone = summarise(sheet(10), decisions("ada", "aaaaaaaaaa"))
    outcome = check(alone, parse_conditions("kappa>=0"))[0]
    assert not outcome.holds
    assert "two reviewers" in outcome.why
    with pytest.raises(GateError, match="no value: "):
        require([outcome], "random-1")
    same = summarise(sheet(10), [*decisions("ada", "a" * 10), *decisions("bob", "a" * 10)])
    assert "every decision is the same" in check(same, parse_conditions("kappa>=0"))[0].why


@pytest.mark.parametrize("text", ["", "accepted", "accepted=0.9", "accepted>=x", "accepted>=1.2.3", "acepted>=0.9"])
def test_what_is_no_condition_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--require"):
        parse_conditions(text)


def test_counts_have_no_interval_ends() -> None:
    with pytest.raises(ConfigError, match="no figure 'reviewed_low'"):
        parse_conditions("reviewed_low>=3")


@pytest.mark.parametrize(
    ("text", "between"),
    [
        ("accepted>2", "between 0 and 1"),
        ("accepted_low>=85", "between 0 and 1"),
        ("complete>=101%", "between 0 and 1"),
        ("kappa>=60", "between -1 and 1"),
        ("alpha_score_high<2", "between -1 and 1"),
        ("score>=0.5", "between 1 and 5"),
    ],
)
def test_a_number_that_the_figure_cannot_have_is_refused(text: str, between: str) -> None:
    with pytest.raises(ConfigError, match=between) as error:
        parse_conditions(text)
    assert error.value.exit_code == 2


def test_the_ends_of_a_range_and_counts_of_any_size_are_allowed() -> None:
    assert len(parse_conditions("accepted<=1,observed>=0,kappa<=1,score>=5,reviewed>=500,reviewers>=12")) == 6


def test_the_cause_is_that_of_the_figure_that_does_not_hold(summary: Summary) -> None:
    for conditions, cause, other in (
        ("complete>=95%", "too few rows", "rejected"),
        ("accepted>0.95", "rejected", "few"),
    ):
        with pytest.raises(GateError) as error:
            require(check(summary, parse_conditions(conditions)), "random-1")
        assert cause in error.value.cause
        assert other not in error.value.cause
