"""A unit of an LLM step: whatever becomes of one row, it has a reason, and the others have their results."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from factory.answers.config import AnswerConfig
from factory.answers.judge.config import JudgeConfig
from factory.answers.judge.rubric import load_rubric
from factory.answers.judge.step import JudgeStep
from factory.answers.step import AnswerStep
from factory.concepts.config import ExtractConfig
from factory.concepts.extract import ExtractStep
from factory.domains.config import DomainConfig
from factory.engine.api import FINISH_LENGTH, Batch, Completion, Message, Request, Sampling
from factory.engine.scripted import WELL_BEHAVED, ScriptedEngine
from factory.errors import StoreError
from factory.questions.level1 import Level1Step
from factory.questions.level2 import Level2Step
from factory.questions.level3 import Level3Step
from factory.run.llm import Prepared, ask, prepare, request_id, settle
from factory.run.reject import Reject
from factory.run.step import LlmStep, Parsed, Row, Texts
from factory.run.units import UnitResult, unit_over
from factory.select.training.config import RateConfig, WriteConfig
from factory.select.training.rate_documents import RateStep
from factory.select.training.write_documents import WriteStep
from factory.store.base import Store
from tests.answers.judge.test_step import ROW as ANSWER_ROW
from tests.answers.test_step import ROW as QUESTION_ROW
from tests.questions.replies import CONCEPTS, CONFIG, DOCUMENT, PACK, TEXTS
from tests.questions.test_level3 import WALK
from tests.run.rows import commit_documents, document
from tests.select.training.test_rate_documents import ROW as RATED_ROW
from tests.select.training.test_write_documents import ROW as ASSIGNMENT

FOLDER = "step-f"
STEPS: dict[str, tuple[LlmStep, Row]] = {
    "extract": (ExtractStep(ExtractConfig(), PACK, 5), DOCUMENT),
    "question_1": (Level1Step(CONFIG, PACK, 5), DOCUMENT),
    "question_2": (Level2Step(CONFIG, PACK, 5), CONCEPTS),
    "question_3": (Level3Step(CONFIG, PACK, 5), WALK),
    "answer": (AnswerStep(AnswerConfig(), PACK, 5), QUESTION_ROW),
    "judge": (JudgeStep(JudgeConfig(rubric="answer"), load_rubric("answer", DomainConfig()), PACK, 17), ANSWER_ROW),
    "write": (WriteStep(WriteConfig(), PACK, 5), ASSIGNMENT),
    "rate": (RateStep(RateConfig(), PACK, 5), RATED_ROW),
}
ALL_TEXTS = {**TEXTS, "c1": "An array is a grid of values of one type.", "f" * 32: "Queues are short."}


def worked(step: LlmStep, row: Row, completion: Completion) -> UnitResult:
    prepared = Prepared((row,), ALL_TEXTS, (0,), (Request("r0", (Message("user", "?"),)),), ())

    async def generate(batch: Batch) -> list[Completion]:
        return [completion]

    answers = asyncio.run(ask(step, FOLDER, prepared, generate))
    return settle(step, FOLDER, prepared, answers)[0]


@pytest.mark.parametrize("name", STEPS)
def test_a_prompt_that_is_too_long_is_a_reject_of_its_own_at_every_step(name: str) -> None:
    step, row = STEPS[name]
    found = worked(step, row, Completion("r0", (), (), 9000, (), error="prompt_too_long", error_detail="9000 tokens"))
    (reject,) = found.rejects
    assert (reject.reason, reject.side, reject.evidence["detail"]) == ("prompt_too_long", "input", "9000 tokens")
    assert found.tables == ()


LOOP = "A tree is a graph without a cycle. " + "and so on and so forth, " * 200


@pytest.mark.parametrize("name", STEPS)
def test_an_answer_that_would_never_have_ended_is_told_from_one_that_was_cut_off(name: str) -> None:
    step, row = STEPS[name]
    samples = step.sampling.samples
    looping = worked(step, row, Completion("r0", (LOOP,) * samples, (FINISH_LENGTH,) * samples, 10, (64,) * samples))
    if name == "judge":
        (table,) = looping.tables
        assert table["judge_problem"].to_pylist() == ["degenerate_repetition"]
        return
    assert {reject.reason for reject in looping.rejects} == {
        "repetitive" if name == "write" else "degenerate_repetition"
    }
    if name != "write":  # what it wrote before it was cut off is a document
        plain = "Seven foxes met near Oxford to talk about trees, rivers, numbers; then one said that every"
        cut = worked(step, row, Completion("r0", (plain,) * samples, (FINISH_LENGTH,) * samples, 10, (64,) * samples))
        assert {reject.reason for reject in cut.rejects} == {"truncated"}


def test_questions_that_were_complete_before_a_loop_are_kept() -> None:
    step, row = STEPS["question_1"]
    whole = '{"question": "How many edges has a tree of n vertices?", "origin": "created", "level": "college"}'
    text = f'{{"suitable": true, "questions": [{whole}, {{"question": "' + "and why and why " * 200
    found = worked(step, row, Completion("r0", (text,), (FINISH_LENGTH,), 10, (64,)))
    assert found.tables[0].num_rows == 1
    assert [(reject.reason, reject.side) for reject in found.rejects] == [("degenerate_repetition", "output")]


def test_half_a_surrogate_pair_in_a_completion_reaches_no_file() -> None:
    step, row = STEPS["extract"]
    broken = Completion("r0", ('{"level": "\ud800"}',), ("stop",), 10, (5,), error_detail="\udfff")
    prepared = Prepared((row,), ALL_TEXTS, (0,), (Request("r0", (Message("user", "?"),)),), ())

    async def generate(batch: Batch) -> list[Completion]:
        return [broken]

    answers = asyncio.run(ask(step, FOLDER, prepared, generate))
    result, requests = settle(step, FOLDER, prepared, answers)
    assert requests["texts"].to_pylist() == [['{"level": "\ufffd"}']]
    assert result.rejects[0].text == '{"level": "\ufffd"}'


SAID = pa.schema([("chunk_id", pa.string()), ("said", pa.string())])
SAMPLING = Sampling(0.7, 0.9, 64)


@dataclass(frozen=True)
class EchoStep:
    """One row a document: what the engine says. Rows whose text has a word of `bad` break the step's own code."""

    bad_prompts: tuple[str, ...] = ()
    bad_replies: tuple[str, ...] = ()
    name: str = "echo"
    version: int = 1
    schema: pa.Schema = SAID
    id_column: str = "chunk_id"
    sampling: Sampling = SAMPLING
    response_schema: None = None
    max_rounds: int = 1

    def samples_for_round(self, number: int) -> int:
        return 1

    def identity(self) -> dict[str, Any]:
        return {}

    def item_id(self, row: Row) -> str:
        return str(row["chunk_id"])

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...] | Reject:
        if any(word in row["text"] for word in self.bad_prompts):
            raise KeyError("a field the template knows and the row does not")
        half = "\ud83d" if "half" in row["text"] else ""
        return (Message("user", row["text"] + half),)

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        return False

    def parse(self, row: Row, texts: Mapping[str, str], rounds: Sequence[Completion], folder: str) -> Parsed:
        if any(word in row["text"] for word in self.bad_replies):
            raise RecursionError("maximum recursion depth exceeded")
        return Parsed([{"chunk_id": row["chunk_id"], "said": rounds[-1].texts[0]}])


