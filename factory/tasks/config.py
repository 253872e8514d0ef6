"""Keys of `tasks`: which task types a run asks for, how many a passage, and what their checks demand.

Design: a type is off until its `questions` are above 0, so a run without tasks keeps its steps and its id.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from factory.answers.verify.config import CodeConfig
from factory.section import Section, Share

LanguageName = Literal["python", "javascript", "bash", "sh", "c", "cpp"]
"""Keys of LANGUAGES in answers/programs/languages.py."""

OFF = 0

GROUNDED = 0.2
"""Above what 95 % of summaries of another chapter have (0.17); summaries by people have 0.48 on average, of their own
words (docs/answers.md)."""


class TaskConfig(Section):
    """What every task type is asked for by."""

    questions: int = Field(default=OFF, ge=0, le=20, description="of this type, a passage at most; 0: off")
    samples: int | None = Field(default=None, ge=1, le=64, description="answers a question; null: answer.samples")
    question_tokens: int | None = Field(
        default=None, ge=16, description="of the reply that asks, at most; null: question.sampling.max_tokens"
    )
    answer_tokens: int | None = Field(
        default=None, ge=16, description="of an answer, at most; null: answer.sampling.max_tokens"
    )


class MultipleChoiceConfig(TaskConfig):
    options: int = Field(default=4, ge=2, le=10, description="options a question, the right one among them")
    max_length_ratio: float = Field(
        default=2.0,
        gt=1,
        le=20,
        description="characters of the right option to those of the longest wrong one, and of the shortest to it: "
        "beyond it a reader picks by length",
    )


class ExtractiveConfig(TaskConfig):
    max_span_words: int = Field(default=30, ge=1, le=400, description="words of the passage that an answer may be")
    min_overlap: Share = Field(
        default=0.8, description="F1 over words of the span and of what the answer stage read, from which they agree"
    )


class SummaryConfig(TaskConfig):
    min_words: int = Field(default=20, ge=5, le=1000, description="a summary may be asked for with so few")
    max_words: int = Field(default=120, ge=10, le=2000, description="and with so many; drawn, half the passage at most")
    max_copied_words: int = Field(default=20, ge=4, description="words in a row from the passage in a summary")
    min_grounded: Share = Field(
        default=GROUNDED, description="of a summary's content words, with evidence in the passage"
    )

    @model_validator(mode="after")
    def _bounds_in_order(self) -> SummaryConfig:
        if self.max_words < self.min_words + 10:
            raise ValueError("tasks.summary.max_words has to be 10 above min_words: lengths are drawn between them")
        return self


ConstraintKind = Literal[
    "max_words", "min_words", "sentences", "bullets", "paragraphs", "json", "contains", "excludes", "no_commas",
    "lower_case", "starts_with", "ends_with",
]  # fmt: skip


class InstructionConfig(TaskConfig):
    constraints: int = Field(default=3, ge=1, le=5, description="constraints an instruction at most; drawn")
    kinds: tuple[ConstraintKind, ...] = Field(
        default=(
            *("max_words", "min_words", "sentences", "bullets", "paragraphs", "json", "contains", "excludes"),
            *("no_commas", "lower_case", "starts_with", "ends_with"),
        ),
        min_length=1,
        description="that may be drawn; lower_case is for scripts that have cases",
    )


class DialogueConfig(TaskConfig):
    turns: int = Field(default=3, ge=2, le=10, description="of the user; the last one's reply is the answer")
    min_grounded: Share = Field(
        default=GROUNDED, description="of a reply's content words, with evidence in the passage"
    )


class RecordsConfig(TaskConfig):
    schema_file: str | None = Field(default=None, description="JSON schema of one record; yours to write")

    @model_validator(mode="after")
    def _has_a_schema(self) -> RecordsConfig:
        if self.questions > OFF and self.schema_file is None:
            raise ValueError("tasks.records.questions needs tasks.records.schema_file, the JSON schema of one record")
        return self


class ProgramConfig(TaskConfig):
    languages: tuple[LanguageName, ...] = Field(default=("python",), min_length=1, description="tasks are set in these")
    tests: int = Field(default=6, ge=1, le=20, description="tests that are written with a task")
    shown: int = Field(default=1, ge=0, le=5, description="of these, in the task as examples of use; they bind")
    min_tests: int = Field(default=2, ge=1, le=20, description="hidden tests a task needs, and kept ones a `yes`")
    max_failing: float = Field(
        default=0.34, ge=0, le=1, description="share of tests that every program failed, beyond which nothing is said"
    )
    sandbox: CodeConfig = CodeConfig()

    @model_validator(mode="after")
    def _enough_tests(self) -> ProgramConfig:
        if self.tests < self.shown + self.min_tests:
            raise ValueError(
                f"tests={self.tests} is less than shown={self.shown} and min_tests={self.min_tests}: no task would do"
            )
        return self


class TasksConfig(Section):
    multiple_choice: MultipleChoiceConfig = MultipleChoiceConfig()
    extractive: ExtractiveConfig = ExtractiveConfig()
    summary: SummaryConfig = SummaryConfig()
    instruction: InstructionConfig = InstructionConfig()
    dialogue: DialogueConfig = DialogueConfig()
    records: RecordsConfig = RecordsConfig()
    program: ProgramConfig = ProgramConfig()

    def on(self) -> dict[str, TaskConfig]:
        """Name -> settings of the task types that are asked for, in the order of the stages."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: config for name, config in found.items() if config.questions > OFF}
