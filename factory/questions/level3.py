"""Level 3: questions across two documents, about the concepts of a walk over the concept graph.

Design: SynthLLM's third generator (arXiv 2503.19551, section 4.2, eq. 5 and 6, and Fig. 10): a walk gives 2-3
topics and 4-5 key concepts, the two documents whose concepts overlap most with them are the references, and
1-3 questions each combine 2 or 3 of the concepts. As in level 2 the sets are drawn in code and have to be echoed
(combining.py). The row's school level and subject are those of the document that matches best.

Cost: as level 2.
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

STEP_VERSION = 2
PROMPT = "question_level_3"

FEWEST = 2
"""Concepts a question combines at least: with one, it would not reach across."""


@dataclass(frozen=True)
class Level3Step(AskingStep):
    """LlmStep: PAIRED_WALK rows (concepts/walks/tables.py) -> QUESTION rows of level 3."""

    name = "question_3"
    version = STEP_VERSION
    prompt_name = PROMPT

    @cached_property
    def response_schema(self) -> dict[str, Any]:
        most = max(FEWEST, self.config.concepts_per_question)
        return combining_schema(FEWEST, most, self.config.level_3_questions, self.pack.tags)

    def identity(self) -> dict[str, Any]:
        return {
            "prompt": self.pack.prompt(PROMPT).prompt_id,
            "questions": self.config.level_3_questions,
            "concepts_per_question": self.config.concepts_per_question,
            "checks": self.checks.identity(),
            "response_schema": self.response_schema,
            **self.vocabulary_identity(),
        }

    def item_id(self, row: Row) -> str:
        walk_id: str = row["walk_id"]
        return walk_id

    def sets_for(self, row: Row) -> list[tuple[str, ...]]:
        """The concepts each question of this walk has to combine; the same at every call. A walk that came back
        to where it had been has fewer concepts, and its sets are smaller."""
        concepts = list(dict.fromkeys(row["concepts"]))
        size = min(max(FEWEST, self.config.concepts_per_question), len(concepts))
        if size < FEWEST:
            return []
        piles = [[concept] for concept in concepts]
        return draw_sets(piles, size, self.config.level_3_questions, self.seed, row["walk_id"])

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...] | Reject:
        sets = self.sets_for(row)
        if not sets:
            evidence = {"concepts": len(set(row["concepts"])), "needed": FEWEST}
            return Reject(row["walk_id"], TOO_FEW_CONCEPTS, evidence=evidence)
        first, second = (texts[chunk_id] for chunk_id in row["chunk_ids"])
        return self.pack.prompt(PROMPT).messages(
            document_1=first,
            document_2=second,
            topics="; ".join(dict.fromkeys(row["topics"])),
            concepts=numbered(sets),
            questions=str(len(sets)),
            concepts_per_question=str(len(sets[0])),
            edu_level=row["edu_level"],
            subject=row["subject"],
            tags=tags_in_words(self.pack.tags),
            vocabulary=self.words([first, second]),
        )

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """QUESTION rows and rejects, as `combining.read_questions` names them."""
        text, finish_reason = text_of(rounds)
        constant = {
            "level": 3,
            "subject": row["subject"],
            "doc_ids": row["doc_ids"],
            "walk_id": row["walk_id"],
            "prompt_id": self.pack.prompt(PROMPT).prompt_id,
            "request_id": rounds[-1].request_id,
            "sources": row["sources"],
        }
        sorting = Sorting(row["walk_id"], folder, self.checks, constant, self.pack.tags)
        most = self.config.level_3_questions
        return read_questions(text, finish_reason, self.sets_for(row), most, sorting, row["edu_level"])
