"""What the three levels are as LLM steps, beside their prompts: one request a row, QUESTION rows, the same checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import pyarrow as pa

from factory.concepts.extract import sampling_from
from factory.domains.pack import Pack
from factory.engine.api import Completion, Sampling
from factory.questions.checks import QuestionChecks, checks_for
from factory.questions.config import QuestionConfig
from factory.run.step import Row
from factory.tables import QUESTION, with_tags
from factory.vocabulary.given import Vocabulary


@dataclass(frozen=True)
class AskingStep:
    """The part of `LlmStep` that is the same for every level."""

    config: QuestionConfig
    pack: Pack
    seed: int
    vocabulary: Vocabulary | None = None

    prompt_name: ClassVar[str]
    id_column = "question_id"
    max_rounds = 1

    @property
    def schema(self) -> pa.Schema:
        return with_tags(QUESTION, self.pack.tags)

    def words(self, passages: Sequence[str]) -> str:
        """What the prompt is given for {{vocabulary}}."""
        return self.vocabulary.words(passages) if self.vocabulary else ""

    def vocabulary_identity(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary.identity()} if self.vocabulary else {}

    @cached_property
    def sampling(self) -> Sampling:
        return sampling_from(self.config.sampling, self.seed)

    @cached_property
    def checks(self) -> QuestionChecks:
        return checks_for(self.config, self.pack, self.prompt_name)

    def samples_for_round(self, number: int) -> int:
        return self.sampling.samples

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        return False
