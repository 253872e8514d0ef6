"""Which of several answers to a question is told to be better, on planted samples."""

from __future__ import annotations

import pytest

from factory.answers.verify.config import VerifyConfig
from factory.engine.api import Completion
from factory.errors import StoreError
from factory.export.preference import pairs_of

SUM = "What is 17 + 25?"
RIGHT = "17 + 25 = 42, so the sum is 42.\n\nFinal answer: 42"
WRONG = "17 + 25 = 43, so the sum is 43.\n\nFinal answer: 43"
OTHER = "17 + 25 = 44, so the sum is 44.\n\nFinal answer: 44"
WORDS = "Which colour is the sky?"
BLUE, GREEN = "It is what one sees at noon.\n\nFinal answer: blue", "It is as grass is.\n\nFinal answer: green"


def pairs(question: str, answer: str, verified: str, texts: list[str], by: str = "any") -> object:
    completion = Completion("r", tuple(texts), ("stop",) * len(texts), 0, ())
    found = pairs_of(question, answer, verified, [completion], VerifyConfig(), by)
    if isinstance(found, str):
        return found
    return [(pair.chosen.text, pair.rejected.text, pair.by) for pair in found]


def test_a_verified_answer_is_better_than_one_that_a_verifier_says_no_to() -> None:
    found = pairs(SUM, RIGHT, "yes", [RIGHT, WRONG, RIGHT, OTHER, WRONG])
    assert found == [(RIGHT, WRONG, "verified"), (RIGHT, OTHER, "verified")], "the more common mistake first"


def test_a_rarer_answer_is_chosen_where_the_published_one_is_verified_to_be_wrong() -> None:
    assert pairs(SUM, WRONG, "no", [WRONG, WRONG, RIGHT]) == [(RIGHT, WRONG, "verified")]


def test_nothing_is_told_of_two_answers_that_are_both_wrong() -> None:
    assert pairs(SUM, WRONG, "no", [WRONG, WRONG, OTHER]) == "not_told_apart"


def test_what_cannot_be_verified_is_told_by_the_majority_and_a_tie_tells_nothing() -> None:
    assert pairs(WORDS, BLUE, "unchecked", [BLUE, GREEN, BLUE]) == [(BLUE, GREEN, "majority")]
    assert pairs(WORDS, BLUE, "unchecked", [BLUE, GREEN]) == "not_told_apart"
    assert pairs(WORDS, BLUE, "unchecked", [BLUE, GREEN, BLUE], by="verified") == "not_told_apart"


def test_samples_that_agree_leave_no_loser_and_broken_samples_are_none() -> None:
    assert pairs(SUM, RIGHT, "yes", [RIGHT, RIGHT.replace("so the", "hence the")]) == "one_answer"
    assert pairs(SUM, RIGHT, "yes", [RIGHT, "", " "]) == "one_answer"
    cut = Completion("r", (RIGHT, WRONG), ("stop", "length"), 0, ())
    assert pairs_of(SUM, RIGHT, "yes", [cut], VerifyConfig(), "any") == "one_answer"


def test_removed_samples_and_samples_of_something_else() -> None:
    assert pairs_of(SUM, RIGHT, "yes", None, VerifyConfig(), "any") == "requests_removed"
    with pytest.raises(StoreError, match="none that its requests give"):
        pairs(SUM, BLUE, "unchecked", [RIGHT, WRONG])
