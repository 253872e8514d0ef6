"""`factory approve DATASET --as NAME`: a dataset is approved, or it is said what stands in the way.

Design: `--dry-run` only looks, `--figures` lists what conditions can name and what was measured; `--revoke` takes an
approval back by a record of its own; `--key` signs the record, beside it. Exit code 7 where something stands in the
way, as for a gate.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from factory.govern.approval import Examined
    from factory.govern.facts import Facts
    from factory.govern.places import Found
    from factory.govern.records import Record


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "approve",
        help="approve a published dataset, or take an approval back",
        description="A dataset is a draft until somebody who may has approved it. Refused, with every reason, where a "
        "gate failed, a threshold does not hold or was not measured, or the name may not approve. docs/approval.md.",
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder or s3://… of one version of a dataset")
    parser.add_argument("--as", dest="by", metavar="NAME", help="who approves, as governance.approvers names them")
    parser.add_argument("--role", default="", help="in what role: data owner, review board, …")
    parser.add_argument("--note", default="", help="why, in a sentence; with --revoke required")
    parser.add_argument("--condition", action="append", default=[], metavar="TEXT",
                        help="what whoever uses it must keep to; may be given again")  # fmt: skip
    parser.add_argument("--review-board", metavar="REF", help="instead of governance.review_board")
    parser.add_argument(
        "--key", metavar="FILE", help="private key, PEM, to sign the record with (factory sign --new-key)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--revoke", action="store_true", help="take the approval back")
    what.add_argument("--dry-run", action="store_true", help="say what stands in the way, record nothing")
    what.add_argument("--figures", action="store_true", help="the figures that thresholds can name, as measured")
    parser.add_argument("--root", help="root of the records, where it is not above the dataset's datasets/ folder")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the lines")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from factory.errors import ConfigError
    from factory.govern.approval import Approver, approve, examine, revoke
    from factory.govern.places import facts_at, find
    from factory.publish.intact import Data

    found = find(args.dataset, args.root, args.endpoint_url)
    facts = facts_at(found)
    if args.figures:
        return _figures(args, found, facts)
    if not args.by:
        raise ConfigError("nobody is named who approves", remedy="say who you are: --as NAME")
    key = None
    if args.key:  # before anything is recorded: a key that cannot be used
        from factory.govern.keys import read_private

        key = read_private(Path(args.key).expanduser())
    approver = Approver(args.by, args.role, args.note, tuple(args.condition), args.review_board)
    if args.revoke:
        if not args.note:
            raise ConfigError("--revoke without a reason", remedy="say why: --note TEXT")
        record = revoke(found.root, facts, approver)
        signed = _signed(found, record, key)
        return _say(args, f"{found.dataset.title} is a draft again: record {record.number}{signed}", asdict(record))
    if args.dry_run:
        examined = examine(found.root, facts, args.by, Data(found.store))
        _thresholds(args, examined)
        for obstacle in examined.obstacles:
            print(f"in the way: {obstacle}", file=sys.stderr)
        clear = not examined.obstacles
        told = {"may_be_approved": clear, "obstacles": list(examined.obstacles), "state": examined.state.to_json()}
        _say(args, "nothing stands in the way of an approval" if clear else "it cannot be approved", told)
        return 0 if clear else 7
    record, examined = approve(found.root, facts, approver, Data(found.store))
    _thresholds(args, examined)
    line = f"{found.dataset.title} is approved by {record.by}: record {record.number}, manifest {record.subject}"
    line += _signed(found, record, key)
    return _say(args, line, asdict(record))


def _signed(found: Found, record: Record, key: Ed25519PrivateKey | None) -> str:
    """Signs the record where there is a key; what to say of it."""
    if key is None:
        return ""
    from factory.govern.keys import key_id
    from factory.govern.records import signoff_prefix
    from factory.govern.signature import sign_record

    prefix = signoff_prefix(found.dataset.name, found.dataset.version)
    return f", signed by {key_id(key.public_key())[:12]}: {sign_record(found.root, prefix, record, key)}"


def _thresholds(args: argparse.Namespace, examined: Examined) -> None:
    if args.json:
        return
    for each in examined.thresholds:
        print(
            f"{'ok    ' if each.outcome.holds else 'FAILED'}  {each.group:<8} {each.outcome.in_words}", file=sys.stderr
        )
    for warning in examined.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _figures(args: argparse.Namespace, found: Found, facts: Facts) -> int:
    from factory.govern.figures import listed, read_evaluations

    evaluations = read_evaluations(found.root, facts.name, facts.version, facts.digest)
    figures = listed(evaluations)
    if not args.json:
        for name, each in figures.items():
            print(f"{name}  {each.value:.6g}" if each.value is not None else f"{name}  no value: {each.why}")
    line = f"{len(figures)} figures of {len(evaluations)} evaluations"
    return _say(args, line, {"figures": {name: each.value for name, each in figures.items()}})


def _say(args: argparse.Namespace, line: str, told: dict[str, Any]) -> int:
    import orjson

    from factory.printable import json_printable

    print(json_printable(orjson.dumps(told).decode()) if args.json else line)
    return 0
