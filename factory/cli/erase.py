"""`factory erase ROOT DOC_ID…`: takes documents, and everything that derives from them, out of a whole root.

Design: what is done is in factory/govern/erasure; here is only who asks and what is said. What people read goes to
stderr, the last line of stdout is one JSON object. Exit code 0 when nothing of them is left, 1 when something is.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.govern.erasure.erase import Done


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "erase",
        help="take a document and everything made of it out of a root, for good",
        description="Physically removes documents and all that derives from them: texts, questions, answers, requests, "
        "index entries, published rows. Begin with --dry-run. A killed command is finished by giving it again. "
        "docs/erasure.md says what goes, what stays and why.",
    )
    parser.add_argument("root", metavar="ROOT", help="folder or s3://bucket/prefix given as store.root")
    parser.add_argument("documents", metavar="DOC_ID", nargs="+", help="ids of documents, 32 hexadecimal digits")
    parser.add_argument("--reason", required=True, help="why, for the record; do not name the person")
    parser.add_argument("--by", help="who, for the record; by default the user of this process")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError where somebody works in the root, or no file of it has one of the documents."""
    from dataclasses import asdict

    import orjson

    from factory.govern.erasure.erase import erase, rehearse
    from factory.printable import json_printable
    from factory.store.open import open_root

    store = open_root(args.root, endpoint_url=args.endpoint_url)
    act = rehearse if args.dry_run else erase
    done = act(store, args.documents, args.reason, user() if args.by is None else args.by, say)
    tell(done, args.dry_run)
    print(json_printable(orjson.dumps({"root": store.uri, "dry_run": args.dry_run, **asdict(done)}).decode()))
    return 1 if done.left else 0


def user() -> str:
    """Who runs this process, as the system calls them."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def tell(done: Done, dry_run: bool) -> None:
    """What was done, what is left, and what no erasure of a root reaches."""
    would = "would be " if dry_run else ""
    for what, rows in done.rows.items():
        say(f"{what:<44} {rows:,}")
    say(f"files {would}added {done.files['added']:,}, replaced {done.files['replaced']:,}, "
        f"removed {done.files['removed']:,}")  # fmt: skip
    for key in done.unknown:
        say(f"a kind of file that is not known, left as it is: {key}")
    for document in done.alike:
        say(f"a document that nearly repeats one of them, and stays: {document}")
    for key in done.left:
        say(f"STILL THERE: {key} holds something of them")
    if not done.left:
        say(f"nothing of them {'would be' if dry_run else 'is'} left in any file of the root")
    for each in done.beyond:
        say(f"not reached: {each}")
