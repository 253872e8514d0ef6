"""`factory impact ROOT DOC_ID | --license EXPR | --model ID`: what was published that rests on it.

Design: every dataset and mix below the root is searched, withdrawn ones too, and exports of those found are named where
they lie below its exports/; `--rows FILE` writes each row by name as Parquet or JSON lines. Exit code 0 whether
something was found or not, 1 where of a mix nothing can be told.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.export.listing import Copy
    from factory.govern.impact import Asked, Impact
    from factory.store.base import Store


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "impact",
        help="which published rows rest on a document, a licence or a model",
        description="Lists every dataset and mix below a root with rows that rest on it, with counts. "
        "docs/withdrawal.md.",
    )
    parser.add_argument("root", metavar="ROOT", help="folder or s3://bucket/prefix given to runs as store.root")
    parser.add_argument("document", metavar="DOC_ID", nargs="?", help="a document's id: 32 hexadecimal digits")
    parser.add_argument("--license", metavar="EXPR", help="an SPDX licence, or what the corpus called it")
    parser.add_argument("--model", metavar="ID", help="a model, or one revision of it: ID@REVISION")
    parser.add_argument("--rows", metavar="FILE", help="write every row by name: .parquet or .jsonl")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from factory.export.listing import copies_of
    from factory.govern.impact import asked, impact, listed_rows
    from factory.govern.listing import write_rows, writer_of
    from factory.govern.places import require_root
    from factory.store.open import open_root

    what = asked(args.document, args.license, args.model)
    write = writer_of(args.rows) if args.rows else None  # before the search: a name that cannot be written
    store = require_root(open_root(args.root, endpoint_url=args.endpoint_url))
    started = time.monotonic()
    found = impact(store, what, listing=write is not None)
    seconds = time.monotonic() - started
    copies = copies_of(store, [(hit.dataset.name, hit.dataset.version) for hit in found.hits]) if found.hits else []
    if write is not None:
        write_rows(write, listed_rows(found))
    hints = _hints(store, what, found)
    if args.json:
        import orjson

        from factory.printable import json_printable

        told = _told(store.uri, what, found, copies, seconds) | {"notes": hints}
        print(json_printable(orjson.dumps(told).decode()))
    else:
        _table(store.uri, what, found, copies, seconds)
        for hint in hints:
            print(f"note: {hint}", file=sys.stderr)
    return 1 if found.unresolved else 0


def _told(uri: str, what: Asked, found: Impact, copies: list[Copy], seconds: float) -> dict[str, Any]:
    return {
        "root": uri,
        what.kind: what.what,
        "rows": found.rows,
        "datasets": [
            {
                "dataset": hit.dataset.name,
                "version": hit.dataset.version,
                "kind": "mix" if hit.dataset.mix else "dataset",
                **hit.state.to_json(),
                "rows": hit.rows,
                "of": hit.dataset.rows,
                "shards": hit.shards,
                "roles": list(hit.roles),
            }
            for hit in found.hits
        ],
        "exports": [asdict(copy) for copy in copies],
        "searched": {"datasets": found.searched, "rows": found.searched_rows, "seconds": round(seconds, 3)},
        "unresolved": found.unresolved,
    }


def _hints(store: Store, what: Asked, found: Impact) -> list[str]:
    """What an answer leaves open, an empty one above all."""
    from factory.govern.empty_answers import document_hints, model_hints
    from factory.govern.licence_hints import licence_hints

    if what.kind == "license":
        return licence_hints(what.what, found.rows, found.licences)
    if what.kind == "model":
        return model_hints(what.what, found.rows, found.models)
    return document_hints(store, what.what, found.rows)


def _table(uri: str, what: Asked, found: Impact, copies: list[Copy], seconds: float) -> None:
    for hit in found.hits:
        kind = "mix" if hit.dataset.mix else "dataset"
        roles = f"  all of them: it worked as {', '.join(hit.roles)}" if hit.roles else ""
        rows = f"{hit.rows:>12,} of {hit.dataset.rows:>12,} rows"
        print(f"{hit.dataset.title:<40} {kind:<8}{hit.state.name:<10}{rows}{roles}")
    for copy in copies:
        of = f"{copy.dataset}@{copy.version} as {copy.form}" if copy.dataset else "not intact: of what, nobody can say"
        print(f"{copy.prefix:<40} export  copies of these rows may be among its {copy.rows:,}, of {of}")
    for title, why in found.unresolved.items():
        print(f"{title}: nothing can be told, {why}", file=sys.stderr)
    mixes = sum(hit.dataset.mix for hit in found.hits)
    print(
        f"{what.kind} {what.what}: {found.rows:,} rows of datasets ({len(found.hits) - mixes}) and mixes ({mixes}) "
        f"rest on it (searched {found.searched_rows:,} rows of {found.searched} below {uri} in {seconds:.2f} s)"
    )
