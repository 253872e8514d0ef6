"""`factory compare ROOT`: the runs of a root, or the points of a sweep, side by side.

Design: reads the store only, so it works while runs go on; those are shown as far as they are. Figures and columns are
those of factory/compare; here is only what was asked for and where it goes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.compare.columns import Column
    from factory.compare.facts import Comparison


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "compare",
        help="the runs of a root, or the points of a sweep, side by side",
        description="What runs differ in, what they gave, what they cost and how good it is. Reads the store only; "
        "runs that have not finished are shown as far as they are. Guide: docs/sweeps.md.",
    )
    parser.add_argument("root", metavar="ROOT", help="folder or s3://bucket/prefix given to the runs as store.root")
    parser.add_argument("--sweep", metavar="ID", help="the points of this sweep; `last`: of the one started last")
    parser.add_argument("--run", action="append", default=[], dest="runs", metavar="ID", help="only this run; again")
    parser.add_argument("--sort", metavar="COLUMN", help="by this column (its name, or an end of it: samples, seed)")
    parser.add_argument("--reverse", action="store_true", help="the other way round: with --sort, largest first")
    parser.add_argument("--all", action="store_true", help="every column in the table, not only the commonest")
    parser.add_argument("--prices", metavar="FILE", help="YAML with prices, instead of those the runs recorded")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="every column as CSV instead of the table")
    form.add_argument("--json", action="store_true", help="every column as one JSON object instead of the table")
    parser.add_argument("--html", metavar="FILE", help="also write a page with pictures to this file")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0. Raises ConfigError for a root without runs, and for a sweep, run or column that is not there."""
    from factory.compare.columns import columns_of, sorted_by
    from factory.compare.export import to_csv, to_json
    from factory.compare.gather import gather
    from factory.cost.money import read_prices
    from factory.store.open import open_root

    store = open_root(args.root, endpoint_url=args.endpoint_url)
    found = gather(store, args.sweep, args.runs, read_prices(args.prices) if args.prices else None)
    columns = columns_of(found)
    rows = found.rows[::-1] if args.reverse else found.rows
    if args.sort:
        rows = sorted_by(found, columns, args.sort, reverse=args.reverse)
    if args.html:
        _write_page(args.html, found, columns, rows)
    if args.csv:
        sys.stdout.write(to_csv(columns, rows))
    elif args.json:
        print(json.dumps(to_json(found, columns, rows)))
    else:
        _print_table(found, columns, rows, every=args.all)
    for problem in found.problems:
        print(f"left out: {problem}", file=sys.stderr)
    return 0


def _print_table(found: Comparison, columns: tuple[Column, ...], rows: Any, *, every: bool) -> None:
    from factory.compare.table import in_terminal
    from factory.compare.words import summary

    shown = [column for column in columns if column.brief or every]
    print(in_terminal(shown, rows, shutil.get_terminal_size((WIDTH, 24)).columns))
    print()
    for line in summary(found):
        print(line)


WIDTH = 120
"""Columns of what is no terminal, a file or a pipe."""


def _write_page(file: str, found: Comparison, columns: tuple[Column, ...], rows: Any) -> None:
    from pathlib import Path

    from factory.compare.page import build_page
    from factory.errors import ConfigError

    try:
        Path(file).write_text(build_page(found, columns, rows), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the page cannot be written to {file}: {error.strerror or error}", remedy="name a file in a folder that is"
        ) from None
    print(f"page: {file}", file=sys.stderr)
