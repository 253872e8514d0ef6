"""Drawing concept sets: repeatable, different, spread over topics and concepts."""

from __future__ import annotations

from collections import Counter
from math import comb

from hypothesis import given
from hypothesis import strategies as st

from factory.concepts.wording import comparable
from factory.questions.draw import draw_sets

NAMES = st.text(alphabet="abcdeé 1.", min_size=1, max_size=4)
TOPICS = st.lists(st.lists(NAMES, max_size=6), max_size=5)
FIVE_BY_FIVE = [[f"t{topic}c{concept}" for concept in range(5)] for topic in range(5)]


def distinct(topics: list[list[str]]) -> set[str]:
    return {comparable(concept) for topic in topics for concept in topic} - {""}


@given(TOPICS, st.integers(1, 4), st.integers(1, 20), st.integers(0, 2**31), st.text(max_size=8))
def test_sets_are_distinct_whole_and_as_many_as_exist(
    topics: list[list[str]], size: int, count: int, seed: int, chunk: str
) -> None:
    sets = draw_sets(topics, size, count, seed, chunk)
    known = distinct(topics)
    expected = min(count, comb(len(known), size)) if len(known) >= size else 0
    assert len(sets) == expected
    keys = [frozenset(map(comparable, concepts)) for concepts in sets]
    assert len(set(keys)) == len(keys), "no set comes twice"
    assert all(len(key) == size and key <= known for key in keys)
    assert draw_sets(topics, size, count, seed, chunk) == sets
    assert draw_sets(topics, size, count + 3, seed, chunk)[: len(sets)] == sets


def test_the_draw_of_a_known_seed_never_changes() -> None:
    """Written down, not computed: another Python or another machine has to draw these."""
    assert draw_sets([["a", "b", "c"], ["d", "e"]], 2, 3, 17, "chunk") == [("e", "b"), ("d", "a"), ("e", "c")]


def test_concepts_of_a_set_come_from_different_topics_while_there_are_enough() -> None:
    for chunk in range(50):
        for concepts in draw_sets(FIVE_BY_FIVE, 3, 5, 1, str(chunk)):
            assert len({name[:2] for name in concepts}) == 3


def test_every_concept_is_used_once_before_any_is_used_twice() -> None:
    sets = draw_sets(FIVE_BY_FIVE, 5, 5, 3, "c")
    assert Counter(name for concepts in sets for name in concepts) == Counter(
        name for pile in FIVE_BY_FIVE for name in pile
    )


def test_seed_and_chunk_change_the_draw_and_concepts_are_drawn_evenly() -> None:
    assert draw_sets(FIVE_BY_FIVE, 3, 5, 1, "a") != draw_sets(FIVE_BY_FIVE, 3, 5, 2, "a")
    assert draw_sets(FIVE_BY_FIVE, 3, 5, 1, "a") != draw_sets(FIVE_BY_FIVE, 3, 5, 1, "b")
    first = Counter(name for chunk in range(2000) for name in draw_sets(FIVE_BY_FIVE, 3, 1, 9, str(chunk))[0])
    expected = 2000 * 3 / 25
    assert len(first) == 25
    assert all(0.7 * expected < times < 1.3 * expected for times in first.values()), first
