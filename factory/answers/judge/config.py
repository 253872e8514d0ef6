"""Keys of `judge`: a language model that grades answers."""

from __future__ import annotations

from pydantic import Field

from factory.engine.config import ModelConfig, SamplingConfig
from factory.section import Section


class JudgeConfig(Section):
    """A language model that grades answers (docs/judge.md). Off by default: it asks once more for every answer."""

    rubric: str | None = Field(
        default=None, description="a rubric of the domain pack (`answer`), or a YAML file; null: no judge"
    )
    model: ModelConfig | None = Field(default=None, description="another model for judging; null: the run's model")
    sampling: SamplingConfig = SamplingConfig(temperature=0, top_p=1, max_tokens=768)
