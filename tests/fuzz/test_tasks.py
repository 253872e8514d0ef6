"""What models write for task types, and what a published row may claim to be a chat of."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from factory.answers.config import AnswerConfig
from factory.engine.api import Completion
from factory.errors import ConfigError
from factory.tasks.answer import TaskAnswerStep, data_of
from factory.tasks.chat import is_chat_of
from factory.tasks.constraints import CHECKS, broken, draw_constraints
from factory.tasks.program import sorted_out
from factory.tasks.question import TaskQuestionStep
from factory.tasks.record_schema import record_schema
from factory.tasks.task import TaskType
from tests.fuzz.breaking import json_bytes, texts
from tests.fuzz.harness import fuzzed
from tests.fuzz.test_replies import FINISHED, one, replies, settled
from tests.questions.replies import CONFIG, PACK
from tests.tasks import test_records
from tests.tasks.kinds import EXAMPLES, TYPES
from tests.tasks.planted import ROW, SOURCE, TEXTS, asked, verdict

TURNS = {"turns": [{"role": "user", "content": "Why?"}]}
KINDS = st.sampled_from(TYPES)


def reply_of(task: TaskType) -> dict[str, Any]:
    return {"suitable": True, "questions": [{**EXAMPLES[task.name], "level": "college"}] * 2}


@fuzzed(
    "factory.tasks.question.TaskQuestionStep.parse",
    "factory.questions.suitable.read_asked",
    share=2,
    said=KINDS.flatmap(lambda task: st.tuples(st.just(task), replies(reply_of(task)))),
    finish=FINISHED,
)
def test_questions_of_every_type(said: tuple[TaskType, str], finish: str) -> None:
    task, text = said
    settled(TaskQuestionStep(task, CONFIG, PACK, 5), ROW, TEXTS, one(text, finish))


@fuzzed(
    "factory.tasks.answer.TaskAnswerStep.parse",
    task=KINDS,
    said=st.lists(st.tuples(texts("Final answer: B", "Ice moves.", '{"a": 1}', "- one\n- two"), FINISHED), max_size=3),
)
def test_answers_of_every_type(task: TaskType, said: list[tuple[str, str]]) -> None:
    (row,) = asked(task, {**EXAMPLES[task.name], "level": "college"}).accepted
    step = TaskAnswerStep(task, AnswerConfig(samples=3), PACK, 3)
    pairs = list(zip(*said, strict=True)) or [(), ()]
    rounds = [Completion("r1", tuple(pairs[0]), tuple(pairs[1]), 10, (5,) * len(said))]
    step.undecided(row, rounds)
    settled(step, {**row, "sources": [SOURCE]}, TEXTS, rounds)
    assert data_of(row)


@fuzzed(
    "factory.tasks.chat.is_chat_of",
    messages=st.lists(st.fixed_dictionaries({"role": st.sampled_from(("user", "assistant")), "content": st.text()})),
    task=st.sampled_from(("open", "dialogue", "summary", None)),
    task_data=st.none() | json_bytes(TURNS).map(lambda data: data.decode(errors="replace")),
)
def test_any_row_is_a_chat_or_is_not(messages: list[dict[str, str]], task: str | None, task_data: str | None) -> None:
    row = {"question": "Why?", "answer": "Because.", "task_data": task_data}
    assert is_chat_of(messages, task, row) in (True, False)


@fuzzed(
    "factory.tasks.constraints.broken",
    text=texts("Ice moves, it is 3 m thick.", "- one\n- two\n\nthree", '{"a": 1}'),
    index=st.integers(0, 50),
)
def test_any_text_keeps_or_breaks_constraints(text: str, index: int) -> None:
    drawn = draw_constraints(tuple(CHECKS), 5, ["ice", "snow"], 5, "c", index)
    assert {each["kind"] for each in broken(drawn, text)} <= {each["kind"] for each in drawn}


WRITTEN = [{"call": "f(1)", "expected": "[2]"}, {"call": "f(0) + 1", "expected": "raises ValueError"}]


@fuzzed(
    "factory.tasks.program.sorted_out", share=2, tests=json_bytes(WRITTEN, 3), language=st.sampled_from(("python", "c"))
)
def test_tests_of_a_program_can_be_run_or_are_left_out(tests: bytes, language: str) -> None:
    try:
        given = json.loads(tests)
    except ValueError:
        return
    if isinstance(given, list):
        kept, left_out = sorted_out(given, language, "f")
        assert len(kept) + sum(left_out.values()) <= len(given)
        assert all("f" in case.call for case in kept)


@fuzzed("factory.tasks.record_schema.record_schema", share=2, data=json_bytes(test_records.SCHEMA, 4))
def test_a_file_is_a_schema_of_records_or_refused(data: bytes) -> None:
    try:
        schema = record_schema(data, "s.json")
    except ConfigError:
        return
    assert schema.columns
    assert isinstance(schema.problems(test_records.RECORD), list)


@fuzzed("factory.tasks.records.Records.verify", share=2, final=json_bytes(test_records.RECORD, 3))
def test_any_reading_of_a_record_has_a_verdict(final: bytes) -> None:
    data = {"record": test_records.RECORD, "schema_id": "s"}
    said = verdict(test_records.TASK, data, "", final.decode(errors="replace"))
    assert said.verified in ("yes", "no")
