"""Level 2: questions that combine concepts sampled from one document.

Design: SynthLLM's second generator (arXiv 2503.19551, section 4.2 and Fig. 9) with the sampling taken out of
the prompt: `draw` picks each question's concepts in code, the prompt lists the sets, and the model has to
name the set it used (combining.py). School level and subject come from the concepts row.

Cost: parsing takes about 160 microseconds a row of five questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from factory.concepts.reply import text_of
from factory.engine.api import Completion, Message
from factory.questions.asking import AskingStep
from factory.questions.combining import TOO_FEW_CONCEPTS, combining_schema, numbered, read_questions
from factory.questions.draw import draw_sets
from factory.questions.rows import Sorting
from factory.questions.tags import tags_in_words
from factory.run.reject import Reject
from factory.run.step import Parsed, Row, Texts

STEP_VERSION = 4
PROMPT = "question_level_2"


@dataclass(frozen=True)
class Level2Step(AskingStep):
    """LlmStep: CONCEPTS rows -> QUESTION rows of level 2."""

    name = "question_2"
    version = STEP_VERSION
    prompt_name = PROMPT

    @cached_property
    def response_schema(self) -> dict[str, Any]:
        size = self.config.concepts_per_question
        return combining_schema(size, size, self.config.level_2_questions, self.pack.tags)

    def identity(self) -> dict[str, Any]:
        return {
            "prompt": self.pack.prompt(PROMPT).prompt_id,
            "questions": self.config.level_2_questions,
            "concepts_per_question": self.config.concepts_per_question,
            "checks": self.checks.identity(),
            "response_schema": self.response_schema,
            **self.vocabulary_identity(),
        }

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
            concepts=numbered(sets),
            questions=str(len(sets)),
            concepts_per_question=str(self.config.concepts_per_question),
            edu_level=row["edu_level"],
            subject=row["subject"],
            tags=tags_in_words(self.pack.tags),
            vocabulary=self.words([texts[row["chunk_id"]]]),
        )

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """QUESTION rows and rejects, as `combining.read_questions` names them."""
        text, finish_reason = text_of(rounds)
        constant = {
            "level": 2,
            "subject": row["subject"],
            "doc_ids": [row["doc_id"]],
            "walk_id": None,
            "prompt_id": self.pack.prompt(PROMPT).prompt_id,
            "request_id": rounds[-1].request_id,
            "sources": row["sources"],
        }
        sorting = Sorting(row["chunk_id"], folder, self.checks, constant, self.pack.tags)
        most = self.config.level_2_questions
        return read_questions(text, finish_reason, self.sets_for(row), most, sorting, row["edu_level"])
