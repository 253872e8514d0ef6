"""A table of records beside a real one: planted differences are found, and found where they were planted."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from factory.tasks.record_schema import record_schema
from factory.tasks.table_report import ColumnReport, TableReport, table_report

SCHEMA = record_schema(
    json.dumps(
        {
            "type": "object",
            "properties": {
                "size": {"type": "number", "minimum": 0},
                "age": {"type": "integer"},
                "kind": {"enum": ["valley", "cirque", "ice_cap"]},
                "retreats": {"type": "boolean"},
                "note": {"type": "string"},
            },
            "required": ["size", "kind"],
        }
    ).encode(),
    "s.json",
)


def rows(count: int, seed: int, **changes: Any) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    made = []
    for number in range(count):
        size = draw.gauss(10, 2)
        row = {
            "size": abs(size),
            "age": round(size * 3 + draw.gauss(0, 1)),
            "kind": draw.choice(["valley", "valley", "cirque"]),
            "retreats": draw.random() < 0.8,
            "note": f"note {seed} {number}",
        }
        made.append(row | {key: change(row) for key, change in changes.items()})
    return made


def column(report: TableReport, name: str) -> ColumnReport:
    return next(found for found in report.columns if found.name == name)


def distance(report: TableReport, name: str) -> float:
    found = column(report, name).likeness
    assert found is not None
    assert found.distance is not None
    return found.distance


def test_two_tables_of_one_kind_are_alike() -> None:
    report = table_report(SCHEMA, rows(800, 1), rows(800, 2))
    assert report.valid == report.real_valid == 1
    assert [found.kind for found in report.columns] == ["number", "number", "category", "category", "text"]
    assert all(distance(report, name) < 0.1 for name in ("size", "age", "kind", "retreats"))
    assert report.correlation_gap is not None
    assert report.correlation_gap < 0.05
    assert report.copied == report.repeated == 0


@pytest.mark.parametrize(
    ("planted", "name"),
    [
        ({"size": lambda row: row["size"] + 4}, "size"),
        ({"kind": lambda _: "ice_cap"}, "kind"),
        ({"retreats": lambda _: False}, "retreats"),
    ],
)
def test_a_shifted_column_is_told_and_no_other(planted: dict[str, Any], name: str) -> None:
    report = table_report(SCHEMA, rows(400, 1, **planted), rows(400, 2))
    assert distance(report, name) > 0.4
    for other in {"size", "age", "kind", "retreats"} - {name}:
        assert distance(report, other) < 0.15


def test_values_that_are_not_there_are_counted_on_both_sides() -> None:
    real = [{**row, "kind": "cirque" if number < 100 else "valley"} for number, row in enumerate(rows(400, 2))]
    report = table_report(SCHEMA, rows(400, 1, kind=lambda _: "ice_cap"), real)
    found = column(report, "kind").likeness
    assert found is not None
    assert (found.unseen, found.uncovered) == (1.0, 1.0)


def test_a_broken_dependence_between_columns_is_told() -> None:
    draw = random.Random(3)
    report = table_report(SCHEMA, rows(400, 1, age=lambda _: draw.randrange(60)), rows(400, 2))
    assert report.correlation_gap is not None
    assert report.correlation_gap > 0.7


def test_copies_of_real_rows_and_of_each_other_are_counted() -> None:
    real = rows(100, 2)
    report = table_report(SCHEMA, [*rows(90, 1), *real[:5], real[5], real[5], real[5], *real[6:8]], real)
    assert report.copied == pytest.approx(0.10)
    assert report.repeated == pytest.approx(0.03)


def test_rows_that_break_the_schema_are_named_by_column() -> None:
    broken = [*rows(98, 1), {"size": -1.0, "kind": "valley"}, {"size": 3.0, "kind": "iceberg"}]
    report = table_report(SCHEMA, broken)
    assert report.valid == pytest.approx(0.98)
    assert dict(report.faults) == {"size": 1, "kind": 1}


def test_a_real_table_of_texts_is_read_by_the_schema() -> None:
    real = [{key: str(value) for key, value in row.items()} | {"colour": "blue"} for row in rows(200, 2)]
    report = table_report(SCHEMA, rows(200, 1), real)
    assert report.real_valid == 1
    assert report.left_out == ("colour",)
    assert distance(report, "age") < 0.2
    assert table_report(SCHEMA, rows(9, 1), [{"size": "much", "kind": ""}]).real_valid == 0


def test_a_table_without_rows_is_reported_as_one() -> None:
    report = table_report(SCHEMA, [], [])
    assert (report.rows, report.valid, report.copied) == (0, 0, 0)
    json.dumps(report.to_json())
