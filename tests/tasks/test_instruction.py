"""Instructions: constraints drawn in code, said in the pack's words, each verified."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.tasks.config import ConstraintKind, InstructionConfig
from factory.tasks.constraints import CHECKS, GROUPS, broken, draw_constraints
from factory.tasks.instruction import Instruction
from tests.tasks.planted import about, answered, asked, drafted, problem, reasons, verdict

KINDS = get_args(ConstraintKind)
TASK = Instruction(InstructionConfig(questions=3))
GOOD: dict[str, Any] = {
    "instruction": "Explain to a hiker why crossing old snow in August is dangerous.",
    "words": ["ice", "weight", "glacier"],
}


@pytest.mark.parametrize(
    ("constraint", "kept", "not_kept"),
    [
        ({"kind": "max_words", "count": 3}, "It moves down.", "It moves down slowly."),
        ({"kind": "min_words", "count": 3}, "It moves down.", "It moves."),
        ({"kind": "sentences", "count": 2}, "Ice moves. It is 3.5 m thick!", "Ice moves."),
        ({"kind": "bullets", "count": 2}, "- ice\n- snow", "- ice\n- snow\n- rock"),
        ({"kind": "bullets", "count": 1}, "Here:\n* ice", "ice - snow"),
        ({"kind": "paragraphs", "count": 2}, "Ice.\n\nSnow.", "Ice.\nSnow."),
        ({"kind": "json"}, '{"ice": 1}', "It is ice."),
        ({"kind": "json"}, '```json\n["ice"]\n```', '"ice"'),
        ({"kind": "contains", "word": "ice"}, "Ice moves.", "Nice weather."),
        ({"kind": "excludes", "word": "ice"}, "Nice weather.", "The ICE moves."),
        ({"kind": "no_commas"}, "Ice and snow.", "Ice, snow."),
        ({"kind": "lower_case"}, "ice moves 3 m.", "Ice moves."),
        ({"kind": "starts_with", "word": "ice"}, "Ice moves.", "The ice moves."),
        ({"kind": "ends_with", "word": "ice"}, "It is ice.", "It is ice here."),
    ],
)
def test_each_constraint_is_kept_or_broken(constraint: dict[str, Any], kept: str, not_kept: str) -> None:
    assert broken([constraint], kept) == []
    (found,) = broken([constraint], not_kept)
    assert found["kind"] == constraint["kind"]


def test_every_kind_can_be_drawn_checked_and_said() -> None:
    assert set(KINDS) == set(CHECKS) == {kind for kinds in GROUPS.values() for kind in kinds}
    drawn: Counter[str] = Counter()
    for index in range(400):
        constraints = draw_constraints(KINDS, 3, ["ice", "snow"], 5, "c", index)
        assert 1 <= len(constraints) <= 3
        drawn.update(constraint["kind"] for constraint in constraints)
    assert set(drawn) == set(KINDS)


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(0, 3))
def test_drawn_constraints_never_contradict_one_another(index: int, most: int, words: int) -> None:
    kinds = {each["kind"] for each in draw_constraints(KINDS, most, ["ice", "snow", "rock"][:words], 5, "c", index)}
    contradictions = [
        {"json", "no_commas"}, {"json", "lower_case"}, {"json", "starts_with"}, {"json", "ends_with"},
        {"json", "bullets"}, {"bullets", "starts_with"}, {"sentences", "min_words"}, {"max_words", "min_words"},
        {"json", "max_words"}, {"json", "min_words"}, {"sentences", "max_words"},
    ]  # fmt: skip
    assert not [pair for pair in contradictions if pair <= kinds]


def test_kinds_that_are_not_asked_for_are_not_drawn() -> None:
    for index, most in product(range(50), (1, 3)):
        kinds = {each["kind"] for each in draw_constraints(("no_commas", "contains"), most, ["ice"], 5, "c", index)}
        assert kinds <= {"no_commas", "contains"}


def test_words_asked_for_stand_in_the_passage_and_not_in_the_instruction() -> None:
    for index in range(60):
        found = drafted(TASK, {**GOOD, "words": ["snow", "zebra", "two words"]}, index)
        assert not [each for each in found.data["constraints"] if "word" in each]
    words = {
        each["word"] for index in range(60) for each in drafted(TASK, GOOD, index).data["constraints"] if "word" in each
    }
    assert words <= {"ice", "weight", "glacier"}
    assert words


def test_the_instruction_says_each_constraint_in_the_pack_s_words() -> None:
    task = Instruction(InstructionConfig(questions=1, kinds=("max_words",), constraints=1))
    found = drafted(task, GOOD)
    count = found.data["constraints"][0]["count"]
    assert found.text == f"{GOOD['instruction']} Use at most {count} words."
    assert found.asks == GOOD["instruction"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"instruction": "Describe ice in 5 sentences."}, "states_its_own_constraint"),
        ({"instruction": "Give the facts about ice as JSON."}, "states_its_own_constraint"),
        ({"instruction": None}, "schema_mismatch"),
        ({"words": "ice"}, "schema_mismatch"),
    ],
)
def test_an_instruction_that_constrains_itself_is_a_reject(changes: dict[str, Any], reason: str) -> None:
    assert problem(TASK, {**GOOD, **changes}) == reason


def test_without_words_to_ask_for_there_may_be_no_constraint() -> None:
    task = Instruction(InstructionConfig(questions=1, kinds=("contains",)))
    assert problem(task, {**GOOD, "words": ["zebra"]}) == "no_constraint_fits"


def test_one_broken_constraint_is_a_no_that_says_which() -> None:
    data = {"constraints": [{"kind": "max_words", "count": 4}, {"kind": "no_commas"}]}
    assert verdict(TASK, data, "Ice moves slowly.").verified == "yes"
    found = verdict(TASK, data, "Ice moves, slowly.")
    assert (found.verified, found.by) == ("no", "constraints")
    assert found.evidence["broken"] == [{"kind": "no_commas", "found": 1}]


def test_no_more_is_asked_for_once_a_sample_keeps_all() -> None:
    task = Instruction(InstructionConfig(questions=1, kinds=("no_commas",)))
    (row,) = answered(task, GOOD, "Ice, snow, and rock move.", "Ice and snow move down.").accepted
    assert row["answer"] == "Ice and snow move down."
    assert row["agreement"] == 0.5


def test_an_instruction_may_not_speak_of_a_passage_nobody_sees() -> None:
    given = {**GOOD, "instruction": "Explain the passage above to a child.", "level": "college"}
    assert reasons(asked(TASK, given)) == ["not_self_contained"]
    assert about(TASK).wording.say("sentences", count=4) == "Write exactly 4 sentences."
