"""How values of a comparison are written for people."""

from __future__ import annotations

import json
from typing import Any

from factory.compare.columns import Column
from factory.compare.facts import Compared, Comparison
from factory.compare.sums import sums_of
from factory.evaluate import text
from factory.evaluate.dataset.drawing import number

LONGEST = 28
"""Characters of a value in a table: a path or a list beyond that is cut in its middle."""


def written(column: Column, value: Any, longest: int = LONGEST) -> str:
    """A value as a table shows it."""
    if value is None:
        return text.NONE if column.group != "setting" else "null"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), longest)
    if column.group == "setting":
        return f"{value:g}" if isinstance(value, float) else str(value)
    if column.unit == "share":
        return text.share(value).replace(text.NBSP, " ")
    if column.key.startswith(("cost", "own_cost", "waiting_cost", "work_per_thousand")):
        return text.money(value, column.unit).replace(text.NBSP, " ")
    if column.unit == "s":
        return text.seconds(value).replace(text.NBSP, " ")
    return f"{number(value)} {column.unit}" if column.unit else number(value)


def cut(value: str, longest: int) -> str:
    """`value` without its middle where it is longer than `longest`; on one line."""
    line = " ".join(value.split())
    if len(line) <= longest:
        return line
    head = (longest - 1) // 2
    return f"{line[:head]}…{line[len(line) - (longest - 1 - head) :]}"


def is_number(column: Column) -> bool:
    """Whether a column is set flush right."""
    return column.group in ("yield", "cost") or (column.group == "quality" and column.key != "failed_gates")


def summary(comparison: Comparison) -> list[str]:
    """What the runs took together, and what is not whole yet."""
    sums = sums_of(comparison)
    number_of = len(comparison.distinct)
    what = f"{number_of} {'point' if comparison.sweep else 'run'}{'' if number_of == 1 else 's'}"
    lines = []
    if sums.alone.requests:
        others = sums.alone.requests - sums.paid.requests
        lines.append(
            f"{what}: {sums.alone.requests:,.0f} requests if each were alone, {sums.paid.requests:,.0f} paid, "
            f"{others:,.0f} shared ({text.share(sums.shared).replace(text.NBSP, ' ')})"
        )
    if sums.by_others.requests:
        lines.append(f"of the shared, {sums.by_others.requests:,.0f} were paid by runs that are not compared here")
    if sums.money_paid is not None and sums.money_alone is not None and sums.money_paid.amount is not None:
        alone = text.money(sums.money_alone.amount or 0.0, sums.money_alone.currency)
        paid = text.money(sums.money_paid.amount, sums.money_paid.currency)
        lines.append(f"{paid} paid, {alone} if each were alone".replace(text.NBSP, " "))
        if sums.money_paid.missing:
            lines.append(f"in no sum, for want of a price: {', '.join(sums.money_paid.missing)}")
    if comparison.incomplete:
        lines.append(
            f"{comparison.incomplete} of {len(comparison.rows)} have not finished; figures are of the steps that have"
        )
        lines += [f"  {row.label}: {_unfinished(row)}" for row in comparison.rows if not row.complete]
    lines += [f"point {row.point} is the same run as point {row.same_as}" for row in comparison.rows if row.same_as]
    return lines


def _unfinished(row: Compared) -> str:
    line = " ".join(row.error.split())
    error = line if len(line) <= ERROR else f"{line[: ERROR - 1]}…"
    return ", ".join(part for part in (row.state, row.at, error) if part)


ERROR = 160
"""Characters of an error that a summary has room for; `factory doctor` has all of it."""