def whole_unit(store: Store, step: EchoStep, names: Sequence[str]) -> UnitResult:
    (output,) = commit_documents(store, "u1", [[document(name, row=number) for number, name in enumerate(names)]])
    unit = unit_over(output.file)
    prepared = prepare(store, step, FOLDER, unit)
    engine = ScriptedEngine(shares=WELL_BEHAVED)
    answers = asyncio.run(ask(step, FOLDER, prepared, engine.generate))
    return settle(step, FOLDER, prepared, answers)[0]


def test_a_row_that_breaks_the_steps_own_code_is_quarantined_alone(local_store: Store) -> None:
    step = EchoStep(bad_prompts=("thistle",), bad_replies=("nettle",))
    found = whole_unit(local_store, step, ["rose", "thistle", "nettle", "half an emoji", "lily"])
    assert [table.num_rows for table in found.tables] == [2]
    assert sorted((reject.reason, reject.side) for reject in found.rejects) == [
        ("parse_failed", "quarantine"),
        ("prompt_failed", "quarantine"),
        ("prompt_failed", "quarantine"),
    ]
    assert found.inputs == found.used + 3
    details = {reject.evidence["detail"].split(":")[0] for reject in found.rejects}
    assert details == {"KeyError", "UnicodeEncodeError", "RecursionError"}


@pytest.mark.parametrize("step", [EchoStep(bad_prompts=("text",)), EchoStep(bad_replies=("text",))])
def test_code_that_fails_on_every_row_stops_the_run(step: EchoStep, local_store: Store) -> None:
    with pytest.raises((KeyError, RecursionError)):
        whole_unit(local_store, step, ["rose", "lily"])


def test_a_store_that_fails_is_no_fault_of_a_row(local_store: Store) -> None:
    class Failing(EchoStep):
        def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...] | Reject:
            raise StoreError("the store is gone")

    with pytest.raises(StoreError):
        whole_unit(local_store, Failing(), ["rose", "lily"])


def test_ids_of_requests_differ_by_step_row_and_round() -> None:
    assert (
        len({request_id("a", "x", 0), request_id("b", "x", 0), request_id("a", "y", 0), request_id("a", "x", 1)}) == 4
    )
