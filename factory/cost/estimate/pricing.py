"""Time and money of an estimate: what is asked for, on what it ran on when it was measured, at the prices of now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from factory.config import FactoryConfig
from factory.cost.amounts import Amounts, total
from factory.cost.config import PricesConfig
from factory.cost.estimate.draws import NOTHING, Quantity, waiting
from factory.cost.estimate.observed import BUSY_SECONDS, CACHED, GENERATED, INPUTS, PROMPT
from factory.cost.estimate.part import Part
from factory.cost.estimate.siblings import Sibling
from factory.cost.money import CORE_HOURS, SECONDS_AN_HOUR, price, token_prices

UNIT = 1_000_000.0
"""Tokens or seconds at which a price is asked for: prices are linear."""


@dataclass(frozen=True)
class Priced:
    """`hours` is None where nothing measured says how long it takes, `money` where nothing that is used has a price or
    was measured."""

    hours: Quantity | None
    money: Quantity | None
    by_step: Mapping[str, Quantity]
    missing: tuple[str, ...]
    unmeasured: tuple[str, ...]
    assumptions: tuple[str, ...] = field(default=())


def priced(
    config: FactoryConfig,
    parts: Mapping[str, Part],
    sibling: Sibling | None,
    growth: float | None,
    cores: int,
    done: Collection[str],
    rng: np.random.Generator,
) -> Priced:
    """`growth`: how many times the passages of `sibling` are to be worked; steps without a model grow with them, those
    in `done` are paid. Engines are priced as the ledger charges them: busy, and waiting for what came before a request
    of theirs, not for what follows the last."""
    prices, replicas = config.prices, config.engine.replicas
    asking = {name: part for name, part in parts.items() if part.taken[PROMPT].middle}
    missing: set[str] = set()
    by_step: dict[str, Quantity] = {}
    waited = _waited(asking, sibling, rng)
    for name, part in asking.items():
        if (money := _money(part, waited.get(name, NOTHING), prices, missing)) is not None:
            by_step[name] = money
    assumptions: list[str] = []
    without_model, start = NOTHING, NOTHING
    if sibling is not None and growth is not None:
        seconds = sum(each for name, each in sibling.core_seconds.items() if name not in done)
        without_model = waiting(seconds, growth, rng)
        started = sibling.start_seconds
        assumptions.append(
            f"steps without a model take {without_model.middle:,.0f} core seconds: between the {seconds:,.0f} of run "
            f"{sibling.run} and {growth:,.1f} times as many, as passages grow; one run says little of it"
        )
        if started is not None:
            start = waiting(started, 1.0, rng)
            assumptions.append(f"engines start in {started:,.0f} s, as in run {sibling.run}")
        core_money = price(Amounts(core_seconds=seconds), prices)
        missing |= set(core_money.missing)
        if core_money.amount:
            by_step[""] = without_model.times(core_money.amount / seconds)
    else:
        assumptions.append("the time of steps without a model and of starting engines is not known, and left out")
    measured = all(part.observed is not None for part in asking.values())
    hours = None
    if asking and measured:
        busy = sum((part.taken[BUSY_SECONDS] for part in asking.values()), NOTHING)
        idle = sum(waited.values(), NOTHING)
        besides = start + without_model.times(1 / max(1, cores)) if sibling is not None else idle.times(1 / replicas)
        hours = (busy.times(1 / replicas) + besides).times(1 / SECONDS_AN_HOUR)
        assumptions.append(
            f"engines as busy as when they were measured; {replicas} of them and {cores} cores, one step after another"
        )
        assumptions.append(
            f"engines wait {idle.middle:,.0f} s in all, starting included: as long as when they were measured or, as "
            "far as that grows with rows, longer"
        )
    unmeasured = _unmeasured(prices, measured, bool(asking) and sibling is None)
    whole = sum(by_step.values(), NOTHING) if by_step else None
    return Priced(hours, whole, by_step, tuple(sorted(missing)), unmeasured, tuple(assumptions))


def _waited(asking: Mapping[str, Part], sibling: Sibling | None, rng: np.random.Generator) -> dict[str, Quantity]:
    """Engine seconds without a request, by the step whose requests end them. An engine starts once, so of the first
    step's the start does not grow. Measured on an engine that another run had started (a point of a sweep), it may be
    as long as that run's."""
    start = sibling.start_seconds or 0.0 if sibling is not None else 0.0
    found: dict[str, Quantity] = {}
    for name, part in asking.items():
        if part.observed is not None:
            fixed = min(start, part.observed.waited) if not found else 0.0
            growth = part.taken[INPUTS].middle / max(1.0, part.observed.rows_a_run)
            most = sibling.waited - fixed if sibling is not None and not found else 0.0
            found[name] = waiting(fixed, 1.0, rng) + waiting(part.observed.waited - fixed, growth, rng, most)
    return found


def _unmeasured(prices: PricesConfig, engines: bool, no_cores: bool) -> tuple[str, ...]:
    """What has a price and was not measured; `engines`: whether those were."""
    found = []
    if not engines and _prices_time(prices):
        found.append("engine hours" if prices.engine_hour else "GPU hours")
    if prices.cpu_core_hour and (no_cores or not engines):
        found.append(CORE_HOURS)
    return tuple(found)


def _prices_time(prices: PricesConfig) -> bool:
    return bool(prices.engine_hour or any(prices.gpu_hour.values()))


def _money(part: Part, waited: Quantity, prices: PricesConfig, missing: set[str]) -> Quantity | None:
    """A step's money, as a sum over what it takes; None where nothing of it has a price, or only time that was not
    measured."""
    if part.observed is None and token_prices(prices, part.models) is None and _prices_time(prices):
        return None
    held = part.observed.held if part.observed is not None else Amounts()
    more = {
        PROMPT: Amounts(prompt_tokens=UNIT),
        CACHED: Amounts(cached_tokens=UNIT),
        GENERATED: Amounts(generated_tokens=UNIT),
        BUSY_SECONDS: _busy(held, UNIT),
    }
    base = Amounts(requests=1) + total(each for column, each in more.items() if part.taken[column].middle)
    plain = price(base, prices, part.models)
    missing |= set(plain.missing)
    if plain.amount is None:
        return None
    amount = NOTHING
    for column, each in more.items():
        # Prices are linear, so what one unit more costs is what every unit costs.
        coefficient = ((price(base + each, prices, part.models).amount or 0.0) - plain.amount) / UNIT
        amount += part.taken[column].times(coefficient)
    idle = price(_held(held, UNIT), prices, part.models).amount or 0.0
    return amount + waited.times(idle / UNIT)


def _busy(held: Amounts, seconds: float) -> Amounts:
    """Busy engine seconds on the hardware that `held` was measured on."""
    cores = held.engine_core_seconds / held.busy_seconds if held.busy_seconds else 0.0
    return Amounts(busy_seconds=seconds, engine_core_seconds=cores * seconds, gpu_seconds=_gpus(held, seconds))


def _held(held: Amounts, seconds: float) -> Amounts:
    return Amounts(idle_seconds=seconds, gpu_seconds=_gpus(held, seconds))


def _gpus(held: Amounts, seconds: float) -> dict[str, float]:
    if not held.engine_seconds:
        return {}
    return {kind: each / held.engine_seconds * seconds for kind, each in held.gpu_seconds.items()}
