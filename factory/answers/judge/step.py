"""The `judge` step: a language model grades every answer by a rubric, with its reasons.

Design: an LlmStep over committed answers, beside the chain and not in it: samples take its scores as columns, and an
answer whose judge failed is published without a score. The prompt holds the rubric first and what differs between rows
last, so that engines cache it once; the reply is one JSON object, reason before score for each criterion (rubric.py).
A reply that cannot be used still gives a row, which says why. Another rubric, prompt or judge never pays for new
answers.

Cost: one request an answer, of the rubric (the general one has 280 words with its prompt), the passages, question
and answer; off unless `judge.rubric` names a rubric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from factory.answers.judge.config import JudgeConfig
from factory.answers.judge.rubric import REASON_CHARACTERS, Rubric
from factory.concepts.extract import sampling_from
from factory.concepts.reply import SCHEMA_MISMATCH, read_reply, text_of
from factory.domains.pack import Pack
from factory.engine.api import Completion, Message, Sampling
from factory.run.step import Parsed, Row, Texts
from factory.tables import JUDGED

STEP_VERSION = 2
PROMPT = "judge_answer"
NO_DOCUMENT = "(none)"


@dataclass(frozen=True)
class Graded:
    """What a judge said of one answer: `score` in [0, 1], the scores and reasons behind it, and the reason of the
    criterion that was met least. All None where the reply is not usable: see `problem`."""

    score: float | None
    scores: list[dict[str, Any]] | None
    reason: str | None
    problem: str | None = None


@dataclass(frozen=True)
class JudgeStep:
    """LlmStep: ANSWER rows -> JUDGED rows."""

    config: JudgeConfig
    rubric: Rubric
    pack: Pack
    seed: int

    @property
    def name(self) -> str:
        return "judge"

    @property
    def version(self) -> int:
        return STEP_VERSION

    @property
    def schema(self) -> pa.Schema:
        return JUDGED

    @property
    def id_column(self) -> str:
        return "answer_id"

    @property
    def response_schema(self) -> dict[str, Any]:
        return self.rubric.response_schema

    @cached_property
    def sampling(self) -> Sampling:
        return sampling_from(self.config.sampling, self.seed)

    @property
    def max_rounds(self) -> int:
        return 1

    def samples_for_round(self, number: int) -> int:
        return self.sampling.samples

    def identity(self) -> dict[str, Any]:
        return {"prompt": self.pack.prompt(PROMPT).prompt_id, "rubric": self.rubric.rubric_id}

    def item_id(self, row: Row) -> str:
        answer_id: str = row["answer_id"]
        return answer_id

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        chunk_ids = dict.fromkeys(source["chunk_id"] for source in row["sources"] or ())
        passages = [texts[chunk_id] for chunk_id in chunk_ids if chunk_id in texts]
        return self.messages(row["text"], row["answer"], "\n\n".join(passages))

    def messages(self, question: str, answer: str, document: str) -> tuple[Message, ...]:
        shown = document if self.rubric.document and document else NO_DOCUMENT
        return self.pack.prompt(PROMPT).messages(
            rubric=self.rubric.text, question=question, answer=answer, document=shown
        )

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        return False

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        graded = grade(self.rubric, *text_of(rounds))
        accepted = {
            "answer_id": row["answer_id"],
            "judge_score": graded.score,
            "judge_scores": graded.scores,
            "judge_reason": graded.reason,
            "judge_problem": graded.problem,
            "judge_rubric": self.rubric.name,
            "judge_request_id": rounds[-1].request_id,
        }
        return Parsed(accepted=[accepted])


def grade(rubric: Rubric, text: str, finish_reason: str) -> Graded:
    """What a reply says. `problem` is truncated, degenerate_repetition, invalid_json or schema_mismatch."""
    reply = read_reply(text, finish_reason)
    if reply.value is None:
        return Graded(None, None, None, reply.problem)
    scores: list[dict[str, Any]] = []
    for criterion in rubric.criteria:
        given = reply.value.get(criterion.name)
        score, reason = (given.get("score"), given.get("reason")) if isinstance(given, dict) else (None, None)
        if type(score) is not int or score not in criterion.scale or not isinstance(reason, str):
            return Graded(None, None, None, SCHEMA_MISMATCH)
        scores.append({"criterion": criterion.name, "score": score, "reason": reason[:REASON_CHARACTERS]})
    worst = min(range(len(scores)), key=lambda place: rubric.criteria[place].share(scores[place]["score"]))
    overall = rubric.overall({entry["criterion"]: entry["score"] for entry in scores})
    return Graded(overall, scores, scores[worst]["reason"])
