"""What the runs of a comparison took together: had each been alone, and as they share it."""

from __future__ import annotations

from dataclasses import dataclass

from factory.compare.facts import Comparison
from factory.cost.amounts import Amounts, total
from factory.cost.config import PricesConfig
from factory.cost.money import Money, total_money


@dataclass(frozen=True)
class Sums:
    """`alone`: what the rows of all runs took, each counted as if it had paid for all of its own. `paid`: what these
    runs paid. `by_others`: what runs that are not compared here paid, for each run that uses it. Money is None where
    runs are priced in different currencies, or nothing has a price."""

    alone: Amounts
    paid: Amounts
    by_others: Amounts
    money_alone: Money | None = None
    money_paid: Money | None = None

    @property
    def shared(self) -> float:
        """Share of the requests that did not have to be paid here."""
        return 1 - self.paid.requests / self.alone.requests if self.alone.requests else 0.0


def has_prices(prices: PricesConfig) -> bool:
    """Whether anything has a price; a sum of what cost nothing says nothing."""
    given = prices.model_dump(exclude={"currency"})
    return any(value is not None and value != {} for value in given.values())


def sums_of(comparison: Comparison) -> Sums:
    """Sums over the runs of a comparison, each once."""
    costs = [row.cost for row in comparison.distinct if row.cost is not None and row.cost.steps]
    here = {row.run for row in comparison.rows}
    outside = [
        part.amounts
        for cost in costs
        for step in cost.steps
        for payer, part in step.reused.items()
        if payer not in here
    ]
    currencies = {cost.currency for cost in costs}
    priced = len(currencies) == 1 and any(has_prices(cost.prices) for cost in costs)
    currency = next(iter(currencies), "")
    return Sums(
        total(cost.all.amounts for cost in costs),
        total(cost.paid.amounts for cost in costs),
        total(outside),
        total_money((cost.all.money for cost in costs), currency) if priced else None,
        total_money((cost.paid.money for cost in costs), currency) if priced else None,
    )
