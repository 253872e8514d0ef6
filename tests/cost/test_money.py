"""What a price is, what has none, and that the money of parts is the money of the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.cost.amounts import Amounts, of_ledger, total
from factory.cost.config import PricesConfig, TokenPrices
from factory.cost.money import Money, price, prices_of, read_prices, unknown_models
from factory.cost.words import said_money
from factory.errors import ConfigError
from factory.run.compose import compose
from factory.section import checked

GPU = Amounts(requests=10, prompt_tokens=1e6, generated_tokens=5e5, busy_seconds=1800, idle_seconds=1800)
ON_H100 = Amounts(**{**vars(GPU), "gpu_seconds": {"H100": 7200.0}})


def prices(**keys: Any) -> PricesConfig:
    return checked(PricesConfig, keys)


def test_an_hour_of_every_gpu_that_is_held_costs_its_price_with_requests_or_without() -> None:
    assert price(ON_H100, prices(gpu_hour={"H100": 2.5}, currency="EUR")) == Money(5.0, "EUR")
    assert price(ON_H100, prices(engine_hour=3)) == Money(3.0, "USD")


def test_tokens_cost_what_the_model_costs_and_cached_ones_what_they_cost() -> None:
    asked = Amounts(requests=1, prompt_tokens=3e6, cached_tokens=1e6, generated_tokens=2e6)
    each = {"gpt-x": {"prompt": 1.0, "cached": 0.5, "generated": 4.0}}
    assert price(asked, prices(models=each), ["gpt-x"]).amount == pytest.approx(2 + 0.5 + 8)
    del each["gpt-x"]["cached"]
    assert price(asked, prices(models=each), ["other-name", "gpt-x"]).amount == pytest.approx(3 + 8)
    plain = prices(million_prompt_tokens=1, million_generated_tokens=2, models=each)
    assert price(asked, plain, ["unnamed"]).amount == pytest.approx(3 + 4)


def test_what_has_no_price_is_named_and_never_free() -> None:
    assert price(ON_H100, prices(), ["m"]) == Money(None, "USD", ("H100 GPU hours",))
    assert price(ON_H100, prices(gpu_hour={"A100": 1}), ["m"]).missing == ("H100 GPU hours",)
    assert price(GPU, prices(gpu_hour={"A100": 1}), ["m"]) == Money(None, "USD", ("engine hours or tokens of m",))
    both = Amounts(**{**vars(ON_H100), "core_seconds": 3600.0})
    half = price(both, prices(gpu_hour={"H100": 2.5}))
    assert half == Money(5.0, "USD", ("CPU core hours",))
    assert said_money(half) == "5.00 USD, without CPU core hours (no price given)"
    assert said_money(price(both, prices())) == "no price given: CPU core hours, H100 GPU hours"


def test_zero_is_a_price_and_nothing_used_costs_nothing() -> None:
    assert price(ON_H100, prices(gpu_hour={"H100": 0})) == Money(0.0, "USD")
    assert price(Amounts(), prices()) == Money(None, "USD")
    assert said_money(price(Amounts(), prices())) == "nothing"
    assert (price(Amounts(), prices()) + price(ON_H100, prices())).amount is None


def test_the_price_of_a_kind_stands_for_its_sizes_and_case_does_not_matter() -> None:
    for kind, expected in (("A100-80G", 1.0), ("A100", 1.0), ("A100-40G", 0.5)):
        held = Amounts(requests=1, busy_seconds=3600, gpu_seconds={kind: 3600.0})
        assert price(held, prices(gpu_hour={"a100": 1, "A100-40G": 0.5})).amount == expected


amounts = st.builds(
    Amounts,
    **{name: st.floats(0, 1e9) for name in ("requests", "prompt_tokens", "generated_tokens")},
    **{name: st.floats(0, 1e6) for name in ("busy_seconds", "idle_seconds", "engine_core_seconds", "core_seconds")},
    gpu_seconds=st.dictionaries(st.sampled_from(["H100", "A100"]), st.floats(0, 1e6)),
)
some_prices = st.sampled_from(
    [
        prices(gpu_hour={"H100": 2.5}, cpu_core_hour=0.05),
        prices(engine_hour=3, million_prompt_tokens=0.1, million_cached_tokens=0.01, million_generated_tokens=0.4),
        prices(models={"m": {"prompt": 1.0, "generated": 2.0}}),
        prices(),
    ]
)


@given(st.lists(amounts, min_size=1, max_size=5), some_prices)
def test_the_money_of_parts_is_the_money_of_the_whole(parts: list[Amounts], asked: PricesConfig) -> None:
    whole = price(total(parts), asked, ["m"])
    each = [price(part, asked, ["m"]).amount or 0.0 for part in parts]
    assert sum(each) == pytest.approx(whole.amount or 0.0)


def test_money_of_two_currencies_is_not_added() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        Money(1.0, "EUR") + Money(1.0, "USD")
    assert Money(1.0, "EUR").over(0) == Money(None, "EUR")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"cpu_core_hour": -0.1}, "cpu_core_hour"),
        ({"gpu_hour": {"H100": -1.0}}, "gpu_hour.H100"),
        ({"models": {"m": {"prompt": -1.0, "generated": 1.0}}}, "models.m.prompt"),
        ({"models": {"m": {"prompt": 1.0}}}, "models.m.generated"),
        ({"models": {"m": {"prompt": 1.0, "generated": 1.0, "output": 3.0}}}, "models.m.output: unknown key"),
        ({"currency": ""}, "currency"),
        ({"currency": "US dollars of 2026"}, "currency"),
        ({"engine_hour": float("nan")}, "engine_hour"),
        ({"engine_hour": "2"}, "engine_hour"),
        ({"engine_hour": 1.0, "gpu_hour": {"H100": 1.0}}, "give one of them"),
        ({"million_prompt_tokens": 1.0}, "go together"),
        ({"million_cached_tokens": 1.0}, "needs the prices"),
        ({"gpu_hours": {}}, "did you mean `gpu_hour`?"),
    ],
)
def test_what_is_no_price_is_refused_by_name(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        prices(**keys)
    assert said in str(refused.value)


def test_prices_come_from_a_command_and_are_no_part_of_what_a_run_is() -> None:
    given_ = compose(["+prices.gpu_hour.H100=2.5", "+prices.models={m: {prompt: 0.1, generated: 0.4}}"])
    assert given_.prices.gpu_hour == {"H100": 2.5}
    assert given_.prices.models == {"m": TokenPrices(prompt=0.1, generated=0.4)}
    assert given_.recipe() == compose([]).recipe()
    assert unknown_models(given_.prices, [given_.model.id]) == ("m",)


@pytest.mark.parametrize(
    "given", ["prices.gpu_hour={H100: 2.5}", "prices.gpu_hour.H100=2.5", "+prices.gpu_hour.H100=2.5"]
)
def test_a_price_by_a_name_of_ones_own_is_given_like_any_other_key(given: str) -> None:
    assert compose([given]).prices.gpu_hour == {"H100": 2.5}


def test_a_record_from_before_says_zero_where_no_price_was_given() -> None:
    old = {"currency": "EUR", "engine_hour": 2.1, "million_prompt_tokens": 0.0, "million_generated_tokens": 0}
    assert prices_of({"prices": old}) == prices(currency="EUR", engine_hour=2.1)
    assert prices_of({"prices": {**old, "engine_hour": 0, "million_generated_tokens": 2.0}}) == prices(
        currency="EUR", million_prompt_tokens=0, million_generated_tokens=2
    )
    now = prices(engine_hour=0)
    assert prices_of({"prices": now.model_dump(mode="json")}) == now
    assert prices_of({}) == prices()
    with pytest.raises(ConfigError):
        prices_of({"prices": {"gpu_hour": {"H100": -1}}})


def test_prices_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("prices:\n  currency: EUR\n  gpu_hour: {H100: 2.5}\n")
    assert read_prices(str(path)) == prices(currency="EUR", gpu_hour={"H100": 2.5})
    path.write_text("currency: EUR\n")
    assert read_prices(str(path)) == prices(currency="EUR")
    for text in ("- 1\n", "{", "cpu_core_hour: -1\n", "cpu_core_hours: 1\n", ""):
        path.write_text(text)
        with pytest.raises(ConfigError):
            read_prices(str(path))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_prices(str(tmp_path / "absent.yaml"))


def test_a_ledger_from_before_engines_measured_themselves_has_its_steps_wall_time() -> None:
    old = of_ledger({"requests": 2, "generated_tokens": 9, "engine_seconds": 3.0, "seconds": 8.0})
    assert (old.busy_seconds, old.idle_seconds, old.core_seconds) == (3.0, 0, 0)
    assert of_ledger({"seconds": 8.0, "engine_seconds": 0}).core_seconds == 8.0
