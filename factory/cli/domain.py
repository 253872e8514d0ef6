"""`factory domain list|new|check`: the packs that come with the package, a new one, and what one lacks; `vocabulary` is
in vocabulary.py.

Exit code of `check`: 0 where a run can use the pack and its items come out as expected, else 1.
"""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.cli import vocabulary

if TYPE_CHECKING:
    from factory.domains.config import DomainConfig
    from factory.domains.examine import Examined


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "domain",
        help="domain packs: list them, begin a new one, check one",
        description="A domain pack is the folder that makes the factory good at one field. Guide: docs/packs.md.",
    )
    asked = parser.add_subparsers(dest="asked", required=True, metavar="list|new|check|vocabulary")
    listed = asked.add_parser("list", help="the packs that come with the package")
    listed.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    listed.set_defaults(run=run_list)
    new = asked.add_parser("new", help="write a pack that works, to be changed")
    new.add_argument("name", metavar="NAME", help="what rows will name it by: lower-case letters, digits, _ and -")
    new.add_argument("--path", metavar="DIR", help="folder to write; default: NAME in this folder")
    new.add_argument("--extends", metavar="PACK", default="general", help="the pack it takes the rest from")
    new.add_argument("--json", action="store_true", help="one JSON object instead of words")
    new.set_defaults(run=run_new)
    check = asked.add_parser(
        "check",
        help="what a pack has, inherits and lacks; its code tried on its items",
        description="Loads everything, renders every prompt, runs checks.py on items.jsonl. Exit code 1 on defects.",
    )
    check.add_argument("pack", metavar="NAME|DIR", help="a pack of the package, or the folder of your own")
    check.add_argument("--variant", metavar="NAME", help="render the prompts of this variant")
    check.add_argument("--show", metavar="PROMPT", help="print a prompt as a model gets it, with sample values")
    check.add_argument("--json", action="store_true", help="one JSON object instead of the report")
    check.set_defaults(run=run_check)
    vocabulary.add_parser(asked)


def run_list(args: argparse.Namespace) -> int:
    from factory.domains.config import DomainConfig
    from factory.domains.pack import load_pack, pack_folder, pack_values, shipped_packs, variants_of

    rows = []
    for name in shipped_packs():
        folder = pack_folder(DomainConfig(name=name))
        base = pack_values(folder)[1]
        row: dict[str, Any] = {"name": name, "extends": base.name if base else None, "folder": str(folder)}
        pack = load_pack(DomainConfig(name=name))
        rows.append(row | {"description": pack.description, "variants": variants_of(folder, base)})
    if args.json:
        print(json.dumps({"packs": rows}))
        return 0
    for row in rows:
        print(f"{row['name']:<18} {row['description']}")
        variants = ", ".join(["few-shot (null)", *row["variants"]])
        print(f"{'':<18} extends {row['extends'] or 'nothing'}; domain.variant: {variants}")
    print("use one with domain=NAME, your own with domain.path=DIR (factory domain new NAME begins one)")
    return 0


def run_new(args: argparse.Namespace) -> int:
    from factory.domains.writing import write_skeleton

    folder = Path(args.path) if args.path else Path(args.name)
    written = write_skeleton(args.name, folder, args.extends)
    if args.json:
        print(json.dumps({"name": args.name, "folder": str(folder), "files": [str(path) for path in written]}))
        return 0
    print("\n".join(f"wrote {path}" for path in written))
    named = shlex.quote(str(folder)), shlex.quote(f"domain.path={folder}")
    print(f"next:  factory domain check {named[0]}")
    print(f"then:  python -m jobs.run engine=scripted {named[1]} store.root=DIR   (docs/packs.md)")
    return 0


def run_check(args: argparse.Namespace) -> int:
    from factory.domains.examine import examine

    found = examine(config_of(args.pack, args.variant))
    if args.show is not None:
        return _shown(found, args.show)
    if args.json:
        print(json.dumps({**found.to_json(), "ok": not found.defects}))
    else:
        _report(found)
    return 1 if found.defects else 0


def config_of(pack: str, variant: str | None) -> DomainConfig:
    """A pack by its name, or by its folder: what is written as one, or is one and no pack of the package."""
    from factory.domains.config import DomainConfig
    from factory.domains.pack import shipped_packs

    is_folder = "/" in pack or (pack not in shipped_packs() and Path(pack).is_dir())
    return DomainConfig(path=pack, variant=variant) if is_folder else DomainConfig(name=pack, variant=variant)


def _report(found: Examined) -> None:
    print(f"{found.name} in {found.folder}" + (f", extends {found.extends}" if found.extends else ""))
    for part in found.parts:
        print(f"  {part.state:<10} {part.name:<30} {part.detail}".rstrip())
    if found.tried is not None:
        verdicts = ", ".join(f"{count} {kind}" for kind, count in found.tried.verdicts.items())
        print(f"items: {found.tried.items}; expected verdicts: {verdicts}")
        for name, (bad, good) in found.tried.gates.items():
            print(f"  gate {name}: {bad} to be found, {good} to be passed")
    for note in found.notes:
        print(f"note: {note}")
    for defect in found.defects:
        print(f"DEFECT: {defect}")
    print("defects: " + (str(len(found.defects)) if found.defects else "none"))


def _shown(found: Examined, name: str) -> int:
    from factory.errors import ConfigError

    if found.defects and not found.prompts:
        _report(found)
        return 1
    if name not in found.prompts:
        raise ConfigError(f"the pack has no prompt {name}", remedy=f"it has: {', '.join(found.prompts)}")
    print(found.prompts[name])
    return 0
