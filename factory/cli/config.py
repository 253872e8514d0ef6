"""`factory config`: every key with its type, bounds, default and meaning; or the configuration a command gives."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "config",
        help="every configuration key, or what a set of overrides composes to",
        description="Without overrides: every key, its type and bounds, its default and what it is for. "
        "With overrides (preset=demo select.unit_rows=32): the checked configuration they give, as JSON, and "
        "beside it (stderr) what the domain pack sets.",
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from factory.run.compose import compose, describe_keys
    from factory.run.pack_settings import pack_settings, told

    if args.overrides:
        config = compose(args.overrides)
        values = config.model_dump(mode="json")
        print(json.dumps(values, indent=2))
        settings = pack_settings(config.domain)
        if settings.values:
            lines = [f"  {line}" for line in told(settings, values)]
            print("\n".join([f"set by the domain pack ({settings.path}):", *lines]), file=sys.stderr)
        return 0
    for row in describe_keys():
        print(f"{row['key']}\n    {row['type']}, default {row['default']}")
        if row["meaning"]:
            print(f"    {row['meaning']}")
    return 0
