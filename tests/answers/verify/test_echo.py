from __future__ import annotations

import pytest

from factory.answers.verify.config import VerifyConfig
from factory.answers.verify.decide import verify_answer
from factory.answers.verify.verdict import Verdict

QUESTION = "What is the remainder when 3x + 2 is divided by x - 1?"


@pytest.mark.parametrize(
    ("answer", "times"),
    [
        ("What is the remainder when 3x + 2 is divided by x - 1?", 1),
        ("what is the remainder when 3x + 2 is divided by x - 1", 1),
        (f"{QUESTION}\n\nFinal answer: {QUESTION}", 2),
        (f"The answer to this question is: {QUESTION}", 1),
    ],
)
def test_an_answer_that_only_says_its_question_over_is_wrong(answer: str, times: int) -> None:
    assert verify_answer(QUESTION, answer, None, VerifyConfig()) == Verdict("no", "echo", {"question_repeated": times})


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (QUESTION, f"{QUESTION} It is 5."),
        (QUESTION, f"{QUESTION} No."),
        (QUESTION, "What is the remainder when 3x - 2 is divided by x + 1?"),
        (QUESTION, "The remainder when 3x + 2 is divided by x - 1 is 5."),
        ("Is seven a prime number or a square?", "Seven is a prime number."),
        ("Seven is a prime?", "Seven is a prime."),
        (QUESTION, ""),
    ],
)
def test_an_answer_that_says_more_less_or_in_another_order_is_none(question: str, answer: str) -> None:
    assert verify_answer(question, answer, None, VerifyConfig()).verified == "unchecked"


def test_it_is_asked_where_the_verifier_is_chosen_by_the_row() -> None:
    for kind in ("none", "choice", "recompute", "pack"):
        assert verify_answer(QUESTION, QUESTION, None, VerifyConfig.model_validate({"kind": kind})) == Verdict()
