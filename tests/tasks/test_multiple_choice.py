"""Multiple choice: what gives the right option away or makes two right is a reject; letters are balanced."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from factory.answers.verify.choice import options_of
from factory.tasks.config import MultipleChoiceConfig
from factory.tasks.multiple_choice import MultipleChoice
from factory.tasks.task import Drafted
from tests.tasks.planted import about, answered, asked, drafted, problem, reasons, verdict

TASK = MultipleChoice(MultipleChoiceConfig(questions=3))
GOOD: dict[str, Any] = {
    "question": "What is the equilibrium line of a glacier?",
    "correct_option": "Where gain and loss of ice are equal",
    "wrong_options": ["Where its ice is the thickest of all", "Where it ends in a lake or the sea", "Where snow falls"],
}


def item(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def test_a_good_item_becomes_a_question_with_its_options_laid_out() -> None:
    found = drafted(TASK, GOOD)
    options = options_of(found.text)
    assert sorted(options.values()) == sorted([GOOD["correct_option"], *GOOD["wrong_options"]])
    assert options[found.data["letter"]] == GOOD["correct_option"]
    assert found.data["options"][found.data["right"]] == GOOD["correct_option"]
    assert found.asks == GOOD["question"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        # The verifiers know that one half is a half, and that an article says nothing.
        ({"correct_option": "1/2", "wrong_options": ["0.5", "1/3", "2"]}, "distractor_is_right"),
        ({"correct_option": "The ice", "wrong_options": ["ice", "snow", "rock"]}, "distractor_is_right"),
        ({"correct_option": "7", "wrong_options": ["50%", "1/2", "3"]}, "options_repeat"),
        ({"wrong_options": ["Where snow falls", "Where it ends"]}, "too_few_options"),
        ({"wrong_options": ["Where snow falls", " ", "Where it ends"]}, "empty_option"),
        ({"wrong_options": ["All of the above", "Where snow falls", "Where it ends"]}, "option_points_at_others"),
        ({"wrong_options": ["Both A and B", "Where snow falls", "Where it ends"]}, "option_points_at_others"),
        (
            {"correct_option": "The line above which more snow falls in a year than melts, so that the glacier grows"},
            "right_option_told_by_length",
        ),
        ({"correct_option": "5300 years", "wrong_options": ["many", "a few", "none"]}, "right_option_told_by_form"),
        ({"question": "Is it where gain and loss of ice are equal, or not?"}, "right_option_in_question"),
        ({"wrong_options": "Where snow falls"}, "schema_mismatch"),
        ({"correct_option": None}, "schema_mismatch"),
        ({"question": 3}, "schema_mismatch"),
    ],
)
def test_an_item_that_tells_its_answer_or_has_two_is_a_reject(changes: dict[str, Any], reason: str) -> None:
    assert problem(TASK, item(**changes)) == reason


def test_numbers_beside_numbers_and_words_beside_words_are_of_one_form() -> None:
    drafted(TASK, item(correct_option="$5.5$", wrong_options=["$3$", "$4$", "$7$"]))
    drafted(TASK, item(correct_option="Ice", wrong_options=["Snow", "Rock and sand", "Water"]))


def test_letters_of_the_model_s_own_are_taken_off() -> None:
    found = drafted(TASK, item(correct_option="A) Ice", wrong_options=["B) Snow", "C. Rock", "(D) Water"]))
    assert sorted(found.data["options"]) == ["Ice", "Rock", "Snow", "Water"]


def test_the_right_option_goes_round_the_letters() -> None:
    places: Counter[int] = Counter()
    for passage in range(100):
        within = []
        for index in range(4):
            found = TASK.draft(GOOD, about(TASK, index, chunk_id=f"{passage:032x}"))
            assert isinstance(found, Drafted)
            within.append(found.data["right"])
        assert sorted(within) == [0, 1, 2, 3]
        places[within[0]] += 1
    assert min(places.values()) >= 12  # of 25 expected; three standard deviations are 13


def test_the_order_is_the_same_whenever_it_is_drawn() -> None:
    assert drafted(TASK, GOOD) == drafted(TASK, GOOD)


@pytest.mark.parametrize("said", ["{right}", "({right})", "Option {right}", "{right}) {text}", "{text}"])
def test_the_right_option_by_letter_or_by_words_is_verified(said: str) -> None:
    data = drafted(TASK, GOOD).data
    final = said.format(right=data["letter"], text=GOOD["correct_option"])
    assert verdict(TASK, data, "…", final).verified == "yes"


def test_another_option_none_and_a_letter_beside_other_words_are_wrong() -> None:
    data = drafted(TASK, GOOD).data
    other = "ABCD"[(data["right"] + 1) % 4]
    for final in (other, "F", "Nobody knows", f"{data['letter']}) {GOOD['wrong_options'][0]}"):
        found = verdict(TASK, data, "…", final)
        assert (found.verified, found.by) == ("no", "choice"), final


def test_a_question_is_answered_by_vote() -> None:
    letter = drafted(TASK, GOOD).data["letter"]
    other = "ABCD"[("ABCD".index(letter) + 1) % 4]
    samples = [f"Because of this.\n\nFinal answer: {name}" for name in (other, letter, f"({letter})")]
    (row,) = answered(TASK, GOOD, *samples).accepted
    assert row["final_answer"] == letter
    assert row["agreement"] == pytest.approx(2 / 3)
    assert (row["task"], row["level"]) == ("multiple_choice", 1)


def test_an_answer_that_only_names_an_option_is_read() -> None:
    (row,) = answered(TASK, GOOD, "B) Where snow falls").accepted
    assert row["final_answer"] == "B"


def test_what_is_asked_is_held_against_the_checks_of_questions() -> None:
    given = item(question="According to the passage, what is the equilibrium line?", level="college")
    assert reasons(asked(TASK, given)) == ["not_self_contained"]
    assert reasons(asked(TASK, {**GOOD, "level": "college"}, {**GOOD, "level": "nowhere"})) == ["schema_mismatch"]
    assert reasons(asked(TASK, *[{**GOOD, "level": "college"}] * 4))[-1] == "more_than_asked"


def test_a_passage_that_teaches_nothing_is_a_reject() -> None:
    assert reasons(asked(TASK, suitable=False), "input") == ["unsuitable_document"]
    assert reasons(asked(TASK), "input") == ["no_questions"]
