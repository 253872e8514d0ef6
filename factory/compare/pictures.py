"""The pictures of a comparison: bars a run, and lines over a setting that is a number.

Design: charts of evaluations (factory/evaluate/dataset/drawing.py), so pages look alike and colours follow the reader's
setting. A figure that is the same for all runs is no picture. Lines are drawn over each setting that is a number: one
line for each combination of the other settings, and none where they are so many that no eye tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from factory.compare.columns import Column, reused_requests
from factory.compare.facts import Compared, Comparison
from factory.compare.words import cut
from factory.evaluate.dataset.drawing import COLOURS, Drawn, drawn
from factory.evaluate.dataset.figures import Chart, Series

MOST_BARS = 60
"""Runs in a picture: more are a wall of lines, and the table says the same."""

MOST_QUALITY = 12
"""Figures of quality that are drawn: those of failed gates and of evaluations first."""

LINED = ("samples", "yield", "tokens_per_sample", "work_per_thousand")
"""Figures drawn over settings, beside the first figures of quality."""

LINED_QUALITY = 2


def pictures_of(comparison: Comparison, columns: Sequence[Column], rows: Sequence[Compared]) -> list[Drawn]:
    """Every picture, in the order they are looked at."""
    shown = [row for row in rows if row.same_as is None]
    charts = [
        *_yield(shown),
        *_cost(shown),
        *_tokens(columns, shown),
        *_quality(columns, shown),
        *_over_settings(comparison, columns, shown),
    ]
    return [drawn(chart) for chart in charts]


def label(row: Compared) -> str:
    """What a bar is called: its number or id, and what tells it apart where that is short."""
    if not 0 < len(row.differs) <= TOLD:
        return row.label
    told = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in row.differs.items())
    return cut(f"{row.label}: {told}", LABEL)


TOLD = 3
"""Settings that a bar's name has room for."""

LABEL = 60


def _yield(rows: Sequence[Compared]) -> Iterator[Chart]:
    known = [row for row in rows if row.samples is not None][:MOST_BARS]
    if len(known) > 1:
        names = tuple(label(row) for row in known)
        written_ = tuple(float(row.written or 0) for row in known)
        yield Chart(
            "Questions written and samples", "bars", "run", "rows",
            (
                Series("samples", names, tuple(float(row.samples or 0) for row in known)),
                Series("questions written", names, written_),
            ),
            "What is missing between the two was turned away; by which step and why is in the table of the yield.",
        )  # fmt: skip


def _cost(rows: Sequence[Compared]) -> Iterator[Chart]:
    known = [(row, row.cost) for row in rows if row.cost is not None and row.cost.all.amounts.requests][:MOST_BARS]
    if len(known) > 1:
        names = tuple(label(row) for row, _ in known)
        yield Chart(
            "Requests paid, and shared with others", "bars", "run", "requests",
            (
                Series("paid by itself", names, tuple(cost.paid.amounts.requests for _, cost in known)),
                Series("paid by other runs", names, tuple(reused_requests(cost) for _, cost in known)),
            ),
            "Both together are behind the rows: what a run would have paid alone. What is shared is paid by whoever "
            "comes first, and says nothing of a point.",
        )  # fmt: skip


def _tokens(columns: Sequence[Column], rows: Sequence[Compared]) -> Iterator[Chart]:
    for column in columns:
        points = _points(column, rows) if column.key == "tokens_per_sample" else []
        if len(points) > 1:
            yield Chart(
                "Tokens a sample", "bars", "run", "tokens", (_bars("prompt and generated", points),),
                "Of everything behind the rows, whoever paid, lost attempts included.",
            )  # fmt: skip


def _points(column: Column, rows: Sequence[Compared]) -> list[tuple[str, float]]:
    """Name and value of the runs, as many as a picture has room for, in which the column has a value."""
    return [(label(row), value) for row in rows if (value := _number(column, row)) is not None][:MOST_BARS]


def _bars(name: str, points: Sequence[tuple[str, float]]) -> Series:
    return Series(name, tuple(label for label, _ in points), tuple(value for _, value in points))


def _quality(columns: Sequence[Column], rows: Sequence[Compared]) -> Iterator[Chart]:
    known = [row for row in rows if row.complete][:MOST_BARS]
    for column in _worth_drawing(columns, known)[:MOST_QUALITY]:
        unit = "share" if column.unit == "share" else column.unit or "measured"
        yield Chart(column.title, "bars", "run", unit, (_bars(column.title, _points(column, known)),), _reading(column))


def _reading(column: Column) -> str:
    better = {"higher": "higher is better", "lower": "lower is better"}.get(column.better, "")
    return "; ".join(part for part in (column.meaning, better) if part)


SAID = ("measured.min_samples", "measured.min_yield")
"""Gates that measure what the pictures of yield show."""


def _worth_drawing(columns: Sequence[Column], rows: Sequence[Compared]) -> list[Column]:
    """Figures of quality in which runs differ; failed gates, then evaluations, then the others."""
    found = []
    for column in columns:
        values = {value for row in rows if (value := _number(column, row)) is not None}
        if column.group == "quality" and column.key not in SAID and len(values) > 1 and min(values) >= 0:
            failed = any(column.key in row.metrics and row.metrics[column.key].failed for row in rows)
            found.append((not failed, not column.key.startswith("evaluation."), column))
    return [column for _, _, column in sorted(found, key=lambda each: each[:2])]


def _over_settings(comparison: Comparison, columns: Sequence[Column], rows: Sequence[Compared]) -> Iterator[Chart]:
    known = [row for row in rows if row.complete]
    by_key = {column.key: column for column in columns}
    quality = [column.key for column in _worth_drawing(columns, known)[:LINED_QUALITY]]
    for key in dict.fromkeys(key for row in comparison.rows for key in row.differs):
        values = [row.differs.get(key) for row in known]
        if not all(_is_number(value) for value in values) or len(set(values)) < 2:
            continue
        for name in (*LINED, *quality):
            column = by_key.get(name)
            series = _lines(known, key, column) if column is not None else ()
            if column is not None and series:
                unit = "share" if column.unit == "share" else column.unit or column.title
                yield Chart(f"{column.title} over {key}", "lines", key, unit, series, _reading(column))


def _lines(rows: Sequence[Compared], key: str, column: Column) -> tuple[Series, ...]:
    """A line for each combination of the other settings; none where they are too many, or all points are alike."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        value = _number(column, row)
        if value is not None:
            rest = ", ".join(f"{name.rpartition('.')[2]} {given}" for name, given in row.differs.items() if name != key)
            found.setdefault(rest or column.title, []).append((float(row.differs[key]), value))
    distinct = {y for points in found.values() for _, y in points}
    if len(found) > len(COLOURS) or len(distinct) < 2 or all(len(points) < 2 for points in found.values()):
        return ()
    return tuple(
        Series(name, tuple(x for x, _ in sorted(points)), tuple(y for _, y in sorted(points)))
        for name, points in found.items()
    )


def _number(column: Column, row: Compared) -> float | None:
    value: Any = column.value(row)
    return float(value) if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
