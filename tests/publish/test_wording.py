from __future__ import annotations

import copy
from typing import Any

from factory.answers.judge.rubric import load_rubric
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.publish.wording import faults, wording

DOMAIN = DomainConfig()
PACK = load_pack(DOMAIN)
RUBRIC = load_rubric("answer", DOMAIN)


def step(name: str, **own: str) -> dict[str, Any]:
    return {"name": name, "identity": {"own": own}}


STEPS = [
    step("merge"),
    step("extract", prompt=PACK.prompt("extract").prompt_id),
    step("answer", prompt=PACK.prompt("answer").prompt_id),
    step("judge", prompt=PACK.prompt("judge_answer").prompt_id, rubric=RUBRIC.rubric_id),
]


def test_the_prompts_that_steps_used_are_there_with_their_text_and_no_others() -> None:
    body = wording(PACK, RUBRIC, STEPS)
    assert [prompt["name"] for prompt in body["prompts"]] == ["answer", "extract", "judge_answer"]
    assert [prompt["steps"] for prompt in body["prompts"]] == [["answer"], ["extract"], ["judge"]]
    assert body["prompts"][0]["template"] == PACK.prompt("answer").template
    assert [rubric["steps"] for rubric in body["rubrics"]] == [["judge"]]
    assert list(faults(body, STEPS)) == []


def test_a_rubric_that_no_step_used_is_left_out() -> None:
    assert wording(PACK, RUBRIC, STEPS[:3])["rubrics"] == []
    assert wording(PACK, None, STEPS[:3])["rubrics"] == []


def test_changed_texts_and_missing_ones_are_named() -> None:
    body = wording(PACK, RUBRIC, STEPS)
    changed = copy.deepcopy(body)
    changed["prompts"][1]["template"] += " "
    changed["rubrics"][0]["content"]["description"] += "!"
    assert list(faults(changed, STEPS)) == [
        "the text of prompt extract is not the one that its id names",
        "the text of the rubric is not the one that its id names",
    ]
    body["prompts"] = body["prompts"][:-1]
    assert len(list(faults(body, STEPS))) == 1
    assert "step judge used prompt" in next(iter(faults(body, STEPS)))
