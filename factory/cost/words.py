"""Cost in words and lines, for terminals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from factory.cost.engines import EngineUse
from factory.cost.estimate.estimate import LEVEL, TOTAL, Compared, Estimate, Range
from factory.cost.money import NO_PRICE, Money
from factory.cost.runs import RunCost


def money_text(amount: float, currency: str) -> str:
    """Two decimals from one unit on, three significant digits below it."""
    digits = 2 if amount >= 1 else min(8, 2 - math.floor(math.log10(amount))) if amount > 0 else 2
    return f"{amount:,.{digits}f} {currency}".strip()


def said_money(money: Money) -> str:
    """What it costs, with what has no price named: "1.33 EUR, without CPU core hours (no price given)"."""
    lacking = ", ".join(money.missing)
    if money.amount is None:
        return f"{NO_PRICE}: {lacking}" if lacking else "nothing"
    known = money_text(money.amount, money.currency)
    return f"{known}, without {lacking} ({NO_PRICE})" if lacking else known


def cost_lines(cost: RunCost) -> list[str]:
    """A run's cost in a few lines; none where nothing has a price."""
    if cost.all.money.amount is None:
        return [f"cost: {NO_PRICE} (prices.*, docs/cost.md)"]
    lines = [f"cost of what the rows took: {said_money(cost.all.money)}; this run paid: {said_money(cost.paid.money)}"]
    if cost.lost.money.amount:
        lines.append(f"  of it lost attempts: at most {said_money(cost.lost.money)}")
    if cost.samples:
        lines.append(f"  a thousand accepted samples: {said_money(cost.per_thousand)}")
        lines += [
            f"  level {level.name}: {said_money(level.per_thousand)} a thousand, {level.samples:,} samples"
            for level in cost.levels
            if level.samples and level.name != "all"
        ]
    for step in cost.steps:
        for run, reused in step.reused.items():
            lines.append(f"  {step.step}: reused, paid by run {run}: {said_money(reused.money)}")
    return lines


def engine_lines(uses: Sequence[EngineUse]) -> list[str]:
    """A line a model and kind of hardware."""
    return [
        f"engines of {use.model}{f' ({use.hardware})' if use.hardware else ''}: {_per_second(use.prompt_per_second)} "
        f"prompt and {_per_second(use.generated_per_second)} generated tokens/s, {_share(use.hit_share)} of prompt "
        f"tokens from the prefix cache, idle {_share(use.idle_share)} of {use.alive_seconds:,.0f} engine seconds"
        for use in uses
    ]


def estimate_lines(estimate: Estimate) -> list[str]:
    """What is left to ask for, with its intervals, and what that rests on."""
    lines = [
        f"estimate of what is left to pay ({LEVEL:.0%} intervals; none where a guess is in it):",
        f"  {'step':<17}{'requests':>26}{'prompt tokens':>30}{'generated tokens':>30}  rests on",
    ]
    for step in estimate.steps:
        figures = [_range(item) for item in (step.requests, step.prompt_tokens, step.generated_tokens)]
        basis = step.basis + (f"; {step.already:,.0f} requests paid already" if step.already else "")
        lines.append(f"  {step.step:<17}{figures[0]:>26}{figures[1]:>30}{figures[2]:>30}  {basis}")
    figures = [_range(item) for item in (estimate.requests, estimate.prompt_tokens, estimate.generated_tokens)]
    lines.append(f"  {TOTAL:<17}{figures[0]:>26}{figures[1]:>30}{figures[2]:>30}")
    hours = "not known: nothing like it was measured" if estimate.hours is None else _hours(estimate.hours)
    lines.append(f"  time: {hours}")
    lines.append(f"  money: {_estimated_money(estimate)}")
    lines += [f"  assumed: {assumption}" for assumption in estimate.assumptions]
    return lines


def compared_lines(compared: Sequence[Compared], currency: str) -> list[str]:
    """Planned and come to; requests and generated tokens, step by step, and the money of the whole."""
    return [
        f"planned {line.step}: {_planned(line, currency)}{_error(line)}"
        for line in compared
        if line.what != "prompt_tokens"
    ]


def _planned(line: Compared, currency: str) -> str:
    if line.what == "money":
        return f"{_money_range(line.planned, currency)}, came to {money_text(line.came_to, currency)}"
    return f"{_range(line.planned)} {NAMES[line.what]}, came to {line.came_to:,.0f}"


NAMES: Mapping[str, str] = {
    "requests": "requests",
    "prompt_tokens": "prompt tokens",
    "generated_tokens": "generated tokens",
}


def _error(line: Compared) -> str:
    if line.error is None:
        return ""
    inside = {True: ", within the interval", False: ", outside the interval", None: ""}[line.within]
    return f" ({line.error:+.1%}{inside})"


def _estimated_money(estimate: Estimate) -> str:
    missing = f", without {', '.join(estimate.missing)} ({NO_PRICE})" if estimate.missing else ""
    if estimate.unmeasured:
        lacking = ", ".join(estimate.unmeasured)
        if estimate.money is None:
            return f"not known: nothing measured says how many {lacking} (factory plan --measure N)"
        missing += f", without {lacking} (not measured; factory plan --measure N)"
    if estimate.money is None:
        return f"{NO_PRICE}: {', '.join(estimate.missing)}" if estimate.missing else f"{NO_PRICE} (docs/cost.md)"
    return _money_range(estimate.money, estimate.currency) + missing


def _money_range(money: Range, currency: str) -> str:
    said = money_text(money.middle, currency)
    if money.low is None or money.high is None:
        return f"~{said}"
    return f"{said} ({money_text(money.low, '')} to {money_text(money.high, '')})"


def _hours(hours: Range) -> str:
    low, high = hours.low, hours.high
    interval = f" ({_duration(low)} to {_duration(high)})" if low is not None and high is not None else ""
    return _duration(hours.middle) + interval


def _duration(hours: float) -> str:
    if hours < 1 / 30:
        return f"{hours * 3600:,.0f} s"
    return f"{hours * 60:,.1f} min" if hours < 2 else f"{hours:,.1f} h"


def _range(item: Range) -> str:
    item = item.counted
    if item.low is None or item.high is None:
        return f"~{item.middle:,.0f}"
    if item.low == item.high:
        return f"{item.middle:,.0f}"
    return f"{item.middle:,.0f} ({item.low:,.0f}-{item.high:,.0f})"


def _per_second(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:,.0f}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
