"""What the run cost: tokens, seconds and money per step and per accepted sample.

Design: two ledgers side by side. "rows" is what the rows in this run cost whoever paid for them; "paid" is
what the execution that finished each step paid (a reused unit costs it nothing). Attempts that never became
a commit cost real money too: their requests are priced at the step's mean, as an upper bound, and are part
of every figure per sample. Prices come from the configuration; with none set there is no cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from factory.evaluate.facts import ReportInput, StepFacts

SECONDS_AN_HOUR = 3600
MILLION = 1_000_000


@dataclass(frozen=True)
class Spent:
    """Sums over steps or units. Tokens; `engine_seconds` is replicas x wall time of the model's steps, `wall`
    seconds of the execution that finished the step; `lost_*` bound what lost attempts cost."""

    requests: float = 0
    prompt_tokens: float = 0
    cached_tokens: float = 0
    generated_tokens: float = 0
    samples_saved: float = 0
    tokens_saved: float = 0
    engine_seconds: float = 0
    paid_requests: float = 0
    paid_prompt_tokens: float = 0
    paid_generated_tokens: float = 0
    wall_seconds: float = 0
    lost_attempts: float = 0
    lost_requests: float = 0
    lost_prompt_tokens: float = 0
    lost_generated_tokens: float = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(**{item.name: getattr(self, item.name) + getattr(other, item.name) for item in fields(Spent)})

    @property
    def tokens(self) -> float:
        """Prompt and generated tokens, lost attempts included."""
        return self.prompt_tokens + self.generated_tokens + self.lost_prompt_tokens + self.lost_generated_tokens

    @property
    def generated_per_second(self) -> float | None:
        """Generated tokens a second of engine time, of what this execution paid; None when it paid nothing."""
        if not self.engine_seconds or not self.paid_generated_tokens:
            return None
        return self.paid_generated_tokens / self.engine_seconds


def spent_by(step: StepFacts) -> Spent:
    ledger, now, lost = step.ledger, step.spent_now, step.lost
    requests = ledger.get("requests", 0)
    lost_requests = lost.get("requests_at_most", lost.get("requests", 0))

    def lost_tokens(name: str) -> float:
        if name in lost:
            return lost[name]
        return lost_requests * ledger.get(name, 0) / requests if requests else 0

    return Spent(
        requests=requests,
        prompt_tokens=ledger.get("prompt_tokens", 0),
        cached_tokens=ledger.get("cached_tokens", 0),
        generated_tokens=ledger.get("generated_tokens", 0),
        samples_saved=ledger.get("samples_saved", 0),
        tokens_saved=ledger.get("tokens_saved", 0),
        engine_seconds=ledger.get("engine_seconds", 0),
        paid_requests=now.get("requests", 0),
        paid_prompt_tokens=now.get("prompt_tokens", 0),
        paid_generated_tokens=now.get("generated_tokens", 0),
        wall_seconds=step.wall_seconds,
        lost_attempts=lost.get("attempts", 0),
        lost_requests=lost_requests,
        lost_prompt_tokens=lost_tokens("prompt_tokens"),
        lost_generated_tokens=lost_tokens("generated_tokens"),
    )


def total(spents: Sequence[Spent]) -> Spent:
    return sum(spents, Spent())


@dataclass(frozen=True)
class Prices:
    currency: str = ""
    engine_hour: float = 0
    million_prompt_tokens: float = 0
    million_generated_tokens: float = 0

    @property
    def any(self) -> bool:
        return bool(self.engine_hour or self.million_prompt_tokens or self.million_generated_tokens)


def section_of(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of a recorded configuration; empty where an older record has none."""
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}


def prices_of(config: Mapping[str, Any]) -> Prices:
    section = section_of(config, "prices")
    return Prices(**{item.name: section[item.name] for item in fields(Prices) if section.get(item.name) is not None})


def cost_of(spent: Spent, prices: Prices) -> float:
    """Money for everything these rows took, lost attempts included.

    Engine time is known for this execution only; for rows made by earlier ones it is taken at this
    execution's rate of generated tokens, so a resumed run does not look cheap.
    """
    engine_seconds = spent.engine_seconds
    if spent.paid_generated_tokens:
        engine_seconds *= max(1.0, spent.generated_tokens / spent.paid_generated_tokens)
    prompt = spent.prompt_tokens + spent.lost_prompt_tokens
    generated = spent.generated_tokens + spent.lost_generated_tokens
    return (
        engine_seconds / SECONDS_AN_HOUR * prices.engine_hour
        + prompt / MILLION * prices.million_prompt_tokens
        + generated / MILLION * prices.million_generated_tokens
    )


def samples_of(data: ReportInput) -> int:
    """Accepted samples: rows of the dataset, or of the samples step where nothing was published."""
    if data.dataset is not None:
        return data.dataset.rows
    return data.distributions.rows
