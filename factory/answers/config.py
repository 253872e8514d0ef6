"""Keys of `answer`: samples, verification, grounding, and what is published."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from factory.answers.grounding_config import GroundingConfig
from factory.answers.verify.config import VerifyConfig
from factory.engine.config import ModelConfig, SamplingConfig
from factory.section import Section


class AnswerConfig(Section):
    model: ModelConfig | None = Field(default=None, description="another model for answers; null: the run's model")
    samples: int = Field(default=1, ge=1, le=64, description="k: completions a question at most")
    samples_per_round: int = Field(default=4, ge=1, le=64, description="n: completions one request asks for")
    sampling: SamplingConfig = SamplingConfig()
    verify: VerifyConfig = VerifyConfig()
    grounding: GroundingConfig = GroundingConfig()
    require: Literal["any", "not_wrong", "checked", "verified"] = Field(
        default="any",
        description="rows that are published; any: all, labelled; not_wrong: not those found wrong; checked: those "
        "with a verdict; verified: those found right",
    )
