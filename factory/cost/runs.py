"""What a run cost: by step, by who paid, by level, and for a thousand accepted samples.

Design: a pure function of the run's configuration and the records of its finished steps, so that report, status and
compare say the same. Two sums side by side: what the rows took, whoever paid for them (a step reused from another run
costs that run), and what this run paid. Attempts that never became a commit are priced at the step's mean, an upper
bound, and are part of every figure per sample (docs/cost.md). What one level caused is that level's; what several
share is shared out among them by their accepted samples. So steps and levels both add up to the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from factory.cost.amounts import BUSY, Amounts, of_ledger
from factory.cost.config import PricesConfig
from factory.cost.money import Money, nothing, price, prices_of
from factory.cost.shares import shared_out
from factory.errors import ConfigError
from factory.run.record import section_of
from factory.run.strands import kind_of

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """What something took, and its price."""

    amounts: Amounts
    money: Money

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.amounts + other.amounts, self.money + other.money)


@dataclass(frozen=True)
class StepCost:
    """`rows`: what the step's rows took, whoever paid. `lost`: what attempts without a commit took at most. `paid`:
    of both, what this run paid. `reused`: of `rows`, what other runs paid, by run. `models`: names of the model that
    was asked."""

    step: str
    rows: Cost
    lost: Cost
    paid: Cost
    reused: Mapping[str, Cost] = field(default_factory=dict)
    models: tuple[str, ...] = ()

    @property
    def all(self) -> Cost:
        return self.rows + self.lost


@dataclass(frozen=True)
class GroupCost:
    """The cost of a level or subject, lost attempts included, and the samples that were accepted of it."""

    name: str
    cost: Cost
    samples: int

    @property
    def per_thousand(self) -> Money:
        return self.cost.money.over(self.samples / 1000)


@dataclass(frozen=True)
class RunCost:
    """`samples` are those published, or accepted by the samples step where nothing was."""

    run: str
    prices: PricesConfig
    steps: tuple[StepCost, ...]
    samples: int
    levels: tuple[GroupCost, ...] = ()
    subjects: tuple[GroupCost, ...] = ()

    @property
    def currency(self) -> str:
        return self.prices.currency

    @property
    def all(self) -> Cost:
        """What the dataset's rows took, whoever paid, lost attempts included."""
        return self.sum_of(step.all for step in self.steps)

    @property
    def lost(self) -> Cost:
        return self.sum_of(step.lost for step in self.steps)

    @property
    def paid(self) -> Cost:
        """What this run paid, its lost attempts included."""
        return self.sum_of(step.paid for step in self.steps)

    @property
    def per_thousand(self) -> Money:
        """For a thousand accepted samples, lost attempts included."""
        return self.all.money.over(self.samples / 1000)

    @property
    def waiting(self) -> Cost:
        """Of `all`: what engines took while they had no request, starting included. It falls to whoever's request ends
        the wait, so it says which run came first and nothing of its rows."""
        return self._part(lambda amounts: amounts.waiting)

    @property
    def work_per_thousand(self) -> Money:
        """For a thousand accepted samples, without `waiting`: the same whichever run came first."""
        return self._part(lambda amounts: amounts.worked).money.over(self.samples / 1000)

    def _part(self, of: Callable[[Amounts], Amounts]) -> Cost:
        found = [(of(step.all.amounts), step.models) for step in self.steps]
        return self.sum_of(Cost(amounts, price(amounts, self.prices, models)) for amounts, models in found)

    def sum_of(self, parts: Iterable[Cost]) -> Cost:
        """The sum of some of its parts; of none, nothing in its currency."""
        return sum(parts, Cost(Amounts(), nothing(self.currency)))


def cost_of_run(
    run: str,
    config: Record,
    dones: Mapping[str, Record],
    prices: PricesConfig | None = None,
    accepted: Mapping[str, Mapping[str, int]] | None = None,
) -> RunCost:
    """The cost of a run, or of the steps in `dones` (name -> record, see run/record.py), in their order.

    `config` is the recorded configuration; `prices` replaces those in it. `accepted` says how many samples were
    accepted by "level" and "subject", by name; without it levels are counted from the samples step's record and
    subjects are left out. Recorded prices that are none count as not given.
    """
    prices = _recorded_prices(config) if prices is None else prices
    steps = tuple(_step(run, name, config, done, prices) for name, done in dones.items())
    by_level = dict(accepted["level"]) if accepted and "level" in accepted else _levels(dones)
    by_subject = dict(accepted["subject"]) if accepted and "subject" in accepted else {}
    return RunCost(
        run,
        prices,
        steps,
        _samples(dones),
        _groups("level", steps, dones, by_level, prices),
        _groups("subject", steps, dones, by_subject, prices) if by_subject else (),
    )


