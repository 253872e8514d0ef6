"""Level 1: questions from one document, those it asks itself and new ones.

Design: SynthLLM's first generator (arXiv 2503.19551, section 4.2 and Fig. 8) as schema-constrained JSON: the
model judges whether the document is suitable, takes over the questions that stand in it, adds new ones, and gives
each an origin and a school level. A refusal is a reject of the document. The claim "extracted" goes into lineage only
where half of the question's word trigrams really stand in the document; else the origin is "created".
Question text is unbounded in the schema: xgrammar 0.2.8 writes bounded strings without backslash, quote and line
break, so no LaTeX and no code, and takes 80-170 microseconds a token for them against 5-10 (measured on two cores);
max_tokens bounds it instead, and of a reply cut short the complete questions are kept.

Cost: parsing takes about 120 microseconds a row of five questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from factory.concepts.extract import closed_object
from factory.concepts.reply import SCHEMA_MISMATCH, text_of
from factory.concepts.wording import comparable
from factory.engine.api import Completion, Message
from factory.questions.asking import AskingStep
from factory.questions.checks import Document
from factory.questions.rows import CREATED, EXTRACTED, MORE_THAN_ASKED, Sorting
from factory.questions.suitable import read_asked
from factory.questions.tags import tag_properties, tags_in_words
from factory.run.reject import Reject
from factory.run.step import Parsed, Row, Texts

STEP_VERSION = 4
PROMPT = "question_level_1"

NO_QUESTIONS = "no_questions"

_ORIGINS = {
    "extracted": EXTRACTED,
    "original": EXTRACTED,
    "original question": EXTRACTED,
    "created": CREATED,
    "newly created": CREATED,
}


@dataclass(frozen=True)
class Level1Step(AskingStep):
    """LlmStep: DOCUMENT rows (with `sources`) -> QUESTION rows of level 1."""

    name = "question_1"
    version = STEP_VERSION
    prompt_name = PROMPT

    @cached_property
    def response_schema(self) -> dict[str, Any]:
        question = closed_object(
            {
                "question": {"type": "string"},
                "origin": {"type": "string", "enum": [EXTRACTED, CREATED]},
                "level": {"type": "string", "enum": list(self.pack.levels)},
                **tag_properties(self.pack.tags),
            }
        )
        questions = {"type": "array", "items": question, "minItems": 0, "maxItems": self.config.level_1_questions}
        return closed_object({"suitable": {"type": "boolean"}, "questions": questions})

    @cached_property
    def _levels(self) -> dict[str, str]:
        return {comparable(level): level for level in self.pack.levels}

    def identity(self) -> dict[str, Any]:
        return {
            "prompt": self.pack.prompt(PROMPT).prompt_id,
            "levels": list(self.pack.levels),
            "questions": self.config.level_1_questions,
            "checks": self.checks.identity(),
            "response_schema": self.response_schema,
            **self.vocabulary_identity(),
        }

    def item_id(self, row: Row) -> str:
        chunk_id: str = row["chunk_id"]
        return chunk_id

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        return self.pack.prompt(PROMPT).messages(
            document=texts[row["chunk_id"]],
            levels=", ".join(self.pack.levels),
            questions=str(self.config.level_1_questions),
            tags=tags_in_words(self.pack.tags),
            vocabulary=self.words([texts[row["chunk_id"]]]),
        )

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """QUESTION rows. The row itself is turned away as unsuitable_document, no_questions, truncated,
        invalid_json or schema_mismatch; single questions for what `checks` names."""
        text, finish_reason = text_of(rounds)
        asked = read_asked(text, finish_reason)
        if asked.problem:
            return Parsed(rejects=[Reject(row["chunk_id"], asked.problem, evidence=asked.evidence, text=text)])
        constant = {
            "level": 1,
            "subject": "",
            "doc_ids": [row["doc_id"]],
            "walk_id": None,
            "prompt_id": self.pack.prompt(PROMPT).prompt_id,
            "request_id": rounds[-1].request_id,
            "sources": row["sources"],
        }
        sorting = Sorting(row["chunk_id"], folder, self.checks, constant, self.pack.tags)
        document = Document(texts[row["chunk_id"]])
        for index, item in enumerate(asked.questions):
            self._sort(sorting, index, item, document)
        if asked.reply.cut_off:
            sorting.turn_away(len(asked.questions), asked.reply.cut_by, asked.reply.cut_off)
        return sorting.parsed(NO_QUESTIONS, text)

    def _sort(self, sorting: Sorting, index: int, item: Any, document: Document) -> None:
        if index >= self.config.level_1_questions:
            sorting.turn_away(index, MORE_THAN_ASKED, None)
            return
        values = item if isinstance(item, dict) else {}
        question, origin, level = values.get("question"), values.get("origin"), values.get("level")
        if not isinstance(question, str):
            sorting.turn_away(index, SCHEMA_MISMATCH, None, field="question")
            return
        edu_level = self._levels.get(comparable(level)) if isinstance(level, str) else None
        if edu_level is None:
            sorting.turn_away(index, SCHEMA_MISMATCH, question, field="level")
            return
        claimed = _ORIGINS.get(comparable(origin)) if isinstance(origin, str) else None
        if claimed is None:
            sorting.turn_away(index, SCHEMA_MISMATCH, question, field="origin")
            return
        extracted = claimed == EXTRACTED and document.holds(question)
        sorting.take(index, question, EXTRACTED if extracted else CREATED, edu_level, (), values)
