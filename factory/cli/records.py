"""`factory records DATASET`: its structured records as a table, how valid they are, and how like a real table.

Design: reads the published rows of the task type `records` and the schema they were made by; figures are those of
tasks/table_report.py. Exit code 0, or 1 where a record breaks its schema.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.tasks.table_report import ColumnReport, TableReport


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "records",
        help="the structured records of a dataset: validity, distributions beside a real table, export",
        description="Column by column: validity by the schema, distributions, likeness to a real table, rows that are "
        "copies. Exit code 0, or 1 where a record breaks its schema. Guide: docs/tasks.md.",
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder or s3://… of one version of a dataset")
    parser.add_argument("--schema", metavar="FILE", help="JSON schema of a record; without: that of the run's recipe")
    parser.add_argument("--real", metavar="FILE", help="a table to compare with: .csv, .jsonl, .json or .parquet")
    parser.add_argument("--verified", action="store_true", help="only rows whose description was read back the same")
    parser.add_argument("--out", metavar="FILE", help="also write the records there: .csv, .jsonl or .parquet")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the tables")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError for a dataset without records, a schema that is none and a table that cannot be read."""
    import orjson

    from factory.printable import json_printable
    from factory.publish.locate import open_dataset, read_manifest
    from factory.tasks.published_records import published_records, real_rows, schema_of, write_records
    from factory.tasks.table_report import table_report

    dataset = open_dataset(args.dataset, args.endpoint_url)
    manifest = read_manifest(dataset)
    schema = schema_of(manifest, args.schema)
    records = published_records(dataset, manifest, schema, verified=args.verified)
    report = table_report(schema, records, real_rows(args.real) if args.real else None)
    if args.out:
        write_records(args.out, schema, records)
    if args.json:
        print(json_printable(orjson.dumps(report.to_json()).decode()))
    else:
        _print(report)
    return 0 if report.valid == 1 else 1


def _print(report: TableReport) -> None:
    from factory.printable import one_line

    for line in _lines(report):
        print(one_line(line))


def _lines(report: TableReport) -> list[str]:
    lines = [f"{report.rows:,} records, {report.valid:.1%} valid, {report.repeated:.1%} equal to another one"]
    lines += [f"  breaks the schema: {fault} ({rows:,} rows)" for fault, rows in report.faults]
    if report.real_rows is not None:
        lines.append(
            f"{report.real_rows:,} real rows, {report.real_valid:.1%} valid; "
            f"{report.copied:.1%} of the records equal one"
        )
        lines += [f"  breaks the schema: {fault} ({rows:,} real rows)" for fault, rows in report.real_faults]
        if report.correlation_gap is not None:
            lines.append(f"rank correlations of numeric columns differ by {report.correlation_gap:.2f} on average")
        if report.left_out:
            lines.append(f"not in the schema, not looked at: {', '.join(report.left_out)}")
    return [*lines, "", *(line for column in report.columns for line in _column(column))]


def _column(column: ColumnReport) -> list[str]:
    found = column.likeness
    said = []
    if found is not None:
        said = [
            f"{name} {value:.2f}"
            for name, value in (("distance", found.distance), ("unseen", found.unseen), ("uncovered", found.uncovered))
            if value is not None
        ]
    sides = [("records", column.records)] + ([("real", column.real)] if column.real is not None else [])
    return [f"{column.name} ({column.kind}){': ' if said else ''}{', '.join(said)}"] + [
        f"  {name:<8}{_side(side)}" for name, side in sides
    ]


def _side(side: Any) -> str:
    parts = [f"{side.distinct:,} different"]
    if side.missing:
        parts.append(f"{side.missing:.1%} missing")
    if side.mean is not None:
        parts.append(f"mean {side.mean:.4g} ± {side.deviation:.4g}, {side.smallest:.4g} to {side.largest:.4g}")
    if side.words is not None:
        parts.append(f"{side.words:.1f} words on average")
    parts += [f"{value} {share:.0%}" for value, share in side.common]
    return ", ".join(parts)
