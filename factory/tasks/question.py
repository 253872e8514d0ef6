"""The stage that asks for one task type: passages in, question rows with `task` and `task_data` out.

Design: level 1 for another kind of question. One prompt a passage, a reply of up to so many questions by schema, each
drafted by its type (task.py) and then held against the same checks as any question. A question about a passage that
its reader will see may speak of it, so the pack's list against that is off there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from factory.concepts.extract import closed_object, sampling_from
from factory.concepts.reply import SCHEMA_MISMATCH, text_of
from factory.concepts.wording import comparable
from factory.domains.pack import Pack
from factory.domains.prompt import Prompt
from factory.engine.api import Completion, Message, Sampling
from factory.identity import canonical_json
from factory.questions.checks import QuestionChecks, checks_for
from factory.questions.config import QuestionConfig
from factory.questions.rows import CREATED, MORE_THAN_ASKED, Sorting
from factory.questions.suitable import read_asked
from factory.run.reject import Reject
from factory.run.step import Parsed, Row, Texts
from factory.tables import TASK_QUESTION
from factory.tasks.task import About, Problem, TaskType
from factory.tasks.wording import Wording, read_wording

STEP_VERSION = 1

NO_QUESTIONS = "no_questions"

LEVEL = 1
"""A task is asked about one passage, as level 1 is."""


@dataclass(frozen=True)
class TaskQuestionStep:
    """LlmStep: DOCUMENT rows (with `sources`) -> TASK_QUESTION rows. `config` has what all questions share: sampling
    and the bounds of their length."""

    task: TaskType
    config: QuestionConfig
    pack: Pack
    seed: int

    version = STEP_VERSION
    schema = TASK_QUESTION
    id_column = "question_id"
    max_rounds = 1

    @property
    def name(self) -> str:
        return f"question_{self.task.name}"

    @cached_property
    def sampling(self) -> Sampling:
        found = sampling_from(self.config.sampling, self.seed)
        return replace(found, max_tokens=self.task.config.question_tokens or found.max_tokens)

    @cached_property
    def _prompt(self) -> Prompt:
        return self.pack.prompt(self.name)

    @cached_property
    def _wording(self) -> Wording:
        return read_wording(self.pack, self.task.name, self.task.wording)

    @cached_property
    def checks(self) -> QuestionChecks:
        found = checks_for(self.config, self.pack, self.name)
        return replace(
            found,
            task_words=found.task_words if self.task.asks_in_words else (),
            refers_to_document=() if self.task.shows_passage else found.refers_to_document,
        )

    @cached_property
    def response_schema(self) -> dict[str, Any]:
        level = {"level": {"type": "string", "enum": list(self.pack.levels)}}
        question = closed_object({**self.task.item_schema(), **level})
        questions = {"type": "array", "items": question, "minItems": 0, "maxItems": self.task.config.questions}
        schema = closed_object({"suitable": {"type": "boolean"}, "questions": questions})
        definitions = self.task.definitions()
        return {**schema, "$defs": definitions} if definitions else schema

    @cached_property
    def _levels(self) -> dict[str, str]:
        return {comparable(level): level for level in self.pack.levels}

    def samples_for_round(self, number: int) -> int:
        return self.sampling.samples

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        return False

    def identity(self) -> dict[str, Any]:
        return {
            "prompt": self._prompt.prompt_id,
            "levels": list(self.pack.levels),
            "questions": self.task.config.questions,
            "checks": self.checks.identity(),
            "task": self.task.identity(),
            "response_schema": self.response_schema,
            **({"wording": wording.wording_id} if (wording := self._wording).wording_id else {}),
        }

    def item_id(self, row: Row) -> str:
        chunk_id: str = row["chunk_id"]
        return chunk_id

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        return self._prompt.messages(
            document=texts[row["chunk_id"]],
            levels=", ".join(self.pack.levels),
            questions=str(self.task.config.questions),
            **self.task.asked_with(self._about(row, texts)),
        )

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """TASK_QUESTION rows. The passage itself is turned away as questions/suitable.py says or as no_questions;
        single questions for what their type or the checks name."""
        text, finish_reason = text_of(rounds)
        asked = read_asked(text, finish_reason)
        if asked.problem:
            return Parsed(rejects=[Reject(row["chunk_id"], asked.problem, evidence=asked.evidence, text=text)])
        constant = {
            "level": LEVEL,
            "subject": "",
            "origin": CREATED,
            "concepts": [],
            "doc_ids": [row["doc_id"]],
            "walk_id": None,
            "prompt_id": self._prompt.prompt_id,
            "request_id": rounds[-1].request_id,
            "sources": row["sources"],
            "task": self.task.name,
        }
        sorting = Sorting(row["chunk_id"], folder, self.checks, constant)
        about = self._about(row, texts)
        for index, item in enumerate(asked.questions):
            self._sort(sorting, item, replace(about, index=index))
        if asked.reply.cut_off:
            sorting.turn_away(len(asked.questions), asked.reply.cut_by, asked.reply.cut_off)
        return sorting.parsed(NO_QUESTIONS, text)

    def _sort(self, sorting: Sorting, item: Any, about: About) -> None:
        if about.index >= self.task.config.questions:
            sorting.turn_away(about.index, MORE_THAN_ASKED, None)
            return
        if not isinstance(item, dict):
            sorting.turn_away(about.index, SCHEMA_MISMATCH, None, field="questions")
            return
        level = item.get("level")
        edu_level = self._levels.get(comparable(level)) if isinstance(level, str) else None
        if edu_level is None:
            sorting.turn_away(about.index, SCHEMA_MISMATCH, None, field="level")
            return
        drafted = self.task.draft(item, about)
        if isinstance(drafted, Problem):
            sorting.turn_away(about.index, drafted.reason, drafted.text, **drafted.evidence)
            return
        columns = {"edu_level": edu_level, "task_data": canonical_json(dict(drafted.data)).decode()}
        sorting.take_checked(about.index, drafted.text, drafted.asks, columns)

    def _about(self, row: Row, texts: Texts) -> About:
        return About(texts[row["chunk_id"]], row["chunk_id"], row["span_start"], self.seed, self._wording)
