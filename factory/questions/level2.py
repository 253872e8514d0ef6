"""Level 2: questions that combine concepts sampled from one document.

Design: SynthLLM's second generator (arXiv 2503.19551, section 4.2 and Fig. 9) with the sampling taken out of
the prompt: `draw` picks each question's concepts in code, the prompt lists the sets, and the model has to
name the set it used. An echo that is none of the listed sets, or one already used, turns the question away,
so what a row says about its concepts is what it was asked for. School level and subject come from the
concepts row. Question text is unbounded in the schema, for the reason given in level1.

Cost: parsing takes about 160 microseconds a row of five questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import pyarrow as pa

from factory.concepts.extract import NAME_CHARACTERS, closed_object, sampling_from
from factory.concepts.reply import SCHEMA_MISMATCH, TRUNCATED, read_reply, text_of
from factory.concepts.wording import comparable
from factory.config import QuestionConfig
from factory.domains.pack import Pack
from factory.engine.api import Completion, Message, Sampling
from factory.questions.checks import QuestionChecks, checks_for
from factory.questions.draw import draw_sets
from factory.questions.rows import CREATED, MORE_THAN_ASKED, Sorting
from factory.run.reject import Reject
from factory.run.step import Parsed, Row, Texts
from factory.tables import QUESTION

STEP_VERSION = 2
PROMPT = "question_level_2"

CONCEPTS_NOT_ECHOED, NO_QUESTIONS = "concepts_not_echoed", "no_questions"
TOO_FEW_CONCEPTS = "too_few_concepts"

_EVIDENCE_SETS = 5  # enough to see what went wrong, small enough to keep for every reject


@dataclass(frozen=True)
class Level2Step:
    """LlmStep: CONCEPTS rows -> QUESTION rows of level 2."""

    config: QuestionConfig
    pack: Pack
    seed: int

    @property
    def name(self) -> str:
        return "question_2"

    @property
    def version(self) -> int:
        return STEP_VERSION

    @property
    def schema(self) -> pa.Schema:
        return QUESTION

    @property
    def id_column(self) -> str:
        return "question_id"

    @property
    def max_rounds(self) -> int:
        return 1

    @cached_property
    def sampling(self) -> Sampling:
        return sampling_from(self.config.sampling, self.seed)

    @cached_property
    def response_schema(self) -> dict[str, Any]:
        size = self.config.concepts_per_question
        name = {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS}
        concepts = {"type": "array", "items": name, "minItems": size, "maxItems": size}
        question = closed_object({"concepts": concepts, "question": {"type": "string"}})
        questions = {"type": "array", "items": question, "minItems": 0, "maxItems": self.config.level_2_questions}
        return closed_object({"questions": questions})

    @cached_property
    def _checks(self) -> QuestionChecks:
        return checks_for(self.config, self.pack, PROMPT)

    def identity(self) -> dict[str, Any]:
        return {
            "prompt": self.pack.prompt(PROMPT).prompt_id,
            "questions": self.config.level_2_questions,
            "concepts_per_question": self.config.concepts_per_question,
            "checks": self._checks.identity(),
            "response_schema": self.response_schema,
        }

    def samples_for_round(self, number: int) -> int:
        return self.sampling.samples

    def item_id(self, row: Row) -> str:
        chunk_id: str = row["chunk_id"]
        return chunk_id

    def sets_for(self, row: Row) -> list[tuple[str, ...]]:
        """The concepts each question of this row has to combine; the same at every call."""
        return draw_sets(
            [topic["key_concepts"] for topic in row["topics"]],
            self.config.concepts_per_question,
            self.config.level_2_questions,
            self.seed,
            row["chunk_id"],
        )

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...] | Reject:
        sets = self.sets_for(row)
        if not sets:
            named = sum(len(topic["key_concepts"]) for topic in row["topics"])
            needed = self.config.concepts_per_question
            return Reject(row["chunk_id"], TOO_FEW_CONCEPTS, evidence={"concepts": named, "needed": needed})
        return self.pack.prompt(PROMPT).messages(
            document=texts[row["chunk_id"]],
            concepts="\n".join(f"{number}. {'; '.join(concepts)}" for number, concepts in enumerate(sets, 1)),
            questions=str(len(sets)),
            concepts_per_question=str(self.config.concepts_per_question),
            edu_level=row["edu_level"],
            subject=row["subject"],
        )

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        return False

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """QUESTION rows. The row itself is turned away as no_questions, truncated, invalid_json or
        schema_mismatch; single questions as concepts_not_echoed or for what `checks` names."""
        text, finish_reason = text_of(rounds)
        reply = read_reply(text, finish_reason, salvage=True)
        problem, questions = reply.problem, (reply.value or {}).get("questions")
        if not problem and not isinstance(questions, list):
            problem = SCHEMA_MISMATCH
        if problem or not isinstance(questions, list):
            evidence = {"characters": len(text)}
            return Parsed(rejects=[Reject(row["chunk_id"], problem, evidence=evidence, text=text)])
        constant = {
            "level": 2,
            "subject": row["subject"],
            "doc_ids": [row["doc_id"]],
            "prompt_id": self.pack.prompt(PROMPT).prompt_id,
            "request_id": rounds[-1].request_id,
            "sources": row["sources"],
        }
        sorting = Sorting(row, folder, self._checks, constant)
        asked = {frozenset(map(comparable, concepts)): concepts for concepts in self.sets_for(row)}
        for index, item in enumerate(questions):
            if index >= self.config.level_2_questions:
                sorting.turn_away(index, MORE_THAN_ASKED, None)
                continue
            _sort(sorting, index, item, asked, row["edu_level"])
        if reply.cut_off:
            sorting.turn_away(len(questions), TRUNCATED, reply.cut_off)
        return sorting.parsed(NO_QUESTIONS, text)


def _sort(
    sorting: Sorting, index: int, item: Any, asked: dict[frozenset[str], tuple[str, ...]], edu_level: str
) -> None:
    """Checks one question's echo against the sets still open (and closes its set), then the question."""
    values = item if isinstance(item, dict) else {}
    question, echo = values.get("question"), values.get("concepts")
    if not isinstance(question, str):
        sorting.turn_away(index, SCHEMA_MISMATCH, None, field="question")
        return
    if not isinstance(echo, list) or not all(isinstance(concept, str) for concept in echo):
        sorting.turn_away(index, SCHEMA_MISMATCH, question, field="concepts")
        return
    concepts = asked.pop(frozenset(map(comparable, echo)), None)
    if concepts is None:
        echoed = [concept[:NAME_CHARACTERS] for concept in echo[:_EVIDENCE_SETS]]
        still_open = [list(concepts) for concepts in islice(asked.values(), _EVIDENCE_SETS)]
        sorting.turn_away(index, CONCEPTS_NOT_ECHOED, question, echoed=echoed, open=still_open)
        return
    sorting.take(index, question, CREATED, edu_level, concepts)
