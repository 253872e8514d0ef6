"""`factory lineage`: the OpenLineage events of a dataset, to look at or to send where a live run could not.

Design: rebuilt from the manifest, so they are there for every dataset, whether its run emitted events or not. A server
gets them one after the other; one that has some already sees the same runs again. A file gets those it does not hold.
Exit code 0 when all are there, else 1.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.observe.delivery import Target

TRIES = 4
PAUSE_S = 0.5
"""Before the second try at an event; doubled each time."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "lineage",
        help="OpenLineage events of a dataset",
        description="Prints the OpenLineage run events of a dataset, one a line, or sends them to a server or a file. "
        "Exit code 0 when all of them are there, else 1.",
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder or s3://… of one version of a dataset")
    parser.add_argument(
        "--to",
        metavar="URL|FILE",
        help="server that takes events (without a path: /api/v1/lineage; token in OPENLINEAGE_API_KEY), or file to "
        "append to; without it they are printed",
    )
    parser.add_argument("--timeout", type=float, default=10.0, metavar="S", help="seconds a server may take (10)")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.add_argument("--json", action="store_true", help="what was sent as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import orjson

    from factory.errors import ConfigError
    from factory.govern.documents.openlineage import render
    from factory.govern.facts import facts_of
    from factory.observe.delivery import target_of
    from factory.printable import json_printable
    from factory.publish.locate import open_dataset, read_manifest

    if not args.timeout > 0:
        raise ConfigError(f"--timeout is {args.timeout:g} seconds", remedy="give a number above 0")
    target = target_of(args.to, args.timeout) if args.to is not None else None
    data = render(facts_of(read_manifest(open_dataset(args.dataset, args.endpoint_url))))
    lines = data.splitlines(keepends=True)
    if target is None:
        for text in lines:
            print(json_printable(text.decode().rstrip()))
        return 0
    held = _held(target)
    missing = [text for text in lines if said(text) not in held]
    sent, why = _sent(target, missing)
    told = {"events": len(lines), "sent": sent, "there_before": len(lines) - len(missing), "to": target.where}
    if args.json:
        print(json_printable(orjson.dumps({**told, "error": why or None}).decode()))
    else:
        there = f"; {told['there_before']} were there before" if told["there_before"] else ""
        print(f"{sent} of {len(missing)} events sent to {target.where}{there}")
    if sent < len(missing):
        print(f"event {sent + 1} did not get through: {why}\n{_way_out(target)}", file=sys.stderr)
        return 1
    return 0


def _way_out(target: Target) -> str:
    from factory.observe.delivery import File

    if isinstance(target, File):
        return (
            "  likely cause: this user may not write the file, or the disk is full\n"
            "  what to do:   name a file of yours, or make room; the same command then adds what is missing"
        )
    return (
        "  likely cause: the server is down, out of reach, or wants a token (OPENLINEAGE_API_KEY)\n"
        "  what to do:   give the command again when the other side is there; what it has by then does no harm"
    )


def said(text: bytes) -> tuple[str, str] | None:
    """Of which run an event says what: a live run's end has another time than the one that is rebuilt, and is the same
    end. None for a line that is no event."""
    import orjson

    try:
        event = orjson.loads(text)
        return str(event["run"]["runId"]), str(event["eventType"])
    except (ValueError, LookupError, TypeError):
        return None


def _held(target: Target) -> set[tuple[str, str] | None]:
    """What a file says already. Raises ConfigError where it cannot be read."""
    from pathlib import Path

    from factory.errors import ConfigError
    from factory.observe.delivery import File

    if not isinstance(target, File) or not Path(target.where).is_file():
        return set()
    try:
        with Path(target.where).open("rb") as file:
            return {said(text) for text in file}
    except OSError as error:
        raise ConfigError(
            f"lineage events cannot be added to {target.where}: {error.strerror}",
            cause="this user may not read what it holds already, so events would stand in it twice",
            remedy="name a file of yours",
        ) from None


def _sent(target: Target, lines: list[bytes]) -> tuple[int, str]:
    """How many got through before one did not, and why that."""
    import time

    from factory.observe.delivery import RefusedError, UnsentError

    for number, text in enumerate(lines):
        why = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(PAUSE_S * 2 ** (attempt - 1))
            try:
                target.send(text)
            except UnsentError as error:
                why = str(error)
            except RefusedError as error:
                return number, str(error)
            else:
                break
        else:
            return number, why
    return len(lines), ""
