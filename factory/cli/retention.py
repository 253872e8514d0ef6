"""`factory retention ROOT --days N`: deletes raw completions that are older; what they cost stays.

Design: what is done is in factory/govern/retention.py. People read stderr, the last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.govern.retention import Kept

MOST_DAYS = 1_000_000
RUNS_NAMED = 3


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "retention",
        help="delete raw completions after so many days",
        description="Removes what models answered, and what was turned away of it, where it is older than so many "
        "days by the store's own clock, whatever became of the run. Ids, hashes of prompts and token counts stay: "
        "costs hold, and `factory verify` and `factory replay` say what was removed. docs/erasure.md",
    )
    parser.add_argument("root", metavar="ROOT", help="folder or s3://bucket/prefix given as store.root")
    parser.add_argument("--days", type=float, required=True, help="completions at least so old go; 0: all")
    parser.add_argument("--by", help="who, for the record; by default the user of this process")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError where somebody works in the root, or --days is no age."""
    from dataclasses import asdict

    import orjson

    from factory.cli.erase import say, user
    from factory.errors import ConfigError
    from factory.govern.retention import kept, rehearse, retain
    from factory.printable import json_printable
    from factory.store.open import open_root

    if not 0 <= args.days <= MOST_DAYS:
        remedy = f"give a number of days from 0 (all) to {MOST_DAYS:,}"
        raise ConfigError(f"--days {args.days:g} is no age that a completion can have", remedy=remedy)
    store = open_root(args.root, endpoint_url=args.endpoint_url)
    by = user() if args.by is None else args.by
    done = rehearse(store, args.days, by) if args.dry_run else retain(store, args.days, by, say)
    left = [] if args.dry_run and not args.days else kept(store, args.days if args.dry_run else 0.0)
    told = {"root": store.uri, "dry_run": args.dry_run, "kept": [asdict(each) for each in left]}
    if done is None:
        say(f"no run of {store.uri} has completions of {args.days:g} days or more")
        tell(left, args.days)
        print(json_printable(orjson.dumps({**told, "rows": {}}).decode()))
        return 0
    for what, rows in done.rows.items():
        say(f"{what:<44} {rows:,} texts{' would be' if args.dry_run else ''} removed")
    tell(left, args.days)
    for each in done.beyond:
        say(f"not reached: {each}")
    found = {**told, "retention": done.erasure, "rows": done.rows, "files": done.files}
    print(json_printable(orjson.dumps(found).decode()))
    return 0


def tell(left: Sequence[Kept], days: float) -> None:
    """What stays, of which runs, and when its time comes."""
    from factory.cli.erase import say

    for each in left:
        runs = ", ".join(each.runs[:RUNS_NAMED]) + (" and others" if len(each.runs) > RUNS_NAMED else "")
        whose = f"run {runs}" if runs else "no run that is recorded"
        say(f"{each.what:<44} {each.texts:,} texts kept, {each.oldest_days:.1f} days old at most, of {whose}")
    if left:
        due = max(0.0, days - max(each.oldest_days for each in left))
        say(f"texts younger than {days:g} days are kept; the first are due in {due:.1f} days: give the command again")
