"""`factory gc ROOT`: removes what lost attempts left behind, and nothing else.

Design: what is an orphan is decided in factory/store/garbage.py; here is only who is asked and what is said. May run
beside runs. The last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from factory.cluster.config import ClusterConfig
from factory.errors import ConfigError

if TYPE_CHECKING:
    from factory.store.base import Store


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "gc",
        help="remove the files of attempts that never became a commit",
        description="Removes files of attempts whose unit another attempt committed, or that are older than twice the "
        "deadline of attempts, and what killed writers left unfinished. Never a committed file, a receipt or a record; "
        "may run beside runs. Begin with --dry-run.",
    )
    parser.add_argument("root", metavar="ROOT", help="folder or s3://bucket/prefix given as store.root")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    parser.add_argument(
        "--deadline-s",
        type=float,
        help="the longest cluster.attempt_deadline_s of any run of this root; by default what its records say",
    )
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0. Raises ConfigError where nothing was ever run."""
    from factory.store.garbage import DEADLINES, orphans, remove, step_folders
    from factory.store.open import open_root

    store = open_root(args.root, endpoint_url=args.endpoint_url)
    if not any(True for _ in store.list("runs/")) and not any(True for _ in store.list("steps/")):
        raise ConfigError(
            f"there is no run under {store.uri}",
            cause="a mistyped root, or nothing has been run there yet",
            remedy="give the folder or s3:// address that the run had as store.root",
        )
    deadline = args.deadline_s if args.deadline_s is not None else longest_deadline(_records(store))
    files: Counter[str] = Counter()
    held = 0
    for folder in step_folders(store):
        mine: Counter[str] = Counter()
        size = 0
        for orphan in list(orphans(store, folder, deadline)):
            if args.dry_run or remove(store, folder, orphan):
                mine[orphan.why] += 1
                size += orphan.bytes
        for why, count in sorted(mine.items()):
            print(f"{folder}: {count:,} files{' would go' if args.dry_run else ' removed'}: {why}")
        files += mine
        held += size
    unfinished = 0 if args.dry_run else store.discard_unfinished("steps/", DEADLINES * deadline)
    if not files:
        print("nothing to remove: every file belongs to a commit, or to an attempt that may still commit")
    summary = {
        "root": store.uri,
        "dry_run": args.dry_run,
        "deadline_s": deadline,
        "files": sum(files.values()),
        "bytes": held,
        "by_reason": dict(files),
        "unfinished_writes": unfinished,
    }
    print(json.dumps(summary))
    return 0


def _records(store: Store) -> list[Mapping[str, Any]]:
    """Of every run; none for a root of steps alone. Raises StoreError where one is damaged: its deadline is unknown."""
    from factory.run.record import read_record, run_ids

    found = [read_record(store, run) for run in run_ids(store)]
    return [record for record in found if record is not None]


def longest_deadline(records: Sequence[Mapping[str, Any]]) -> float:
    """The longest deadline that any of the runs was given; the default where there are no records."""
    given = [record.get("config", {}).get("cluster", {}).get("attempt_deadline_s", 0) for record in records]
    return max(float(seconds) for seconds in [ClusterConfig().attempt_deadline_s, *given])
