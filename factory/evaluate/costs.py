"""What the report says of tokens, seconds and money, per step and per accepted sample.

Design: two ledgers side by side. "rows" is what the rows in this run cost whoever paid for them; "paid" is
what the execution that finished each step paid (a reused unit costs it nothing). Attempts that never became
a commit cost real money too: their requests are priced at the step's mean, as an upper bound, and are part
of every figure per sample. Money is factory/cost's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from factory.cost.amounts import of_ledger
from factory.cost.runs import RunCost, cost_of_run
from factory.evaluate.facts import ReportInput, StepFacts


@dataclass(frozen=True)
class Spent:
    """Sums over steps or units. Tokens; `engine_seconds` is the time that replicas were held for the rows, and
    `busy_seconds` that with requests open (records from before that was measured: replicas x wall time of the model's
    steps, for both); `wall` seconds of the executions of this run; `lost_*` bound what lost attempts cost."""

    requests: float = 0
    prompt_tokens: float = 0
    cached_tokens: float = 0
    generated_tokens: float = 0
    samples_saved: float = 0
    tokens_saved: float = 0
    engine_seconds: float = 0
    busy_seconds: float = 0
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
        """Generated tokens a second in which engines had requests; None where nothing was generated."""
        if not self.busy_seconds or not self.generated_tokens:
            return None
        return self.generated_tokens / self.busy_seconds


def spent_by(step: StepFacts) -> Spent:
    ledger, now, lost = step.ledger, step.spent_now, step.lost
    took = of_ledger(ledger)
    lost_requests = lost.get("requests_at_most", lost.get("requests", 0))

    def lost_tokens(name: str) -> float:
        if name in lost:
            return float(lost[name])
        return lost_requests * ledger.get(name, 0) / took.requests if took.requests else 0

    return Spent(
        requests=took.requests,
        prompt_tokens=took.prompt_tokens,
        cached_tokens=took.cached_tokens,
        generated_tokens=took.generated_tokens,
        samples_saved=ledger.get("samples_saved", 0),
        tokens_saved=ledger.get("tokens_saved", 0),
        engine_seconds=took.engine_seconds,
        busy_seconds=took.busy_seconds,
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


def cost_of(data: ReportInput) -> RunCost:
    """What the run cost, by step, level and subject. Where its samples can be counted, levels and subjects have the
    samples of the report."""
    categories = data.distributions.categories
    accepted = {
        kind: {str(name): rows for name, rows in categories[kind].values}
        for kind in ("level", "subject")
        if kind in categories and categories[kind].rows
    }
    dones = {step.name: step.record() for step in data.steps if step.finished}
    found = cost_of_run(data.run, data.config, dones, accepted=accepted)
    return replace(found, samples=samples_of(data))


def samples_of(data: ReportInput) -> int:
    """Accepted samples: rows of the dataset, or of the samples step where nothing was published."""
    if data.dataset is not None:
        return data.dataset.rows
    return data.distributions.rows
