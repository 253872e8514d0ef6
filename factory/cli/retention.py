"""`factory retention ROOT --days N`: deletes raw completions that are older; what they cost stays.

Design: what is done is in factory/govern/retention.py. People read stderr, the last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "retention",
        help="delete raw completions after so many days",
        description="Removes what models answered, and what was turned away of it, from finished runs where it is "
        "older than so many days by the store's own clock. Ids, hashes of prompts and token counts stay: costs hold, "
        "and `factory verify` and `factory replay` say what was removed. docs/erasure.md",
    )
    parser.add_argument("root", metavar="ROOT", help="folder or s3://bucket/prefix given as store.root")
    parser.add_argument("--days", type=float, required=True, help="completions at least so old go; 0: all")
    parser.add_argument("--by", help="who, for the record; by default the user of this process")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError where somebody works in the root, or --days is below 0."""

    import orjson

    from factory.cli.erase import say, user
    from factory.errors import ConfigError
    from factory.govern.retention import rehearse, retain
    from factory.printable import json_printable
    from factory.store.open import open_root

    if not 0 <= args.days < 1e6:
        raise ConfigError(f"--days {args.days:g} is no age", remedy="give a number of days, 0 or more")
    store = open_root(args.root, endpoint_url=args.endpoint_url)
    done = rehearse(store, args.days) if args.dry_run else retain(store, args.days, args.by or user(), say)
    if done is None:
        say(f"no finished run of {store.uri} has completions of {args.days:g} days or more")
        print(json_printable(orjson.dumps({"root": store.uri, "dry_run": args.dry_run, "rows": {}}).decode()))
        return 0
    for what, rows in done.rows.items():
        say(f"{what:<44} {rows:,} texts{' would be' if args.dry_run else ''} removed")
    for each in done.beyond:
        say(f"not reached: {each}")
    found = {"root": store.uri, "dry_run": args.dry_run, "retention": done.erasure, "rows": done.rows}
    print(json_printable(orjson.dumps({**found, "files": done.files}).decode()))
    return 0
