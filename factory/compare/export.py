"""A comparison for other programs: CSV with a line a run, and JSON with the same columns and what they mean."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from factory.compare.columns import Column, plain
from factory.compare.facts import Compared, Comparison
from factory.compare.sums import Sums, sums_of

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that a spreadsheet runs as a formula (OWASP, «CSV Injection»)."""


def to_csv(columns: Sequence[Column], rows: Sequence[Compared]) -> str:
    """Lines end with a line feed. A text that a spreadsheet would run as a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_safe(column.key) for column in columns])
    for row in rows:
        writer.writerow([_safe(plain(column.value(row))) for column in columns])
    return out.getvalue()


def _safe(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        value = json.dumps(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def to_json(comparison: Comparison, columns: Sequence[Column], rows: Sequence[Compared]) -> dict[str, Any]:
    """`runs` are in the order of `rows`; each has `values` by the key of its column, null where it has none."""
    return {
        "root": comparison.root,
        "sweep": comparison.sweep or None,
        "sweep_state": comparison.sweep_state or None,
        "incomplete": comparison.incomplete,
        "requests": _requests(sums_of(comparison)),
        "columns": [
            {"key": column.key, "group": column.group, "unit": column.unit, "better": column.better,
             "meaning": column.meaning}
            for column in columns
        ],
        "runs": [
            {
                "run": row.run,
                "point": row.point,
                "name": row.name,
                "state": row.state,
                "complete": row.complete,
                "values": {column.key: plain(column.value(row)) for column in columns},
            }
            for row in rows
        ],
        "problems": list(comparison.problems),
    }  # fmt: skip


def _requests(sums: Sums) -> dict[str, Any]:
    return {
        "alone": plain(sums.alone.requests),
        "paid": plain(sums.paid.requests),
        "by_others": plain(sums.by_others.requests),
    }
