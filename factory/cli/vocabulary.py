"""`factory domain vocabulary convert|check`: terminologies into the format that runs read, and a look at one."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

LAYOUTS = ("icd10cm-order", "icd10cm-codes", "mesh", "snomed")
"""Those of factory/vocabulary/layouts.py, which is imported when it is needed."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "vocabulary",
        help="terminologies of yours: convert public layouts, look at what one finds",
        description="Terminologies for domain.vocabulary.files. Guide: docs/vocabulary.md.",
    )
    asked = parser.add_subparsers(dest="vocabulary", required=True, metavar="convert|check")
    convert = asked.add_parser("convert", help="write the .tsv that runs read, from a public layout")
    convert.add_argument("layout", choices=LAYOUTS, metavar="LAYOUT", help=", ".join(LAYOUTS))
    convert.add_argument("source", metavar="FILE", help="the file of the release, unpacked")
    convert.add_argument("target", metavar="OUT.tsv", help="the file to write; none may be there")
    convert.add_argument("--json", action="store_true", help="one JSON object instead of words")
    convert.set_defaults(run=run_convert)
    check = asked.add_parser("check", help="terms, kinds and memory of vocabularies, and what they find in a text")
    check.add_argument("files", metavar="FILE", nargs="+", help=".tsv, .csv or .jsonl, in order of precedence")
    check.add_argument("--text", metavar="FILE", help="a text to look for their terms in")
    check.add_argument("--json", action="store_true", help="one JSON object instead of words")
    check.set_defaults(run=run_check)


def run_convert(args: argparse.Namespace) -> int:
    from factory.errors import ConfigError
    from factory.vocabulary.entries import write_entries
    from factory.vocabulary.layouts import read_layout

    target = Path(args.target)
    if target.suffix != ".tsv" or target.exists():
        raise ConfigError(
            f"{target} " + ("is there already" if target.exists() else "does not end in .tsv"),
            remedy="name a new file that ends in .tsv",
        )
    beside = target.with_name(target.name + ".part")
    try:
        terms = write_entries(read_layout(Path(args.source), args.layout), beside)
        beside.replace(target)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror or error}", remedy="name another one") from None
    finally:
        beside.unlink(missing_ok=True)
    if args.json:
        print(json.dumps({"file": str(target), "terms": terms}))
    else:
        print(f"wrote {target}: {terms:,} terms\nuse:   domain.vocabulary.files=[{target}]")
    return 0


def run_check(args: argparse.Namespace) -> int:
    from factory.vocabulary.config import VocabularyConfig
    from factory.vocabulary.entries import read_entries
    from factory.vocabulary.index import build_index

    config = VocabularyConfig()
    index = build_index(
        [(Path(file).name, read_entries(Path(file))) for file in args.files], config.definition_characters
    )
    kinds: dict[str, int] = {}
    for place in range(index.terms):
        kind = index.term(place).kind or "(none)"
        kinds[kind] = kinds.get(kind, 0) + 1
    found = _found(index, args.text) if args.text else None
    if args.json:
        print(json.dumps({"terms": index.terms, "names": len(index.keys), "kinds": kinds,
                          "bytes": index.bytes_held, "found": found}))  # fmt: skip
        return 0
    print(
        f"{index.terms:,} terms, {len(index.keys):,} ways of writing them, {index.bytes_held / 2**20:.1f} MiB of memory"
    )
    print(
        "kinds: " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items(), key=lambda each: -each[1]))
    )
    for term in found or ():
        print(f"  {term['written']!r}: {term['term']}" + (f" ({term['code']})" if term["code"] else ""))
    if found == []:
        print("no term of it stands in the text")
    return 0


def _found(index: Any, path: str) -> list[dict[str, str]]:
    from factory.errors import ConfigError

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", remedy="name a text file in UTF-8") from None
    found = []
    for each in index.found(text):
        term = index.term(each.place)
        written = text[each.start : each.end]
        found.append({"written": written, "term": term.term, "code": term.code, "kind": term.kind})
    return found
