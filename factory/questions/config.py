"""Keys of `question`: levels, how many a document or a walk, and lengths."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from factory.engine.config import SamplingConfig
from factory.section import Section


class QuestionConfig(Section):
    levels: tuple[Literal[1, 2, 3], ...] = Field(
        default=(1, 2),
        description="3 asks across documents, along walks over the concept graph; []: task types alone (docs/tasks.md)",
    )
    level_1_questions: int = Field(default=5, ge=1, le=20, description="questions a document at most; paper: 5")
    level_2_questions: int = Field(default=5, ge=1, le=20, description="questions a document at most; paper: 5")
    level_3_questions: int = Field(default=3, ge=1, le=20, description="questions a walk at most; paper: 3")
    concepts_per_question: int = Field(default=3, ge=1, le=10, description="paper: 2-3, drawn in code")
    min_characters: int = Field(default=15, ge=1, description="a shorter question is a reject")
    max_characters: int = Field(default=2000, ge=20, description="a longer question is a reject")
    sampling: SamplingConfig = SamplingConfig()

    @model_validator(mode="after")
    def _each_level_once(self) -> QuestionConfig:
        if len(set(self.levels)) < len(self.levels):
            raise ValueError(f"question.levels={list(self.levels)} names a level twice; each is worked once")
        return self
