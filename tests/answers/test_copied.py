from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.answers.copied import copied_share

SOURCE = (
    "An array is a grid of values of one type, indexed by a tuple of integers that may not be negative in this text."
)


def test_a_copy_is_copied_whatever_its_layout() -> None:
    assert copied_share(SOURCE.upper().replace(" ", "\n"), [SOURCE]) == 1


def test_nothing_shared_and_nothing_to_compare_with() -> None:
    assert copied_share("A ring is a set with two operations that satisfy a handful of laws.", [SOURCE]) == 0
    assert copied_share(SOURCE, []) == 0
    assert copied_share(SOURCE, ["", "too short"]) == 0
    assert copied_share("an array is", [SOURCE]) == 0


def test_half_a_copy_is_counted_in_eight_grams() -> None:
    copied = SOURCE.split()[:15]  # 8 of its n-grams stand in the source
    own = [f"word{number}" for number in range(15)]
    assert copied_share(" ".join(copied + own), [SOURCE]) == pytest.approx(8 / 23)


def test_an_ngram_counts_once_wherever_it_stands() -> None:
    words = [f"w{number}" for number in range(40)]
    first, second = " ".join(words[:25]), " ".join(words[17:])
    assert copied_share(" ".join(words), [first, second]) == pytest.approx(1.0)
    assert copied_share(" ".join(words), [first]) == pytest.approx(18 / 33)


def test_scripts_without_spaces_are_compared_by_character() -> None:
    assert copied_share("数组是由同一类型的值组成的网格。", ["我们说:数组是由同一类型的值组成的网格,好。"]) == 1


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=60))
def test_equals_counting_tuples(answer: list[str], source: list[str]) -> None:
    known = {tuple(source[place : place + 8]) for place in range(len(source) - 7)}
    grams = [tuple(answer[place : place + 8]) for place in range(len(answer) - 7)]
    expected = sum(gram in known for gram in grams) / len(grams) if grams else 0
    assert copied_share(" ".join(answer), [" ".join(source)]) == pytest.approx(expected)
