"""Shared beginnings of questions."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from factory.evaluate.diversity.starts import LENGTHS, first_words, starts_of


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert first_words("What's the “Area”, of ( x )?", 3) == ["what's", "the", "area"]
    assert first_words("What's the “Area”, of ( x )?", 8) == ["what's", "the", "area", "of", "x"]


def test_a_start_counts_from_more_than_k_others_on() -> None:
    seven = [f"Name the capital of land {number}." for number in range(7)]
    others = [f"Unlike {number} anything else here" for number in range(4)]
    shares = {item.tokens: item.shared for item in starts_of(1, seven + others, others=5)}
    assert shares == {3: 7, 5: 7, 8: 0}
    assert all(item.shared == 0 for item in starts_of(1, seven + others, others=6))


def test_the_commonest_are_shown_with_counts_and_single_ones_are_not() -> None:
    found = starts_of(2, ["a b c d"] * 3 + ["a b c e"] * 2 + ["z y x"])[0]
    assert found.commonest == (("a b c", 5),)
    assert (found.questions, found.distinct) == (6, 2)


def test_a_level_without_questions_says_nothing() -> None:
    assert starts_of(1, []) == ()


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=9).map(" ".join), min_size=1, max_size=60))
def test_counts_are_those_of_a_plain_count(questions: list[str]) -> None:
    for found in starts_of(3, questions, others=2):
        assert found.tokens in LENGTHS
        plain = Counter(" ".join(question.split()[: found.tokens]) for question in questions)
        assert found.distinct == len(plain)
        assert found.shared == sum(count for count in plain.values() if count > 3)
        assert set(found.commonest) <= set(plain.items())
