"""The saturation curve: what counts as new, and when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.evaluate.diversity.saturation import at_share, curve, first_of_groups, new_between, positions


def ids(*values: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, np.uint64)


def test_questions_lie_evenly_over_the_requests_of_their_unit() -> None:
    assert positions([2, 0, 4], [4, 10, 2]).tolist() == [2, 4, 14.5, 15, 15.5, 16]
    assert positions([], []).tolist() == []


def test_a_group_counts_where_its_earliest_question_was_asked_whichever_was_kept() -> None:
    # 11 was kept, 10 and 12 were dropped for it; 13 is alone
    new = first_of_groups(ids(10, 11, 12, 13), np.array([1.0, 2.0, 3.0, 4.0]), ids(10, 12), ids(11, 11))
    assert new.tolist() == [1.0, 4.0]


def test_a_question_whose_like_is_kept_at_another_level_is_not_new() -> None:
    assert first_of_groups(ids(1, 2), np.array([1.0, 2.0]), ids(2), ids(99)).tolist() == [1.0]
    # and duplicates elsewhere do not move a question of this level
    assert first_of_groups(ids(1, 2), np.array([1.0, 2.0]), ids(99), ids(2)).tolist() == [1.0, 2.0]


def test_a_question_dropped_for_another_reason_is_not_new() -> None:
    assert first_of_groups(ids(1, 2), np.array([1.0, 2.0]), ids(1), ids(0)).tolist() == [2.0]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_it_is_the_count_of_meanings_not_met_before(meanings: list[int], random: object) -> None:
    """Brute force: duplicates are questions of one meaning, any of which may have been kept."""
    names = np.arange(1, len(meanings) + 1, dtype=np.uint64)
    groups: dict[int, list[int]] = {}
    for place, meaning in enumerate(meanings):
        groups.setdefault(meaning, []).append(place)
    dropped, kept = [], []
    for members in groups.values():
        keeper = random.choice(members)  # type: ignore[attr-defined]
        dropped += [int(names[member]) for member in members if member != keeper]
        kept += [int(names[keeper])] * (len(members) - 1)
    at = np.arange(1.0, len(meanings) + 1)
    new = first_of_groups(names, at, ids(*dropped), ids(*kept))
    assert new.tolist() == sorted(members[0] + 1.0 for members in groups.values())


def test_the_last_point_is_the_whole_level_and_the_last_tenth_says_what_further_requests_add() -> None:
    at = np.arange(1.0, 101)
    found = curve(1, at, at[:50], 100)
    assert (found.points[-1].requests, found.points[-1].questions, found.points[-1].new) == (100, 100, 50)
    assert new_between(found, 0.9, 1.0) == (0.0, 0.0)
    assert new_between(found, 0.0, 0.1) == (1.0, 1.0)
    assert at_share(found, 0.5).new == 50


def test_a_level_of_one_request_has_a_curve() -> None:
    found = curve(3, np.array([1.0]), np.array([1.0]), 1)
    assert len(found.points) == 1
    assert new_between(found, 0.0, 1.0)[0] == pytest.approx(1.0)


def test_requests_without_a_question_end_flat() -> None:
    found = curve(1, np.zeros(0), np.zeros(0), 40)
    assert found.points[-1].new == 0
    assert new_between(found, 0.9, 1.0) == (0.0, None)


@pytest.mark.parametrize("requests", [7, 14, 19, 100])
def test_a_steady_rate_is_the_same_in_the_first_tenth_and_the_last(requests: int) -> None:
    at = np.arange(1, requests + 1, dtype=np.float64)
    steady = curve(1, at, at, requests)
    assert new_between(steady, 0.0, 0.1)[0] == pytest.approx(1.0)
    assert new_between(steady, 0.9, 1.0)[0] == pytest.approx(1.0)
