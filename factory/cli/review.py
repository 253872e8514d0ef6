"""`factory review DATASET`: people look at rows in a browser; what they decided, printed; and a gate on it.

Design: three uses of one command. With `--reviewer` it serves the page on 127.0.0.1 until Ctrl-C; with `--summary` it
prints what all reviews of the version say; with `--require` it also exits with 7 unless the conditions hold. Decisions
go beside the dataset, below datasets/<name>/records/, never into it.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from factory.review.server import ReviewServer
    from factory.review.session import Session
    from factory.review.summary import Summary
    from factory.store.base import Store


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "review",
        help="look at rows in a browser, accept or reject them; agreement; a gate",
        description="Serves a page on 127.0.0.1 where a reviewer decides on a sample of rows (--reviewer), or prints "
        "what reviewers decided (--summary), or exits with 7 unless it is good enough (--require). docs/review.md",
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder or s3://… of one version of a dataset")
    parser.add_argument("--reviewer", metavar="NAME", help="who decides: small letters, digits, - and _")
    parser.add_argument(
        "--draw",
        choices=("random", "stratified", "lowest-agreement"),
        help="which rows: at random (default), evenly over --by COLUMN (stratified), or where the samples of an "
        "answer agreed least",
    )
    parser.add_argument("--by", metavar="COLUMN", help="column of the stratified draw (level, subject, split, …)")
    parser.add_argument("--size", type=int, default=100, help="items to look at (100)")
    parser.add_argument("--seed", type=int, default=0, help="which ones: another seed, another draw (0)")
    parser.add_argument("--real", metavar="FILE", help="human items to mix in blindly: JSONL, JSON, CSV or Parquet")
    parser.add_argument(
        "--real-question", metavar="COLUMN", default="question", help="its column of questions (question)"
    )
    parser.add_argument(
        "--real-answer", metavar="COLUMN", default="answer", help="its column of answers, '' for none (answer)"
    )
    parser.add_argument("--pack", help="domain pack whose review.yaml lists reasons; default: the dataset's")
    parser.add_argument(
        "--review", metavar="ID", help="a review that exists, as --summary prints it, instead of a draw"
    )
    parser.add_argument("--summary", action="store_true", help="print what was decided; JSON is the last line")
    parser.add_argument("--require", metavar="CONDITIONS", help='exit 7 unless they hold: "accepted>=0.9,reviewed>=50"')
    parser.add_argument("--port", type=int, default=0, help="port of the page (a free one)")
    parser.add_argument("--open", action="store_true", help="open the page in this machine's browser")
    parser.add_argument("--root", help="root of the run, where it is not above the dataset's datasets/ folder")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0. Raises GateError (exit code 7) when --require does not hold, ConfigError for what cannot be used."""
    from factory.errors import ConfigError
    from factory.publish.locate import open_dataset, read_manifest
    from factory.review.places import records_root

    summing = args.summary or args.require is not None
    if summing == (args.reviewer is not None):
        raise ConfigError(
            "factory review needs --reviewer NAME, or --summary or --require",
            cause="both were given" if summing else "none of them was given",
            remedy="review with --reviewer NAME; print what was decided with --summary",
        )
    dataset = open_dataset(args.dataset, args.endpoint_url)
    manifest = read_manifest(dataset)
    records = records_root(dataset, args.root, args.endpoint_url)
    return _sum_up(args, dataset, manifest, records) if summing else _serve(args, dataset, manifest, records)


def _sum_up(args: argparse.Namespace, dataset: Store, manifest: Mapping[str, Any], records: Store) -> int:
    import orjson

    from factory.printable import json_printable
    from factory.review.gate import check, parse_conditions, require
    from factory.review.places import manifest_sha256
    from factory.review.section import as_json, lines, read_summaries
    from factory.review.sheet import find_sheet

    conditions = parse_conditions(args.require) if args.require is not None else []
    digest = manifest_sha256(dataset)
    if args.review is not None:
        find_sheet(records, manifest, digest, args.review)
    summaries = read_summaries(records, manifest["name"], manifest["version"], digest, args.review)
    if conditions:
        summaries = [_only(summaries)]
    for summary in summaries:
        print("\n".join(lines(summary)))
    outcomes = check(summaries[0], conditions) if conditions else []
    for outcome in outcomes:
        print(f"{'holds' if outcome.holds else 'FAILS'}  {outcome.condition}")
    if not summaries:
        print(f"nobody has reviewed {manifest['name']} {manifest['version']}")
    said = {
        "dataset": manifest["name"],
        "version": manifest["version"],
        "reviews": as_json(summaries),
        "required": [{"condition": each.condition, "value": each.value, "holds": each.holds} for each in outcomes],
    }
    print(json_printable(orjson.dumps(said).decode()))
    if conditions:
        require(outcomes, summaries[0].review)
    return 0


