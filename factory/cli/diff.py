"""`factory diff A B`: how two published datasets differ, and which rows they share.

Design: reads both datasets alone, wherever they lie; what is compared is in factory/govern/difference.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.govern.difference.found import Difference


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "diff",
        help="how two published datasets differ: settings, prompts, models, filters, counts, rows",
        description="What B was made of and with differently than A, how far its distributions are from A's, and "
        "which rows both have. Reads both datasets and changes nothing. Guide: docs/governance.md.",
    )
    parser.add_argument("before", metavar="A", help="folder or s3://… of one version of a dataset, the earlier one")
    parser.add_argument("now", metavar="B", help="the one that is compared with it")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the text")
    parser.add_argument("--html", metavar="FILE", help="also write a page to this file")
    parser.add_argument(
        "--exit-code", action="store_true", help="exit code 1 where rows differ or were made in another way"
    )
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0, or 1 with --exit-code and a difference. Raises ConfigError where one of both is no dataset, StoreError where
    it is damaged."""
    import orjson

    from factory.evaluate.dataset.reading import read_dataset
    from factory.govern.difference.compare import compare
    from factory.govern.difference.words import in_terminal
    from factory.printable import json_printable

    before = read_dataset(args.before, endpoint_url=args.endpoint_url)
    now = read_dataset(args.now, endpoint_url=args.endpoint_url)
    difference = compare(before, now)
    if args.html:
        _write_page(args.html, difference)
    if args.json:
        print(json_printable(orjson.dumps(difference.to_json()).decode()))
    else:
        for line in in_terminal(difference):
            print(line)
    return 1 if args.exit_code and not difference.same else 0


def _write_page(file: str, difference: Difference) -> None:
    from pathlib import Path

    from factory.errors import ConfigError
    from factory.govern.difference.page import build_page

    try:
        Path(file).write_text(build_page(difference), encoding="utf-8")
    except OSError as error:
        folder = Path(file).absolute().parent
        raise ConfigError(
            f"the page cannot be written to {file}: {error.strerror or error}",
            cause="this user may not write there, it is a folder, or the disk is full"
            if folder.is_dir()
            else f"there is no folder {folder}",
            remedy="make the folder, or name a file in one that is there and yours to write",
        ) from None
    print(f"page: {file}", file=sys.stderr)
