"""An estimate of a run as plain data: what is left to ask for, step by step, with prediction intervals.

Design: kept beside the run's record (kept.py), outside the run's identity, so that the run can be held against it. Of
every figure the middle and the ends of a 90 % interval; the ends are None where the middle rests on a guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.cost.runs import RunCost

LEVEL = 0.9
"""Of the intervals: of ten runs planned so, nine should come to figures within them."""


@dataclass(frozen=True)
class Range:
    """A figure and its interval."""

    middle: float
    low: float | None = None
    high: float | None = None

    @property
    def counted(self) -> Range:
        """In whole numbers, the interval no narrower than it was: what is counted comes to a whole number."""
        low, high = self.low, self.high
        return Range(
            float(round(self.middle)),
            None if low is None else float(math.floor(low)),
            None if high is None else float(math.ceil(high)),
        )


@dataclass(frozen=True)
class StepEstimate:
    """What a step has still to take when the estimate was made; `already`: requests of the same rows that were paid
    before, in this run or in a smaller one over the same corpus (an overlap that is not known yet counts as none).
    `basis` says what it rests on. `money` is in the estimate's currency; None where nothing has a price."""

    step: str
    basis: str
    measured: bool
    already: float
    requests: Range
    prompt_tokens: Range
    generated_tokens: Range
    engine_seconds: Range | None = None
    money: Range | None = None


@dataclass(frozen=True)
class Estimate:
    """`hours`: wall time, with as many engines and cores as configured. `missing` names what has no price, `unmeasured`
    what has one and was not measured: neither is in `money`."""

    run: str
    made: str
    steps: tuple[StepEstimate, ...]
    requests: Range
    prompt_tokens: Range
    generated_tokens: Range
    hours: Range | None
    money: Range | None
    currency: str
    missing: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()

    def step(self, name: str) -> StepEstimate | None:
        return next((step for step in self.steps if step.step == name), None)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Compared:
    """One step, planned and come to. `error` is (came to - planned) / planned; `within`: the interval held it."""

    step: str
    what: str
    planned: Range
    came_to: float

    @property
    def error(self) -> float | None:
        return self.came_to / self.planned.middle - 1 if self.planned.middle else None

    @property
    def within(self) -> bool | None:
        low, high = self.planned.low, self.planned.high
        if low is None or high is None:
            return None
        rounding = AS_SAID if self.what == "money" else 0.0
        return low * (1 - rounding) <= self.came_to <= high * (1 + rounding)


AS_SAID = 0.005
"""Share by which money said in three digits may be off: what reads as an end of the interval is within it."""


def compared(estimate: Estimate, ledgers: Mapping[str, Mapping[str, float]]) -> tuple[Compared, ...]:
    """Planned and come to, for the steps that are finished and had something to do; `ledgers`: what each step's rows
    took in all, by step. Requests paid before the estimate was made are taken off, and tokens with them at the step's
    mean. A last line sums them up, where all planned steps are finished."""
    lines: list[Compared] = []
    for step in estimate.steps:
        ledger = ledgers.get(step.step)
        if ledger is None or not step.requests.middle:
            continue
        requests = ledger.get("requests", 0)
        new = max(0.0, requests - step.already)
        share = new / requests if requests else 0.0
        lines += [
            Compared(step.step, what, getattr(step, what).counted, round(ledger.get(what, 0) * share))
            for what in COUNTED
        ]
    planned = {step.step for step in estimate.steps if step.requests.middle}
    if planned and planned <= {line.step for line in lines}:
        for what in COUNTED:
            came_to = sum(line.came_to for line in lines if line.what == what)
            lines.append(Compared(TOTAL, what, getattr(estimate, what).counted, came_to))
    return tuple(lines)


COUNTED = ("requests", "prompt_tokens", "generated_tokens")


def held_against(
    estimate: Estimate | None, ledgers: Mapping[str, Mapping[str, float]], cost: RunCost
) -> tuple[Compared, ...]:
    """As `compared`, with the money of the whole where all planned steps are finished and both are in one currency:
    what the run paid, lost attempts not counted; of a step that it had begun before the plan, as much as of its
    requests came after it. Not where the plan's money leaves out what was not measured."""
    if estimate is None:
        return ()
    lines = compared(estimate, ledgers)
    whole = any(line.step == TOTAL for line in lines)
    if not whole or estimate.money is None or estimate.unmeasured or estimate.currency != cost.currency:
        return lines
    came_to = 0.0
    for step in cost.steps:
        asked, planned = step.rows.amounts.requests, estimate.step(step.step)
        own = asked - sum(part.amounts.requests for part in step.reused.values())
        new = 1.0 if not own else 0.0
        if own and planned is not None:
            new = min(1.0, max(0.0, asked - planned.already) / own)
        reused = sum(part.money.amount or 0.0 for part in step.reused.values())
        came_to += ((step.rows.money.amount or 0.0) - reused) * new
    return (*lines, Compared(TOTAL, "money", estimate.money, came_to))


TOTAL = "total"
