"""What models write: every reply becomes rows of the table and named rejects, and the counts conserve."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import example
from hypothesis import strategies as st

from factory.answers.config import AnswerConfig
from factory.answers.judge.config import JudgeConfig
from factory.answers.judge.pairs import Pair, judge_pairs
from factory.answers.judge.rubric import load_rubric
from factory.answers.judge.step import JudgeStep, grade
from factory.answers.step import AnswerStep
from factory.concepts.config import ExtractConfig
from factory.concepts.extract import ExtractStep
from factory.concepts.reply import INVALID_JSON, SCHEMA_MISMATCH, TRUNCATED, read_reply
from factory.curate.decon.judge import reply_of
from factory.domains.config import DomainConfig
from factory.engine.api import Batch, Completion, Message, Request
from factory.questions.level1 import Level1Step
from factory.questions.level2 import Level2Step
from factory.questions.level3 import Level3Step
from factory.run.attempt import rejects_table
from factory.run.llm import Prepared, settle
from factory.run.step import LlmStep
from factory.select.training.config import RateConfig, WriteConfig
from factory.select.training.rate_documents import RateStep
from factory.select.training.write_documents import WriteStep
from tests.answers.test_step import ROW as QUESTION_ROW
from tests.fuzz.breaking import broken_json, json_bytes, texts
from tests.fuzz.harness import fuzzed
from tests.questions.replies import CONCEPTS, CONFIG, DOCUMENT, PACK, TEXTS

WALK: dict[str, Any] = {
    "walk_id": "a" * 32,
    "topics": ["Graphs", "Queues"],
    "concepts": ["Vertex", "Service time", "Cycle", "Median"],
    "edu_level": "college",
    "subject": "Graph theory",
    "doc_ids": ["d" * 32, "e" * 32],
    "chunk_ids": ["c" * 32, "f" * 32],
    "sources": [],
}
RUBRIC = load_rubric("answer", DomainConfig())
EXTRACT = ExtractStep(ExtractConfig(min_concepts=1), PACK, 5)
LEVEL_1, LEVEL_2, LEVEL_3 = (kind(CONFIG, PACK, 5) for kind in (Level1Step, Level2Step, Level3Step))
ANSWER = AnswerStep(AnswerConfig(samples=4, samples_per_round=2), PACK, 3)
JUDGE = JudgeStep(JudgeConfig(rubric="answer"), RUBRIC, PACK, 17)
FOLDER = "step-0123456789abcdef"

QUESTION = "Why does a tree of $n$ vertices have $n - 1$ edges, where $\\frac{n}{2}$ of them are leaves?"
EXTRACTED = {
    "level": "college",
    "subject": "Graph theory",
    "topics": [
        {"topic": "Graphs", "key_concepts": ["vertex", "edge", "1. cycle"]},
        {"topic": "T", "key_concepts": ["x y"]},
    ],
}
ASKED = {
    "suitable": True,
    "questions": [
        {"question": QUESTION, "origin": "created", "level": "college"},
        {"question": "How many edges has a tree?", "origin": "extracted", "level": "college"},
    ],
}
COMBINED = {"questions": [{"concepts": list(each), "question": QUESTION} for each in LEVEL_2.sets_for(CONCEPTS)]}
WALKED = {"questions": [{"concepts": list(each), "question": QUESTION} for each in LEVEL_3.sets_for(WALK)]}
GRADED = {criterion.name: {"reason": "why", "score": criterion.scores[0]} for criterion in RUBRIC.criteria}
RATED = {"relevance": 7, "clarity": 6.5, "language": 8, "overall": 7, "reason": "It teaches."}
BETTER = {"reason": "clearer", "better": "first"}
SOLVED = "We have 3 \\cdot 4 = 12, so $\\boxed{12}$.\n\nFinal answer: 12"


def replies(valid: Any) -> st.SearchStrategy[str]:
    """Texts of a model that was to write `valid` as JSON: other JSON, broken JSON, JSON in prose, prose."""
    whole = orjson.dumps(valid).decode()
    said = json_bytes(valid, 4).map(lambda data: data.decode(errors="replace"))
    return st.one_of(
        said,
        said,
        broken_json(valid, 4).map(lambda value: f"Sure!\n```json\n{orjson.dumps(value).decode()}\n```"),
        st.integers(0, len(whole)).map(lambda at: whole[:at]),
        texts(whole),
    )


FINISHED = st.sampled_from(("stop", "length", "error", "", "tool_calls"))


def settled(step: LlmStep, row: dict[str, Any], text_of: dict[str, str], rounds: list[Completion]) -> None:
    """Settles a unit of one row as the product does, and asserts that everything of it can be kept and is counted."""
    request = Request("r1", (Message("user", "?"),))
    prepared = Prepared((row,), text_of, (0,), (request,), ())
    result, _ = settle(step, FOLDER, prepared, {0: rounds})
    refused = [reject for reject in result.rejects if reject.side != "output"]
    assert result.inputs == result.used + len(refused) == 1
    assert bool(result.tables) == bool(result.used)
    assert all(reject.reason and reject.item_id for reject in result.rejects)
    assert rejects_table(result.rejects).num_rows == len(result.rejects)
    for table in result.tables:
        ids = table.column(result.id_column).to_pylist()
        assert len(set(ids)) == len(ids)
        table.validate(full=True)


def one(text: str, finish: str) -> list[Completion]:
    return [Completion("r1", (text,), (finish,), 10, (5,))]


@fuzzed("factory.concepts.reply.read_reply", share=4, text=replies(ASKED), finish=FINISHED, salvage=st.booleans())
def test_a_reply_is_an_object_or_one_reason(text: str, finish: str, salvage: bool) -> None:
    reply = read_reply(text, finish, salvage)
    assert (reply.value is None) == bool(reply.problem)
    assert reply.problem in ("", TRUNCATED, INVALID_JSON, SCHEMA_MISMATCH)


@fuzzed("factory.concepts.extract.ExtractStep.parse", share=2, text=replies(EXTRACTED), finish=FINISHED)
def test_extraction(text: str, finish: str) -> None:
    settled(EXTRACT, DOCUMENT, TEXTS, one(text, finish))


@fuzzed("factory.questions.level1.Level1Step.parse", share=2, text=replies(ASKED), finish=FINISHED)
def test_questions_of_level_1(text: str, finish: str) -> None:
    settled(LEVEL_1, DOCUMENT, TEXTS, one(text, finish))


@fuzzed(
    "factory.questions.level2.Level2Step.parse",
    "factory.questions.combining.read_questions",
    share=2,
    text=replies(COMBINED),
    finish=FINISHED,
)
def test_questions_of_level_2(text: str, finish: str) -> None:
    settled(LEVEL_2, CONCEPTS, TEXTS, one(text, finish))


@fuzzed("factory.questions.level3.Level3Step.parse", share=2, text=replies(WALKED), finish=FINISHED)
def test_questions_of_level_3(text: str, finish: str) -> None:
    settled(LEVEL_3, WALK, TEXTS, one(text, finish))


@fuzzed(
    "factory.answers.step.AnswerStep.parse",
    "factory.answers.agreement.count_votes",
    said=st.lists(st.tuples(texts(SOLVED, "\\frac12", "0.5", "(B) 12 m/s", "x = 3"), FINISHED), max_size=4),
)
def test_answers_and_their_votes(said: list[tuple[str, str]]) -> None:
    pairs = list(zip(*said, strict=True)) or [(), ()]
    rounds = [Completion("r1", tuple(pairs[0]), tuple(pairs[1]), 10, (5,) * len(said))]
    ANSWER.undecided(QUESTION_ROW, rounds)
    settled(ANSWER, {**QUESTION_ROW, "sources": []}, {}, rounds)


@fuzzed(
    "factory.answers.judge.step.grade",
    "factory.answers.judge.step.JudgeStep.parse",
    share=2,
    text=replies(GRADED),
    finish=FINISHED,
)
@example(text='{"correctness": {"score": 1e400, "reason": "r"}}', finish="stop")
def test_a_judge(text: str, finish: str) -> None:
    graded = grade(RUBRIC, text, finish)
    assert (graded.score is None) == bool(graded.problem)
    assert graded.score is None or 0 <= graded.score <= 1
    row = {"answer_id": "a1", "text": "?", "answer": "!", "sources": []}
    settled(JUDGE, row, {}, one(text, finish))


@fuzzed("factory.answers.judge.pairs.judge_pairs", share=2, text=replies(BETTER), finish=FINISHED)
@example(text='{"better": ["first"], "reason": {}}', finish="stop")
def test_a_judge_of_pairs(text: str, finish: str) -> None:
    def ask(batch: Batch) -> list[Completion]:
        return [Completion(request.request_id, (text,), (finish,), 1, (1,)) for request in batch.requests]

    (verdict,) = judge_pairs([Pair("q", "one", "two")], RUBRIC, PACK.prompt("judge_pair"), ask)
    assert verdict.better in (None, "tie")  # the same words in both orders name no answer


@fuzzed("factory.curate.decon.judge.reply_of", share=2, text=replies({"reason": "r", "same": True}), finish=FINISHED)
def test_a_judge_of_contamination(text: str, finish: str) -> None:
    assert reply_of(one(text, finish)[0]) in (None, True, False)


@fuzzed("factory.select.training.rate_documents.RateStep.parse", share=2, text=replies(RATED), finish=FINISHED)
@example(text='{"relevance": 1e400, "clarity": 1, "language": 1, "overall": 1}', finish="stop")
def test_a_rating(text: str, finish: str) -> None:
    settled(RateStep(RateConfig(), PACK, 1), {"doc_id": "d" * 32, "text": "t"}, {}, one(text, finish))


@fuzzed(
    "factory.select.training.write_documents.WriteStep.parse",
    share=2,
    text=texts("# A page\n\n" + SOLVED * 9, "<html>"),
    finish=FINISHED,
)
def test_a_written_document(text: str, finish: str) -> None:
    row = {
        "assignment_id": "a" * 32,
        "discipline": "d",
        "subject": "s",
        "topic": "t",
        "scope": "x",
        "terms": ["e"],
        "level": "college",
        "genre": "note",
        "instructions": "i",
    }
    settled(WriteStep(WriteConfig(), PACK, 1), row, {}, one(text, finish))
