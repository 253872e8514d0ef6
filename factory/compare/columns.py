"""The columns of a comparison: which there are, what each holds, how its values are written and ordered.

Design: table, CSV, JSON and page are made of the same columns, so they cannot disagree, and any column can be sorted
by. A column has a key (for --sort, CSV and JSON) that does not change when other runs are added, a title for people,
and a way that is better where there is one. Configuration keys are columns where runs differ in them; reasons of
rejects and figures of quality where any run has them.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from factory.compare.facts import Better, Compared, Comparison
from factory.compare.sums import has_prices
from factory.cost.amounts import Amounts
from factory.cost.money import Money
from factory.cost.runs import RunCost
from factory.errors import ConfigError

Group = Literal["run", "setting", "yield", "cost", "quality"]


@dataclass(frozen=True)
class Column:
    """`unit` is "share" for shares of one. `brief`: shown where not all columns are. `meaning` is for people."""

    key: str
    title: str
    group: Group
    value: Callable[[Compared], Any]
    unit: str = ""
    better: Better = "neither"
    brief: bool = False
    meaning: str = ""


def columns_of(comparison: Comparison) -> tuple[Column, ...]:
    """Every column in which any run has a value, in the order they are shown."""
    rows = comparison.rows
    found = [
        *_about(comparison),
        *_settings(rows),
        *YIELD,
        *_rejected(rows),
        *COST,
        *_money(rows),
        *_quality(rows),
    ]
    always = {"point", "run", "state"}
    return tuple(
        column
        for column in found
        if column.key in always or column.group == "setting" or any(column.value(row) is not None for row in rows)
    )


def sorted_by(
    comparison: Comparison, columns: Sequence[Column], wanted: str, *, reverse: bool = False
) -> tuple[Compared, ...]:
    """The rows by a column, named by its key or by an end of it that no other has; those without a value come last.

    Raises ConfigError where no column, or more than one, has that name.
    """
    column = find_column(columns, wanted)
    known = [row for row in comparison.rows if column.value(row) is not None]
    unknown = [row for row in comparison.rows if column.value(row) is None]
    return (*sorted(known, key=lambda row: _order(column.value(row)), reverse=reverse), *unknown)


def find_column(columns: Sequence[Column], wanted: str) -> Column:
    """Raises ConfigError; of a name that is like none it names the brief columns, not all there are."""
    keys = [column.key for column in columns]
    found = [key for key in keys if key == wanted] or [key for key in keys if key.endswith(f".{wanted}")]
    if len(found) == 1:
        return columns[keys.index(found[0])]
    near = _near(wanted, keys) or [column.key for column in columns if column.brief]
    raise ConfigError(
        f"{len(found)} columns end with {wanted}" if found else f"there is no column {wanted} here",
        cause="" if found else "a slip in its name, or no run has a value in it",
        remedy=f"choose one of: {', '.join(found or near)}{'' if found else ' (--csv has all columns)'}",
    )


def _near(wanted: str, keys: Sequence[str]) -> list[str]:
    """Keys that are like `wanted`, or that hold a word of it; at most NEAR."""
    alike = difflib.get_close_matches(wanted, keys, n=NEAR, cutoff=0.5)
    ends = [key for key in keys if difflib.get_close_matches(wanted, [key.rpartition(".")[2]], cutoff=0.6)]
    words = [word for word in re.split(r"[\W_]+", wanted.casefold()) if len(word) > 2]
    holding = [key for key in keys if any(word in key.casefold() for word in words)]
    return list(dict.fromkeys([*alike, *ends, *holding]))[:NEAR]


NEAR = 6
"""Columns that are offered for a name that is none."""


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before words, words as they are written."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (1, str(value))
    return (0, value)


def _about(comparison: Comparison) -> list[Column]:
    found = [Column("point", "point", "run", lambda row: row.point, brief=True)] if comparison.sweep else []
    return [
        *found,
        Column("run", "run", "run", lambda row: row.run, brief=not comparison.sweep),
        Column("state", "state", "run", lambda row: row.state, brief=True),
        Column("at", "at", "run", lambda row: row.at or None, meaning="where a run is that has not finished"),
        Column("error", "error", "run", lambda row: row.error or None),
        Column("same_as", "same run as point", "run", lambda row: row.same_as),
        Column("started", "started", "run", lambda row: row.started or None),
        Column("dataset", "dataset", "run", lambda row: row.dataset or None),
    ]


def _settings(rows: Sequence[Compared]) -> list[Column]:
    keys = list(dict.fromkeys(key for row in rows for key in row.differs))
    titles = short_names(keys)
    return [Column(key, titles[key], "setting", _setting(key), brief=True) for key in keys]


def _setting(key: str) -> Callable[[Compared], Any]:
    return lambda row: row.differs.get(key)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Each dotted key by its last two parts (`answer.samples`, `seed`), or as many as tell it from the others."""
    found = {}
    for key in keys:
        parts = key.split(".")
        for take in range(min(2, len(parts)), len(parts) + 1):
            short = ".".join(parts[-take:])
            if sum(f".{other}".endswith(f".{short}") for other in keys) == 1:
                break
        found[key] = short
    return found


