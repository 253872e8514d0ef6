from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.answers.judge.rubric import load_rubric
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack, shipped_packs
from factory.publish.wording import faults, recorded_pack, recorded_rubric, wording
from factory.run.compose import compose
from factory.run.steps import llm_steps
from factory.tasks.kinds import KINDS

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
    assert "step judge used the text" in next(iter(faults(body, STEPS)))


@pytest.mark.parametrize("name", shipped_packs())
def test_steps_built_of_what_is_recorded_are_the_steps_that_were_although_the_pack_is_gone(
    name: str, tmp_path: Path
) -> None:
    schema = tmp_path / "record.json"
    schema.write_text('{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}')
    config = compose(
        [
            "engine=scripted",
            "store.root=/nowhere",
            f"domain={name}",
            "question.levels=[1,2,3]",
            "judge.rubric=answer",
            "judge.sampling.max_tokens=400",
            *(f"tasks.{task}.questions=1" for task in KINDS),
            f"tasks.records.schema_file={schema}",
        ]
    )
    steps = llm_steps(config, load_pack(config.domain))
    manifest = [{"name": key, "identity": {"own": step.identity()}} for key, step in steps.items()]
    rubric = load_rubric("answer", config.domain)
    kept = orjson.loads(orjson.dumps(wording(load_pack(config.domain), rubric, manifest)))
    gone = DomainConfig(path=str(tmp_path / "gone"))
    again = llm_steps(config, recorded_pack(kept, gone), rubric=recorded_rubric(kept))
    assert {key: step.identity() for key, step in again.items()} == {
        key: step.identity() for key, step in steps.items()
    }
    assert list(faults(kept, manifest)) == []
