"""Amounts turned into money.

Design: everything that has a price is counted; what was used and has none is named in `missing`, so that a sum never
looks whole where it is not. Pricing is linear: the money of parts adds up to the money of the whole. A price for an
hour counts the time a replica was held, requests or not; prices for tokens count on top of it, for servers that ask
for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.cost.amounts import Amounts
from factory.cost.config import PricesConfig, TokenPrices
from factory.errors import ConfigError
from factory.section import checked
from factory.yaml_text import parse_yaml

if TYPE_CHECKING:
    from factory.config import FactoryConfig

SECONDS_AN_HOUR = 3600
MILLION = 1_000_000

NO_PRICE = "no price given"


@dataclass(frozen=True)
class Money:
    """`amount` is None where nothing was used, or nothing that was used has a price; `missing` names what has none."""

    amount: float | None
    currency: str
    missing: tuple[str, ...] = ()

    def __add__(self, other: Money) -> Money:
        """Raises ValueError for two currencies."""
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added")
        known = [amount for amount in (self.amount, other.amount) if amount is not None]
        missing = tuple(sorted({*self.missing, *other.missing}))
        return Money(sum(known) if known else None, self.currency, missing)

    def over(self, parts: float) -> Money:
        """An equal part of it; nothing is known of a part of nothing."""
        amount = None if self.amount is None or not parts else self.amount / parts
        return Money(amount, self.currency, self.missing)

    @property
    def whole(self) -> bool:
        """Whether everything that was used has a price."""
        return self.amount is not None and not self.missing


def nothing(currency: str) -> Money:
    """What nothing costs. Not a zero: a sum of nothing and of what has no price must not look like a figure."""
    return Money(None, currency)


def total_money(each: Iterable[Money], currency: str) -> Money:
    """The sum; of no parts, nothing."""
    return sum(each, nothing(currency))


def price(amounts: Amounts, prices: PricesConfig, models: Sequence[str] = ()) -> Money:
    """What `amounts` cost. `models`: names of the model that was asked; the first that `prices.models` knows is taken.

    Nothing used costs nothing: no amount, and nothing missing.
    """
    known: list[float] = []
    missing: set[str] = set()
    if amounts.core_seconds:
        _count(known, missing, amounts.core_seconds / SECONDS_AN_HOUR, prices.cpu_core_hour, CORE_HOURS)
    held = (amounts.engine_seconds, amounts.engine_core_seconds, *amounts.gpu_seconds.values())
    if amounts.requests or amounts.tokens or any(held):
        engine: list[float] = []
        lacking: set[str] = set()
        _hours(amounts, prices, engine, lacking)
        tokens = token_prices(prices, models)
        if tokens is not None:
            engine.append(_tokens(amounts, tokens))
        elif not engine and not lacking:
            lacking.add(f"engine hours or tokens{_of(models)}")
        known += engine
        if tokens is None:
            missing |= lacking
    if not known and not missing:
        return nothing(prices.currency)
    return Money(sum(known) if known else None, prices.currency, tuple(sorted(missing)))


CORE_HOURS = "CPU core hours"


def _count(known: list[float], missing: set[str], number: float, price: float | None, name: str) -> None:
    if price is None:
        missing.add(name)
    else:
        known.append(number * price)


def _hours(amounts: Amounts, prices: PricesConfig, known: list[float], missing: set[str]) -> None:
    """Time of replicas: by the replica, or by what it holds."""
    if prices.engine_hour is not None:
        known.append(amounts.engine_seconds / SECONDS_AN_HOUR * prices.engine_hour)
        return
    for kind, seconds in amounts.gpu_seconds.items():
        _count(known, missing, seconds / SECONDS_AN_HOUR, gpu_price(prices, kind), f"{kind} GPU hours")
    if amounts.engine_core_seconds:
        hours = amounts.engine_core_seconds / SECONDS_AN_HOUR
        _count(known, missing, hours, prices.cpu_core_hour, CORE_HOURS)


def gpu_price(prices: PricesConfig, kind: str) -> float | None:
    """Of a GPU of `kind`, an hour; `A100` prices `A100-80G` where that has none of its own."""
    asked = {name.casefold(): value for name, value in prices.gpu_hour.items()}
    folded = kind.casefold()
    return asked.get(folded, asked.get(folded.partition("-")[0]))


def token_prices(prices: PricesConfig, models: Sequence[str]) -> TokenPrices | None:
    """Of a model, a million tokens; None where its tokens have no price."""
    for name in models:
        if name in prices.models:
            return prices.models[name]
    prompt, generated = prices.million_prompt_tokens, prices.million_generated_tokens
    if prompt is None or generated is None:
        return None
    return TokenPrices(prompt=prompt, cached=prices.million_cached_tokens, generated=generated)


def _tokens(amounts: Amounts, prices: TokenPrices) -> float:
    cached = prices.prompt if prices.cached is None else prices.cached
    new = amounts.prompt_tokens - amounts.cached_tokens
    read = new * prices.prompt + amounts.cached_tokens * cached
    return (read + amounts.generated_tokens * prices.generated) / MILLION


def _of(models: Sequence[str]) -> str:
    return f" of {models[0]}" if models else ""


def prices_of(config: Mapping[str, Any]) -> PricesConfig:
    """The prices in a recorded configuration. A record from before a price could be unknown says 0 for none.

    Raises ConfigError for what is no price.
    """
    section = config.get("prices")
    found = dict(section) if isinstance(section, Mapping) else {}
    if "gpu_hour" not in found:
        of_tokens = ("million_prompt_tokens", "million_generated_tokens")
        priced = any(found.get(name) for name in of_tokens)
        found = {name: value for name, value in found.items() if value or (priced and name in of_tokens)}
        found |= {name: 0.0 for name in of_tokens if priced and name not in found}
    return checked(PricesConfig, found, "correct the section `prices`; docs/cost.md has an example")


def read_prices(path: str) -> PricesConfig:
    """Prices from a YAML file that holds the keys of `prices`, or a section of that name. Raises ConfigError."""
    try:
        found = parse_yaml(Path(path).expanduser().read_text())
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~name of nobody
        raise ConfigError(
            f"prices cannot be read from {path}: {error}", remedy="give a YAML file as docs/cost.md shows it"
        ) from None
    if isinstance(found, Mapping) and set(found) == {"prices"}:
        found = found["prices"]
    if not isinstance(found, Mapping):
        raise ConfigError(f"{path} holds no prices", remedy="give a YAML file as docs/cost.md shows it")
    return checked(PricesConfig, found, "correct the file; docs/cost.md has an example")


def names_of_models(config: FactoryConfig) -> tuple[str, ...]:
    """The models of a run, as the configuration names them."""
    models = (config.model, config.answer.model, config.judge.model)
    return tuple(dict.fromkeys(model.id for model in models if model is not None))


def unknown_models(prices: PricesConfig, models: Iterable[str]) -> tuple[str, ...]:
    """Names in `prices.models` that are no model of the run: mistyped, or of other runs that share the prices."""
    return tuple(sorted(prices.models.keys() - set(models)))
