"""Money as the report shows it: by step, level and subject, and what has no price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from factory.cost.money import NO_PRICE, Money
from factory.cost.runs import Cost, GroupCost, RunCost
from factory.evaluate import text


def said(money: Money) -> str:
    """The amount, in one cell; "–" of nothing, and NO_PRICE where nothing that was used has one."""
    if money.amount is None:
        return NO_PRICE if money.missing else text.NONE
    return text.money(money.amount, money.currency)


@dataclass(frozen=True)
class MoneyRow:
    """A line of the table of steps; `reused` are (run, money)."""

    name: str
    all: Money
    lost: Money
    paid: Money
    per_thousand: Money
    reused: tuple[tuple[str, Money], ...]


def steps(cost: RunCost) -> list[MoneyRow]:
    """Steps that asked a model, and one line for all others."""
    asking = [step for step in cost.steps if step.all.amounts.requests]
    others = [step for step in cost.steps if not step.all.amounts.requests]
    rows = [_row(cost, step.step, step.all, step.lost, step.paid, dict(step.reused)) for step in asking]
    if others:
        reused: dict[str, Cost] = {}
        for step in others:
            for run, part in step.reused.items():
                reused[run] = reused[run] + part if run in reused else part
        whole, lost = cost.sum_of(step.all for step in others), cost.sum_of(step.lost for step in others)
        paid = cost.sum_of(step.paid for step in others)
        rows.append(_row(cost, f"{len(others)} steps without a model", whole, lost, paid, reused))
    return rows


def _row(cost: RunCost, name: str, whole: Cost, lost: Cost, paid: Cost, reused: dict[str, Cost]) -> MoneyRow:
    per_thousand = whole.money.over(cost.samples / 1000)
    by_run = tuple((run, part.money) for run, part in reused.items())
    return MoneyRow(name, whole.money, lost.money, paid.money, per_thousand, by_run)


SUBJECTS_SHOWN = 12


def most(groups: Sequence[GroupCost]) -> tuple[GroupCost, ...]:
    """Of subjects those with the most samples."""
    return tuple(sorted(groups, key=lambda group: (-group.samples, group.name))[:SUBJECTS_SHOWN])
