"""Keys of `extract`: topics and key concepts of a document."""

from __future__ import annotations

from pydantic import Field, model_validator

from factory.engine.config import SamplingConfig
from factory.section import Section


class ExtractConfig(Section):
    max_topics: int = Field(default=5, ge=1, le=10, description="paper: 1-5 topics")
    min_concepts: int = Field(default=5, ge=1, le=50, description="key concepts a topic; paper: 5-20")
    max_concepts: int = Field(default=20, ge=1, le=50)
    sampling: SamplingConfig = SamplingConfig()

    @model_validator(mode="after")
    def _ordered(self) -> ExtractConfig:
        if self.min_concepts > self.max_concepts:
            raise ValueError("extract.min_concepts is above extract.max_concepts")
        return self