YIELD = (
    Column("documents", "documents", "yield", lambda row: row.documents, meaning="documents that were asked about"),
    Column("written", "questions written", "yield", lambda row: row.written),
    Column("questions", "questions", "yield", lambda row: row.questions, meaning="questions that passed their checks"),
    Column("samples", "samples", "yield", lambda row: row.samples, better="higher", brief=True),
    Column(
        "yield", "yield", "yield", lambda row: row.share_of_written, "share", "higher", brief=True,
        meaning="samples of the questions written",
    ),
)  # fmt: skip


def _rejected(rows: Sequence[Compared]) -> list[Column]:
    reasons = sorted({reason for row in rows for reason in row.rejected})
    total = Column(
        "rejected", "rejected", "yield", lambda row: sum(row.rejected.values()) if row.rejected else None,
        better="lower", brief=True, meaning="rows turned away, by all steps: documents, questions, answers",
    )  # fmt: skip
    return [total, *(Column(f"rejected.{reason}", reason, "yield", _reason(reason)) for reason in reasons)]


def _reason(reason: str) -> Callable[[Compared], Any]:
    return lambda row: row.rejected.get(reason, 0) if row.rejected else None


def _cost(of: Callable[[RunCost], Any]) -> Callable[[Compared], Any]:
    return lambda row: None if row.cost is None or not row.cost.steps else of(row.cost)


def _own(of: Callable[[Amounts], float]) -> Callable[[Compared], Any]:
    return _cost(lambda cost: of(cost.paid.amounts))


def _all(of: Callable[[Amounts], float]) -> Callable[[Compared], Any]:
    return _cost(lambda cost: of(cost.all.amounts))


def _a_sample(of: Callable[[Amounts], float]) -> Callable[[Compared], Any]:
    return lambda row: None if row.cost is None or not row.samples else of(row.cost.all.amounts) / row.samples


def reused_requests(cost: RunCost) -> float:
    """Requests behind the run's rows that other runs have paid."""
    return max(0.0, cost.all.amounts.requests - cost.paid.amounts.requests)


COST = (
    Column("requests", "requests", "cost", _all(lambda all_: all_.requests), better="lower", brief=True,
           meaning="requests behind the rows, whoever paid, lost attempts included"),
    Column("own_requests", "own requests", "cost", _own(lambda own: own.requests), better="lower", brief=True,
           meaning="requests that this run itself paid"),
    Column("shared_requests", "shared requests", "cost", _cost(reused_requests),
           meaning="requests that other runs paid, which agree with this one up to a step"),
    Column("prompt_tokens", "prompt tokens", "cost", _all(lambda all_: all_.prompt_tokens), better="lower"),
    Column("cached_tokens", "cached tokens", "cost", _all(lambda all_: all_.cached_tokens),
           meaning="prompt tokens that the prefix cache served"),
    Column("generated_tokens", "generated tokens", "cost", _all(lambda all_: all_.generated_tokens), better="lower"),
    Column("own_prompt_tokens", "own prompt tokens", "cost", _own(lambda own: own.prompt_tokens), better="lower"),
    Column("own_generated_tokens", "own generated tokens", "cost", _own(lambda own: own.generated_tokens),
           better="lower"),
    Column("tokens_per_sample", "tokens a sample", "cost", _a_sample(lambda all_: all_.tokens), better="lower",
           brief=True, meaning="prompt and generated tokens behind the rows, for each sample"),
    Column("engine_seconds", "engine seconds", "cost", _all(lambda all_: all_.engine_seconds), "s", "lower",
           meaning="time that engines were held for the rows, whoever paid, the time they waited included"),
    Column("busy_seconds", "busy seconds", "cost", _all(lambda all_: all_.busy_seconds), "s", "lower",
           meaning="of the engine seconds those with requests open"),
    Column("own_engine_seconds", "own engine seconds", "cost", _own(lambda own: own.engine_seconds), "s", "lower"),
)  # fmt: skip


