"""The order of a unit's requests: shared beginnings side by side, long prompts first, nothing lost or doubled."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from factory.engine.api import Message, Request
from factory.engine.order import SHARED_AT_LEAST, engine_order

INSTRUCTIONS = "Grade the answer by the criteria below. " * 40


def requests(texts: list[str]) -> list[Request]:
    return [Request(f"r{number}", (Message("user", text),)) for number, text in enumerate(texts)]


def passages(count: int, questions: int) -> list[str]:
    """`questions` prompts about each of `count` passages, the instructions before all of them."""
    return [
        f"{INSTRUCTIONS}\n{f'passage {passage} ' * (40 + 7 * passage)}\nquestion {question}"
        for passage in range(count)
        for question in range(questions)
    ]


def test_prompts_about_one_passage_come_together_whatever_order_they_had() -> None:
    texts = passages(9, 4)
    random.Random(3).shuffle(texts)
    in_order = [texts[position].split("\n")[1] for position in engine_order(requests(texts))]
    assert len(list(itertools.groupby(in_order))) == 9


def test_the_longest_prompts_come_first() -> None:
    texts = [
        f"{letter * SHARED_AT_LEAST}{'x' * length}" for letter, length in zip("abcd", (5, 900, 30, 400), strict=True)
    ]
    assert [len(texts[position]) - SHARED_AT_LEAST for position in engine_order(requests(texts))] == [900, 400, 30, 5]


def test_a_few_words_in_common_are_no_group() -> None:
    texts = ["Summarise: " + "a" * 50, "Summarise: " + "b" * 400, "Summarise: " + "a" * 300]
    assert engine_order(requests(texts)) == [1, 2, 0]


@given(st.lists(st.text(alphabet="ab", max_size=600), max_size=30))
def test_every_request_has_one_place_and_the_same_prompts_give_the_same_order(texts: list[str]) -> None:
    order = engine_order(requests(texts))
    assert sorted(order) == list(range(len(texts)))
    assert order == engine_order(requests(texts))


@given(st.permutations(passages(4, 3)))
def test_the_order_of_the_prompts_does_not_depend_on_the_order_in_which_they_came(texts: list[str]) -> None:
    assert [texts[position] for position in engine_order(requests(texts))] == [
        sorted(passages(4, 3))[position] for position in engine_order(requests(sorted(passages(4, 3))))
    ]
