"""The section `prices`: what an hour, a core and a million tokens cost.

Design: prices never change a row, so they are no part of a run's identity and may be given later
(`factory report --prices`). A price that is not given is unknown, not zero: figures then say what they leave out.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from factory.section import Section

Price = Annotated[float, Field(ge=0)]


class TokenPrices(Section):
    """Of one model, for a million tokens."""

    prompt: Price = Field(description="prompt tokens that no prefix cache served")
    cached: Price | None = Field(default=None, description="prompt tokens from the prefix cache; null: as prompt")
    generated: Price = Field(description="generated tokens")


class PricesConfig(Section):
    """For every figure of money; never part of a run's identity. What has no price is named, never taken for free."""

    currency: str = Field(
        default="USD", pattern=r"^[^\s\x00-\x1f\x7f]{1,12}$", description="of every price here: a code or a sign"
    )
    gpu_hour: dict[str, Price] = Field(
        default_factory=dict, description="one GPU for an hour, by kind as Ray names it: {H100: 2.5, A100: 1.4}"
    )
    cpu_core_hour: Price | None = Field(default=None, description="one core for an hour; 0 where it comes with the GPU")
    engine_hour: Price | None = Field(
        default=None, description="one engine replica for an hour, whatever it runs on; instead of gpu_hour"
    )
    million_prompt_tokens: Price | None = Field(default=None, description="of models that `models` does not name")
    million_cached_tokens: Price | None = Field(default=None, description="likewise; null: as prompt tokens")
    million_generated_tokens: Price | None = Field(default=None, description="likewise")
    models: dict[str, TokenPrices] = Field(
        default_factory=dict,
        description="what a server asks, by model: {gpt-x: {prompt: 0.1, cached: 0.02, generated: 0.4}}",
    )

    @model_validator(mode="after")
    def _one_price_for_a_replica(self) -> PricesConfig:
        if self.engine_hour is not None and self.gpu_hour:
            raise ValueError("prices.engine_hour and prices.gpu_hour price the same hours: give one of them")
        return self

    @model_validator(mode="after")
    def _all_tokens_or_none(self) -> PricesConfig:
        given = [self.million_prompt_tokens is not None, self.million_generated_tokens is not None]
        if any(given) and not all(given):
            raise ValueError(
                "prices.million_prompt_tokens and prices.million_generated_tokens go together; 0 for what is free"
            )
        if self.million_cached_tokens is not None and not all(given):
            raise ValueError("prices.million_cached_tokens needs the prices of prompt and generated tokens as well")
        return self