def _money(rows: Sequence[Compared]) -> list[Column]:
    """Columns of money, where anything has a price; runs that were priced in other currencies have columns of their
    own."""
    costs = [row.cost for row in rows if row.cost is not None]
    currencies = sorted({cost.currency for cost in costs if has_prices(cost.prices)})
    found = []
    for currency in currencies:
        tail = "" if len(currencies) == 1 else f".{currency}"
        found += [
            Column(f"cost{tail}", "cost", "cost", _priced(lambda cost: cost.all.money, currency), currency, "lower",
                   meaning="of everything behind the rows, whoever paid"),
            Column(f"own_cost{tail}", "own cost", "cost", _priced(lambda cost: cost.paid.money, currency), currency,
                   "lower", brief=True, meaning="what this run itself paid"),
            Column(f"waiting_cost{tail}", "cost of waiting", "cost",
                   _priced(lambda cost: cost.waiting.money, currency), currency,
                   meaning="of the cost: engines without a request, starting included; falls to whoever came first"),
            Column(f"cost_per_thousand{tail}", "cost of 1,000 samples", "cost",
                   _priced(lambda cost: cost.per_thousand, currency), currency, "lower",
                   meaning="everything behind the rows, waiting included, for a thousand accepted samples"),
            Column(f"work_per_thousand{tail}", "work of 1,000 samples", "cost",
                   _priced(lambda cost: cost.work_per_thousand, currency), currency, "lower", brief=True,
                   meaning="the same without the cost of waiting, so whoever came first: compare runs by this"),
        ]  # fmt: skip
    if currencies:
        found.append(
            Column("without_price", "without a price", "cost", _missing, meaning="what was used and is in no sum")
        )
    return found


def _priced(of: Callable[[RunCost], Money], currency: str) -> Callable[[Compared], Any]:
    return _cost(lambda cost: of(cost).amount if cost.currency == currency else None)


def _missing(row: Compared) -> str | None:
    return None if row.cost is None else ", ".join(row.cost.all.money.missing) or None


def _quality(rows: Sequence[Compared]) -> list[Column]:
    """A column a figure; a gate that failed in some run is among the brief ones."""
    found = []
    for key in dict.fromkeys(key for row in rows for key in row.metrics):
        first = next(row.metrics[key] for row in rows if key in row.metrics)
        found.append(
            Column(key, key.partition(".")[2], "quality", _metric(key), first.unit, first.better, False,
                   first.meaning)
        )  # fmt: skip
    gates = Column(
        "failed_gates",
        "failed gates",
        "quality",
        _failed_gates,
        better="lower",
        brief=True,
        meaning="gates that did not pass, those that only warn among them",
    )
    return [gates, *found]


def _metric(key: str) -> Callable[[Compared], Any]:
    return lambda row: row.metrics[key].value if key in row.metrics else None


def _failed_gates(row: Compared) -> str | None:
    failed = [key.removeprefix("measured.") for key, metric in row.metrics.items() if metric.failed]
    return ", ".join(failed) or None


def plain(value: Any) -> Any:
    """A value as JSON and CSV have it: counts as whole numbers, nothing that is no number."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < WHOLE else value
    return value


WHOLE = 2**53
"""Up to here a float holds every whole number."""
