"""What was reached: counts, entropy, the tail and the hubs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.evaluate.diversity.visits import Tally, coverage_of, entropy, hubs_of, spread, visited


def counts(*values: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, np.int64)


def test_equal_visits_are_perfectly_even_and_unvisited_nodes_count_against_it() -> None:
    assert visited(counts(3, 3, 3, 3), counts(1, 1, 1, 1)).evenness == pytest.approx(1.0)
    half = visited(counts(3, 3, 0, 0), counts(1, 1, 1, 1))
    assert half.entropy == pytest.approx(1.0)
    assert half.evenness == pytest.approx(0.5)
    assert (half.nodes, half.visited, half.visits) == (4, 2, 6)


def test_mentions_weigh_nodes_by_the_passages_they_stand_in() -> None:
    assert visited(counts(1, 0, 0), counts(80, 15, 5)).by_frequency == pytest.approx(0.8)


def test_without_a_visit_nothing_is_claimed_about_evenness() -> None:
    none = visited(counts(0, 0), counts(1, 1))
    assert none.entropy is None
    assert none.evenness is None
    assert visited(counts(5), counts(1)).evenness is None


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50))
def test_entropy_is_that_of_the_textbook(values: list[int]) -> None:
    total = sum(values)
    expected = -sum(value / total * math.log2(value / total) for value in values if value) if total else 0.0
    assert entropy(np.array(values, np.int64)) == pytest.approx(expected, abs=1e-9)


def test_quantiles_are_values_that_occur() -> None:
    found = spread(counts(*range(100)))
    assert (found.median, found.p90, found.p99, found.maximum, found.zeros, found.ones) == (49, 89, 98, 99, 1, 1)


def test_hubs_are_the_top_hundredth_and_at_least_one() -> None:
    assert hubs_of(counts(1, 9, 2)).tolist() == [1]
    assert sorted(hubs_of(np.arange(300)).tolist()) == [297, 298, 299]


def test_the_tail_names_the_most_frequent_unvisited_nodes_of_each_kind_and_hubs_their_share_of_steps() -> None:
    ids = np.array([2, 3, 4, 5, 7, 9], np.uint64)  # topics 2 and 4, concepts 3, 5, 7, 9
    tally = Tally(
        ids, counts(9, 1, 5, 7, 3, 3), counts(1, 1, 1, 96, 1, 0), counts(1, 0, 0, 8, 0, 2), counts(0, 0, 0, 8, 0, 2),
        counts(1, 0, 0, 1, 0, 0),
    )  # fmt: skip
    asked: list[int] = []

    def names(wanted: np.ndarray) -> dict[int, str]:  # type: ignore[type-arg]
        asked.extend(wanted.tolist())
        return {node: f"n{node}" for node in wanted.tolist()}

    found = coverage_of(tally, names, walks=4, numbers=5, dead_ends={"isolated_topic": 1}, nodes_in_graph=6)
    topics, concepts = found.kinds
    assert [node.name for node in topics.unvisited] == ["n4"]
    assert [(node.name, node.doc_freq) for node in concepts.unvisited] == [("n7", 3), ("n3", 1)]
    assert (topics.walked.visited, topics.stepped.visited, topics.asked.visited) == (1, 0, 1)
    assert found.hub_steps == pytest.approx(0.8)
    assert found.hub_edges == pytest.approx(0.96)
    assert [node.name for node in found.top_hubs] == ["n5"]
    assert asked == sorted(set(asked))
