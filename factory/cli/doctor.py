"""`factory doctor ROOT`: what is wrong under a root, why, and what to do.

Design: looks and changes nothing (factory/run/diagnosis.py). Exit code 0 where nothing stands in the way, else 1. The
last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.run.diagnosis import Finding
    from factory.store.base import Store


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="what is wrong under a root, and what to do",
        description="Looks at every run of a root: records, commits, files, quarantined rows, what lost attempts left. "
        "Changes nothing. Exit code 0 where nothing stands in the way, else 1.",
    )
    parser.add_argument("root", metavar="ROOT", help="folder or s3://bucket/prefix given to runs as store.root")
    parser.add_argument("--run", dest="run_id", help="only this run id")
    parser.add_argument("--bytes", action="store_true", help="read every committed file and check its hash")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from factory.cli.status import all_records
    from factory.errors import ConfigError
    from factory.run.diagnosis import Finding, examine_run, guarded, worst_first
    from factory.run.root_diagnosis import examine_root
    from factory.store.open import open_root

    store = open_root(args.root, endpoint_url=args.endpoint_url)
    records: list[dict[str, Any]] = []
    findings: list[Finding] = []
    nothing: ConfigError | None = None
    try:
        records, damaged = all_records(store, args.run_id)
        findings += [Finding("a run's record", error.what, error.cause, error.remedy) for error in damaged]
    except ConfigError as error:
        nothing = error
    for record in records:
        findings += examine_run(store, record, args.bytes)
    findings += guarded("the root", partial(_left_behind, store, records))
    if args.run_id is None:
        findings += examine_root(store, {str(record["run"]) for record in records})
    if nothing is not None and not any(finding.broken for finding in findings):
        raise nothing  # no root of ours, or one in which nothing has been run
    for finding in worst_first(findings):
        _print(finding)
    broken = sum(finding.broken for finding in findings)
    runs = f"{len(records)} run{'s' if len(records) != 1 else ''}"
    unread = "" if args.bytes else "; bytes of files were not read (--bytes reads them)"
    print(f"{runs} looked at; findings that stand in the way: {broken or 'none'}{unread}")
    print(json.dumps({"root": store.uri, "ok": not broken, "findings": [each.to_json() for each in findings]}))
    return 1 if broken else 0


def _left_behind(store: Store, records: list[dict[str, Any]]) -> Iterator[Finding]:
    """What `factory gc` would remove."""
    from factory.cli.gc import longest_deadline
    from factory.errors import StoreError
    from factory.run.diagnosis import Finding
    from factory.store.garbage import orphans

    deadline = longest_deadline(records)
    files = size = 0
    for folder in sorted({folder for record in records for folder in record["steps"].values()}):
        try:
            for orphan in orphans(store, folder, deadline):
                files, size = files + 1, size + orphan.bytes
        except StoreError:
            continue  # the step's own findings name the commit
    if not files:
        return
    what = f"{files:,} files of {size / 2**20:,.1f} MiB are of attempts that never became a commit"
    yield Finding("the root", what, remedy=f"factory gc {store.uri} removes them", broken=False)


def _print(finding: Finding) -> None:
    print(f"{'broken' if finding.broken else 'note  '}  {finding.about}: {finding.what}")
    if finding.cause:
        print(f"          likely cause: {finding.cause}")
    if finding.remedy:
        print(f"          what to do:   {finding.remedy}")
