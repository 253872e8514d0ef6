"""Worked examples of prompts: one that a step would refuse is named, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.domains.config import DomainConfig
from factory.domains.examine import Examined, examine

QUESTION = """Ask. {{document}} {{questions}} {{levels}} {{tags}}
<!-- assistant -->
%s
<!-- user -->
{{document}}"""

GOOD = '{"suitable": true, "questions": [{"question": "Why?", "origin": "created", "level": "old", "kind": "know"}]}'


def examined(
    folder: Path, example: str, levels_of_examples: str = "{middle_school: young, high_school: old}"
) -> Examined:
    (folder / "prompts").mkdir()
    (folder / "prompts" / "question_level_1.md").write_text(QUESTION % example)
    (folder / "pack.yaml").write_text(
        "extends: general\nname: physics\ndescription: Physics.\nlevels: [young, old]\ntags: {kind: [know, do]}\n"
        f"levels_of_examples: {levels_of_examples}\n"
    )
    return examine(DomainConfig(path=str(folder)))


def test_an_example_that_its_step_would_take_is_passed(tmp_path: Path) -> None:
    assert examined(tmp_path, GOOD).defects == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"old"', '"high_school"', "questions[0].level: 'high_school' is none of young, old"),
        ('"know"', '"guess"', "questions[0].kind: 'guess' is none of know, do"),
        (', "kind": "know"', "", "questions[0]: 'kind' is a required property"),
        ("true", '"yes"', "suitable: 'yes' is not of type 'boolean'"),
        ('"suitable"', '"fit"', "'suitable' is a required property"),
        ("}]}", "}]", "is no JSON"),
    ],
)
def test_a_slip_in_an_example_is_named_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    (defect,) = examined(tmp_path, GOOD.replace(old, new)).defects
    assert defect.startswith("prompts/question_level_1.md: worked example 1")
    assert said in defect


def test_inherited_examples_with_levels_of_another_pack_are_a_note_that_says_what_to_do(tmp_path: Path) -> None:
    found = examined(tmp_path, GOOD, "{}")
    (note,) = [each for each in found.notes if "inherited from general" in each]
    assert found.defects == ()
    assert "'high_school' is none of young, old" in note
    assert "levels_of_examples" in note
    assert "prompts/question_level_2.md" in note
