"""The judge step: what it asks, and what it makes of every kind of reply."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.answers.judge.config import JudgeConfig
from factory.answers.judge.rubric import load_rubric
from factory.answers.judge.step import JudgeStep, grade
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.engine.api import Batch, Completion, Request
from factory.engine.scripted import WELL_BEHAVED, ScriptedEngine
from factory.errors import ConfigError
from factory.tables import JUDGED

RUBRIC = load_rubric("answer", DomainConfig())
STEP = JudgeStep(JudgeConfig(rubric="answer"), RUBRIC, load_pack(DomainConfig()), 17)
PASSAGE = "A spanning tree of a connected graph contains every vertex and has no cycle."
ROW = {
    "answer_id": "a1",
    "text": "What is a spanning tree?",
    "answer": "A tree without a cycle that contains every vertex of the graph.",
    "sources": [{"chunk_id": "c1"}],
}
TEXTS = {"c1": PASSAGE}


def _reply(correctness: int, groundedness: int, completeness: int) -> str:
    scores = {"correctness": correctness, "groundedness": groundedness, "completeness": completeness}
    return orjson.dumps({name: {"reason": f"why {name}", "score": score} for name, score in scores.items()}).decode()


def _parsed(text: str, finish_reason: str = "stop") -> dict[str, Any]:
    completion = Completion("r1", (text,), (finish_reason,), 10, (5,))
    (row,) = STEP.parse(ROW, TEXTS, [completion], "judge-x").accepted
    assert row.keys() == set(JUDGED.names)
    return row


def test_the_prompt_shows_rubric_first_and_what_differs_last() -> None:
    (message,) = STEP.prompt(ROW, TEXTS, "judge-x")
    places = [message.content.index(part) for part in (RUBRIC.text, PASSAGE, ROW["text"], ROW["answer"])]
    assert places == sorted(places)


def test_a_rubric_without_document_does_not_show_it() -> None:
    blind = JudgeStep(STEP.config, RUBRIC.model_copy(update={"document": False}), STEP.pack, 17)
    (message,) = blind.prompt(ROW, TEXTS, "judge-x")
    assert PASSAGE not in message.content


def test_the_score_is_the_weighted_mean_on_the_scale_of_each_criterion() -> None:
    assert _parsed(_reply(5, 5, 5))["judge_score"] == 1
    assert _parsed(_reply(1, 1, 1))["judge_score"] == 0
    assert _parsed(_reply(5, 1, 1))["judge_score"] == 0.5  # correctness weighs two of four
    assert _parsed(_reply(1, 5, 1))["judge_score"] == 0.25


def test_the_reason_is_that_of_the_criterion_met_least() -> None:
    row = _parsed(_reply(4, 2, 5))
    assert row["judge_reason"] == "why groundedness"
    assert [entry["score"] for entry in row["judge_scores"]] == [4, 2, 5]


@pytest.mark.parametrize(
    ("text", "finish_reason", "problem"),
    [
        ("I like it.", "stop", "invalid_json"),
        (_reply(5, 5, 5)[:60], "length", "truncated"),
        (_reply(6, 5, 5), "stop", "schema_mismatch"),
        (_reply(5, 5, 5).replace('"score":5', '"score":true'), "stop", "schema_mismatch"),
        ('{"correctness": {"reason": "fine", "score": 5}}', "stop", "schema_mismatch"),
    ],
)
def test_a_reply_that_cannot_be_used_gives_a_row_without_a_score_that_says_why(
    text: str, finish_reason: str, problem: str
) -> None:
    row = _parsed(text, finish_reason)
    assert (row["judge_score"], row["judge_scores"], row["judge_problem"]) == (None, None, problem)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["correctness", "score"]), inner),
)


@given(st.text() | JSON.map(lambda value: orjson.dumps(value).decode()))
def test_no_reply_whatever_it_says_is_an_error(text: str) -> None:
    assert grade(RUBRIC, text, "stop").score is None


def _score_of(answer: str) -> float:
    engine = ScriptedEngine(shares=WELL_BEHAVED)
    request = Request("r1", STEP.messages(ROW["text"], answer, PASSAGE))
    (completion,) = asyncio.run(engine.generate(Batch((request,), STEP.sampling, STEP.response_schema)))
    score = grade(RUBRIC, completion.texts[0], completion.finish_reasons[0]).score
    assert score is not None
    return score


def test_the_scripted_judge_grades_what_keeps_to_the_matter_above_nonsense_and_always_the_same() -> None:
    good = _score_of("A spanning tree of a connected graph contains every vertex and has no cycle.")
    assert good > 0.7
    assert _score_of("Medieval blacksmiths quenched swords while apprentices polished scabbards.") < 0.3
    assert _score_of("A spanning tree of a connected graph contains every vertex and has no cycle.") == good


def _write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


OWN = """name: mine
description: Own.
criteria:
  - name: tone
    description: Is it kind?
    scale: {0: 'no', 1: 'yes'}
"""


def test_a_rubric_is_a_file_of_the_users_own(tmp_path: Path) -> None:
    rubric = load_rubric(_write(tmp_path, OWN), DomainConfig())
    assert rubric.response_schema["properties"]["tone"]["properties"]["score"] == {"type": "integer", "enum": [0, 1]}
    assert rubric.document


def test_packs_that_extend_another_have_its_rubrics() -> None:
    assert load_rubric("answer", DomainConfig(name="maths")) == RUBRIC


def test_the_wording_of_a_rubric_is_part_of_the_steps_identity(tmp_path: Path) -> None:
    one, other = (
        load_rubric(_write(tmp_path, OWN.replace("'no'", f"'{word}'")), DomainConfig()) for word in ("no", "never")
    )
    assert one.rubric_id != other.rubric_id


@pytest.mark.parametrize(
    ("rubric", "says"),
    [
        ("answr", "did you mean `answer`"),
        ("nowhere.yaml", "no such file"),
    ],
)
def test_a_rubric_that_is_not_there_is_named(rubric: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_rubric(rubric, DomainConfig())


@pytest.mark.parametrize(
    "text",
    [
        OWN.replace(", 1: 'yes'", ""),
        OWN.replace("name: tone", "name: 'Tone of voice'"),
        OWN + OWN[OWN.index("  - name") :],
        OWN.replace("criteria", "criterions"),
    ],
)
def test_a_rubric_that_cannot_be_used_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="not a usable rubric"):
        load_rubric(_write(tmp_path, text), DomainConfig())
