"""Time and money of an estimate: what is asked for, on what it ran on when it was measured, at the prices of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from factory.config import FactoryConfig
from factory.cost.amounts import Amounts, total
from factory.cost.config import PricesConfig
from factory.cost.estimate.draws import NOTHING, Quantity, known
from factory.cost.estimate.observed import BUSY_SECONDS, CACHED, GENERATED, PROMPT
from factory.cost.money import SECONDS_AN_HOUR, price

if TYPE_CHECKING:
    from factory.cost.estimate.making import Part
    from factory.cost.estimate.siblings import Sibling

UNIT = 1_000_000.0
"""Tokens or seconds at which a price is asked for: prices are linear."""


@dataclass(frozen=True)
class Priced:
    """None where nothing measured says how long it takes, or nothing that is used has a price."""

    hours: Quantity | None
    money: Quantity | None
    by_step: Mapping[str, Quantity]
    missing: tuple[str, ...]
    assumptions: tuple[str, ...] = field(default=())


def priced(
    config: FactoryConfig, parts: Mapping[str, Part], sibling: Sibling | None, growth: float | None, cores: int
) -> Priced:
    """`growth`: how many times the passages of `sibling` are to be worked; steps without a model grow with them."""
    missing: set[str] = set()
    by_step: dict[str, Quantity] = {}
    for name, part in parts.items():
        if part.taken[PROMPT].middle and (money := _money(part, config.prices, missing)) is not None:
            by_step[name] = money
    replicas = config.engine.replicas
    assumptions: list[str] = []
    core_seconds = start = 0.0
    if sibling is not None and growth is not None:
        core_seconds = sibling.core_seconds * growth
        assumptions.append(f"steps without a model take time as passages grow, {core_seconds:,.0f} core seconds in all")
        if sibling.start_seconds is not None:
            start = sibling.start_seconds
            assumptions.append(f"engines start in {start:,.0f} s, as in run {sibling.run}")
    else:
        assumptions.append("the time of steps without a model and of starting engines is not known, and left out")
    measured = [part for part in parts.values() if part.observed is not None]
    busy = sum((part.taken[BUSY_SECONDS] for part in measured), NOTHING)
    hours = None
    if measured and all(part.observed is not None for part in parts.values() if part.taken[PROMPT].middle):
        waiting = start + core_seconds / max(1, cores)
        hours = (busy.times(1 / replicas) + known(waiting)).times(1 / SECONDS_AN_HOUR)
        assumptions.append(
            f"engines as busy as when they were measured; {replicas} of them and {cores} cores, one step after another"
        )
        # GPUs are held while steps without a model are worked
        idle = _held(total(part.observed.held for part in measured if part.observed is not None), waiting * replicas)
        for name, amounts in (("", Amounts(core_seconds=core_seconds)), ("idle engines", idle)):
            waited = price(amounts, config.prices, measured[0].models)
            missing |= set(waited.missing) if amounts.core_seconds else set()
            if waited.amount:
                by_step[name] = known(waited.amount)
    whole = sum(by_step.values(), NOTHING) if by_step else None
    return Priced(hours, whole, by_step, tuple(sorted(missing)), tuple(assumptions))


def _money(part: Part, prices: PricesConfig, missing: set[str]) -> Quantity | None:
    """A step's money, as a sum over what it takes; None where nothing of it has a price."""
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
    return amount


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
