"""`factory withdraw DATASET | --document ID`: a dataset, or a source document of a whole root, is marked as withdrawn.

Design: a record, nothing else: what was published stays as it is, and says so. A withdrawn document's rows are left out
by whatever is published from then on; `factory impact` lists those that are published already.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from factory.errors import ConfigError

if TYPE_CHECKING:
    from factory.govern.records import Record


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "withdraw",
        help="mark a dataset, or a source document, as withdrawn",
        description="jobs.mix and approvals refuse a withdrawn dataset. What is published after a document was "
        "withdrawn does without it: give the run's command again. docs/withdrawal.md.",
    )
    parser.add_argument("dataset", metavar="DATASET", nargs="?", help="folder or s3://… of one version of a dataset")
    parser.add_argument("--document", metavar="ID", help="a document's id, of the root given with --root")
    parser.add_argument("--reason", required=True, help="why, in a sentence")
    parser.add_argument("--as", dest="by", required=True, metavar="NAME", help="who withdraws it")
    parser.add_argument("--role", default="", help="in what role")
    parser.add_argument("--reinstate", action="store_true", help="take a withdrawal back; for those who may approve")
    parser.add_argument("--unknown", action="store_true", help="also a document that nothing in the root has read yet")
    parser.add_argument("--root", help="root, where it is not above the dataset's datasets/ folder")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if bool(args.dataset) == bool(args.document):
        raise ConfigError(
            "one thing at a time is withdrawn", remedy="name a dataset, or --document ID with --root ROOT"
        )
    return _document(args) if args.document else _dataset(args)


def _document(args: argparse.Namespace) -> int:
    from factory.govern.impact import asked, impact
    from factory.govern.places import require_root
    from factory.govern.seen import require_seen
    from factory.govern.withdrawals import reinstate_document, withdraw_document
    from factory.store.open import open_root

    if not args.root:
        raise ConfigError("a document is withdrawn for a whole root", remedy="say which: --root ROOT")
    root = require_root(open_root(args.root, endpoint_url=args.endpoint_url))
    found = impact(root, asked(args.document, None, None))
    if args.reinstate:
        resting = [hit.dataset for hit in found.hits]
        record = reinstate_document(root, args.document, args.by, args.role, args.reason, resting)
    else:
        if not found.hits and not args.unknown:
            require_seen(root, args.document)
        record = withdraw_document(root, args.document, args.by, args.role, args.reason)
        for hit in found.hits:
            print(f"{hit.rows:,} rows of {hit.dataset.title} rest on it ({hit.state.name})", file=sys.stderr)
        print(
            "give the commands of the runs that published them again: they publish without it"
            if found.hits
            else f"no row published below {root.uri} rests on it",
            file=sys.stderr,
        )
    done = "no longer withdrawn" if args.reinstate else "withdrawn"
    return _say(args, f"document {args.document} is {done} below {root.uri}: record {record.number}", record)


def _dataset(args: argparse.Namespace) -> int:
    from factory.govern.places import find
    from factory.govern.withdrawals import reinstate_dataset, withdraw_dataset

    found = find(args.dataset, args.root, args.endpoint_url)
    change = reinstate_dataset if args.reinstate else withdraw_dataset
    record = change(found.root, found.dataset, args.by, args.role, args.reason)
    again = "" if found.dataset.mix else ", and a draft until it is approved again"
    done = f"no longer withdrawn{again}" if args.reinstate else "withdrawn"
    return _say(args, f"{found.dataset.title} is {done}: record {record.number}", record)


def _say(args: argparse.Namespace, line: str, record: Record) -> int:
    import orjson

    from factory.printable import json_printable

    print(json_printable(orjson.dumps(asdict(record)).decode()) if args.json else line)
    return 0
