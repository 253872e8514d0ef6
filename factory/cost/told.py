"""A run's cost from the store, for whoever asks from a terminal: its finished steps, its engines, its estimate.

Cost: one read, of the estimate; nothing of the run's rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from factory.cost.config import PricesConfig
from factory.cost.engines import EngineUse, by_model, engine_uses
from factory.cost.estimate.estimate import Compared, held_against
from factory.cost.estimate.kept import read_estimate
from factory.cost.money import Money
from factory.cost.runs import RunCost, cost_of_run
from factory.cost.words import compared_lines, cost_lines, engine_lines
from factory.run.record import Record
from factory.store.base import Store


@dataclass(frozen=True)
class Told:
    cost: RunCost
    engines: tuple[EngineUse, ...]
    compared: tuple[Compared, ...]
    problems: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For people; nothing of a run that has paid for nothing yet."""
        found = cost_lines(self.cost) if self.cost.all.amounts.requests else []
        return [*found, *engine_lines(self.engines), *compared_lines(self.compared, self.cost.currency), *self.problems]

    def to_json(self) -> dict[str, Any]:
        cost = self.cost
        return {
            "currency": cost.currency,
            "samples": cost.samples,
            "all": _money(cost.all.money),
            "paid": _money(cost.paid.money),
            "lost": _money(cost.lost.money),
            "per_thousand_samples": _money(cost.per_thousand),
            "amounts": asdict(cost.all.amounts),
            "steps": {
                step.step: {
                    "cost": _money(step.all.money),
                    "paid": _money(step.paid.money),
                    "lost": _money(step.lost.money),
                    "reused": {run: _money(part.money) for run, part in step.reused.items()},
                }
                for step in cost.steps
            },
            "levels": {
                level.name: {
                    "cost": _money(level.cost.money),
                    "samples": level.samples,
                    "per_thousand_samples": _money(level.per_thousand),
                }
                for level in cost.levels
            },
            "engines": [
                {**asdict(use), "idle_share": use.idle_share, "hit_share": use.hit_share} for use in self.engines
            ],
            "planned": [asdict(line) | {"error": line.error, "within": line.within} for line in self.compared],
        }


def _money(money: Money) -> dict[str, Any]:
    return {"amount": money.amount, "no_price": list(money.missing)}


def run_costs(store: Store, record: Record, dones: Mapping[str, Record], prices: PricesConfig | None = None) -> Told:
    """Of `dones`, the steps of the run that are finished. `prices` replaces those of the run."""
    run = str(record["run"])
    problems: list[str] = []
    estimate = read_estimate(store, run, problems)
    config = record.get("config")
    cost = cost_of_run(run, config if isinstance(config, Mapping) else {}, dones, prices)
    return Told(
        cost,
        by_model(engine_uses(record.get("engine_use"))),
        held_against(estimate, {name: done["ledger"] for name, done in dones.items()}, cost),
        tuple(problems),
    )