def _step(run: str, name: str, config: Record, done: Record, prices: PricesConfig) -> StepCost:
    models = models_of(name, config, done)
    rows = _rows(done)
    lost, own_lost = _lost(run, rows, done)
    payers = done.get("paid")
    if isinstance(payers, Mapping):
        paid = {str(payer): of_ledger(_numbers(ledger)) for payer, ledger in payers.items()}
    else:  # a record from before payers were noted: what the last execution paid is all that is known
        paid = {run: of_ledger(_numbers(done.get("spent_now")))}

    def cost(amounts: Amounts) -> Cost:
        return Cost(amounts, price(amounts, prices, models))

    reused = {payer: cost(amounts) for payer, amounts in paid.items() if payer != run}
    return StepCost(name, cost(rows), cost(lost), cost(paid.get(run, Amounts()) + own_lost), reused, models)


def _rows(done: Record) -> Amounts:
    """What a step's rows took. Engine time of a record from before it was measured is that of the last execution: for
    rows that it reused it is taken at its rate of generated tokens."""
    ledger = _numbers(done.get("ledger"))
    rows = of_ledger(ledger)
    paid = _numbers(done.get("spent_now")).get("generated_tokens", 0)
    if BUSY not in ledger and paid:
        return replace(rows, busy_seconds=rows.busy_seconds * max(1.0, rows.generated_tokens / paid))
    return rows


def _lost(run: str, rows: Amounts, done: Record) -> tuple[Amounts, Amounts]:
    """What lost attempts took at most, of all runs and of this one: their requests at the step's mean."""
    noted = done.get("lost")
    lost = _numbers(noted)
    requests = lost.get("requests_at_most", lost.get("requests", 0))
    if not requests or not rows.requests:
        return Amounts(), Amounts()
    by_run = _numbers(noted.get("by_run")) if isinstance(noted, Mapping) else {}
    own = (by_run or {run: requests}).get(run, 0)
    mean = rows.scaled(1 / rows.requests)
    return mean.scaled(requests), mean.scaled(own)


def models_of(step: str, config: Record, done: Record) -> tuple[str, ...]:
    """Names of the model that a step asked: as configured, and as its engines called it."""
    own = section_of(config, _SECTIONS.get(kind_of(step), "")).get("model")
    configured = own if isinstance(own, Mapping) else config.get("model")
    names = [configured.get("id")] if isinstance(configured, Mapping) else []
    engines = done.get("engines")
    found = engines if isinstance(engines, list | tuple) else ()
    names += [engine.get("model") for engine in found if isinstance(engine, Mapping)]
    return tuple(dict.fromkeys(str(name) for name in names if name))


_SECTIONS = {"answer": "answer", "judge": "judge"}
"""Steps that may have a model of their own."""


def _groups(
    kind: str, steps: Sequence[StepCost], dones: Mapping[str, Record], samples: Mapping[str, int], prices: PricesConfig
) -> tuple[GroupCost, ...]:
    """Every step's cost, shared out among the levels or subjects."""
    sums: dict[str, Cost] = {}
    for step in steps:
        rows, lost = step.rows.amounts, step.lost.amounts
        lost_share = lost.requests / rows.requests if rows.requests else 0.0
        parts = shared_out(kind, step.step, rows, lost_share, dones, samples)
        for name, amounts in parts.items():
            cost = Cost(amounts, price(amounts, prices, step.models))
            sums[name] = sums[name] + cost if name in sums else cost
    return tuple(GroupCost(name, cost, samples.get(name, 0)) for name, cost in sorted(sums.items()))


def _samples(dones: Mapping[str, Record]) -> int:
    for name in ("shards", "samples"):
        if name in dones:
            return int(dones[name]["counts"]["accepted"])
    return 0


def _levels(dones: Mapping[str, Record]) -> dict[str, int]:
    """Samples accepted by level; every level that questions were asked of is there."""
    asked = {name.removeprefix("question_"): 0 for name in dones if name.startswith("question_")}
    facts = _numbers(dones["samples"].get("facts")) if "samples" in dones else {}
    return asked | {name.removeprefix("level_"): int(rows) for name, rows in facts.items() if name.startswith("level_")}


def _numbers(values: Any) -> dict[str, float]:
    items = values.items() if isinstance(values, Mapping) else ()
    return {str(name): value for name, value in items if isinstance(value, int | float)}


def _recorded_prices(config: Mapping[str, Any]) -> PricesConfig:
    """None given where a record's are none: somebody edited it, and its rows and requests can be told all the same."""
    try:
        return prices_of(config)
    except ConfigError:
        return PricesConfig()
