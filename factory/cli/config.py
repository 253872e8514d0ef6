"""`factory config`: every key with its type, bounds, default and meaning; or the configuration a command gives."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "config",
        help="every configuration key, or what a set of overrides composes to",
        description="Without overrides: every key, its type and bounds, its default and what it is for. "
        "With overrides (preset=demo select.unit_rows=32): the checked configuration they give, as JSON.",
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from factory.run.compose import compose, describe_keys

    if args.overrides:
        print(json.dumps(compose(args.overrides).model_dump(mode="json"), indent=2))
        return 0
    for row in describe_keys():
        print(f"{row['key']}\n    {row['type']}, default {row['default']}")
        if row["meaning"]:
            print(f"    {row['meaning']}")
    return 0
