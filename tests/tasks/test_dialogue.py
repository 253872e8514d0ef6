"""Dialogues: enough turns, each reply on the ground of the passage, the last one answered afresh."""

from __future__ import annotations

from typing import Any

import pytest

from factory.tasks.config import DialogueConfig
from factory.tasks.dialogue import Dialogue
from tests.tasks.planted import answered, asked, drafted, problem, reasons, verdict

TASK = Dialogue(DialogueConfig(questions=2, turns=3))
INVENTED = "Elephants gather beside warm lakes every spring and sing about distant tropical mountains."
GOOD: dict[str, Any] = {
    "turns": [
        {
            "user": "What is a glacier?",
            "assistant": "A glacier is a body of ice that moves under its own weight, like others of its kind.",
        },
        {
            "user": "And where do they form?",
            "assistant": "Glaciers form where more snow falls in winter than melts in summer.",
        },
    ],
    "last_question": "What is the line between gain and loss called?",
}


def test_a_good_dialogue_is_a_transcript_and_its_turns() -> None:
    found = drafted(TASK, GOOD)
    assert found.text.splitlines()[0] == "User: What is a glacier?"
    assert found.text.splitlines()[-1] == f"User: {GOOD['last_question']}"
    roles = [turn["role"] for turn in found.data["turns"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert all(share >= 0.2 for share in found.data["grounded"])


def turns(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {"turns": [{"user": user, "assistant": reply} for user, reply in pairs]}


FIRST, SECOND = ((turn["user"], turn["assistant"]) for turn in GOOD["turns"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (turns(FIRST, (SECOND[0], INVENTED)), "ungrounded_turn"),
        (turns(FIRST), "too_few_turns"),
        (turns(FIRST, (" ", SECOND[1])), "empty_turn"),
        (turns(FIRST, ("What is a glacier", SECOND[1])), "turns_repeat"),
        (turns(FIRST, (SECOND[0], FIRST[1])), "turns_repeat"),
        ({"last_question": "And where do they form?"}, "turns_repeat"),
        ({"turns": [{"user": "What?"}, {"user": "Why?"}]}, "schema_mismatch"),
        ({"turns": "What?"}, "schema_mismatch"),
        ({"last_question": None}, "schema_mismatch"),
    ],
)
def test_a_dialogue_that_falls_short_is_a_reject(changes: dict[str, Any], reason: str) -> None:
    assert problem(TASK, {**GOOD, **changes}) == reason


def test_the_last_reply_is_held_against_the_passage() -> None:
    data = drafted(TASK, GOOD).data
    grounded = "The line between the part that gains ice and the part that loses it is the equilibrium line."
    assert verdict(TASK, data, grounded).verified == "yes"
    assert (verdict(TASK, data, INVENTED).verified, verdict(TASK, data, INVENTED).by) == ("no", "grounding")
    assert verdict(TASK, data, "Equilibrium line.").verified == "unchecked"  # too short to say


def test_a_grounded_sample_is_preferred() -> None:
    grounded = "The line between the part that gains ice and the part that loses it is the equilibrium line."
    (row,) = answered(TASK, GOOD, INVENTED, grounded).accepted
    assert row["answer"] == grounded
    assert row["agreement"] == 0.5


def test_user_turns_are_held_against_the_checks_of_questions() -> None:
    assert reasons(asked(TASK, {**GOOD, "level": "college"})) == []
    again = {**GOOD, "level": "college"}
    assert reasons(asked(TASK, again, again)) == ["duplicate_in_document"]