def _only(summaries: Sequence[Summary]) -> Summary:
    """The review that a gate asks, where there is no doubt which."""
    from factory.errors import ConfigError, GateError

    if not summaries:
        raise GateError(
            "nobody has reviewed this version",
            cause="reviews belong to a version: what was decided of an earlier one does not count here",
            remedy="factory review DATASET --reviewer NAME",
        )
    if len(summaries) > 1:
        known = ", ".join(summary.review for summary in summaries)
        raise ConfigError(
            f"this version has {len(summaries)} reviews, and --require asks one",
            cause="differently drawn samples cannot be pooled",
            remedy=f"name it with --review: {known}",
        )
    return summaries[0]


def _serve(args: argparse.Namespace, dataset: Store, manifest: Mapping[str, Any], records: Store) -> int:
    session, why = open_session(args, dataset, manifest, records)
    from factory.review.server import ReviewServer

    with ReviewServer(session, args.port) as server:
        _greet(server, session, why)
        if args.open:
            import webbrowser

            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print(f"\n{_progress(session)}; the same command goes on from here", file=sys.stderr)
    return 0


def open_session(
    args: argparse.Namespace, dataset: Store, manifest: Mapping[str, Any], records: Store
) -> tuple[Session, str]:
    """What the page talks to, with this reviewer's decisions loaded; and why source texts are not at hand, or ""."""
    import datetime

    from factory.errors import ConfigError
    from factory.publish.locate import open_root_of
    from factory.review.decisions import check_reviewer
    from factory.review.places import manifest_sha256
    from factory.review.prepare import Settings, prepare
    from factory.review.rows import load_rows, passages
    from factory.review.session import Session
    from factory.review.sheet import find_sheet

    def now() -> str:
        return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")

    reviewer = check_reviewer(args.reviewer)
    if args.review is not None:
        sheet = find_sheet(records, manifest, manifest_sha256(dataset), args.review)
    else:
        settings = Settings(
            draw=args.draw or ("stratified" if args.by else "random"),
            by=args.by,
            size=args.size,
            seed=args.seed,
            real=args.real,
            real_question=args.real_question,
            real_answer=args.real_answer or None,
            pack=args.pack,
        )
        sheet = prepare(dataset, manifest, records, settings, now())
    why = ""
    texts: Store | None = None
    try:
        texts = open_root_of(dataset, manifest["run"], args.root, args.endpoint_url)
    except ConfigError as error:
        why = f"{error.what} ({error.remedy})" if error.remedy else error.what
    session = Session(
        records, sheet, reviewer, load_rows(dataset, sheet), lambda shown: passages(texts, shown.sources, why), now
    )
    session.load()
    return session, "" if sheet.kind == "blind" else why


def _greet(server: ReviewServer, session: Session, why: str) -> None:
    sheet = session.sheet
    print(f"review {sheet.review}: {_progress(session)}", file=sys.stderr)
    if sheet.draw == "lowest-agreement" or sheet.strata:
        for stratum in sheet.strata:
            print(f"  {sheet.by}={stratum.name}: {stratum.drawn} of {stratum.rows:,} rows", file=sys.stderr)
    if why:
        print(f"source texts are not at hand: {why}", file=sys.stderr)
    print("open this address in a browser on this machine; Ctrl-C stops, nothing is lost", file=sys.stderr)
    print(server.address, flush=True)


def _progress(session: Session) -> str:
    decided = sum(entry["decided"] is not None for entry in session.state()["items"])
    return f"{session.reviewer} has decided {decided} of {len(session.sheet.items)} items"
