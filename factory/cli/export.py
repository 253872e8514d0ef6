"""`factory export DATASET --as FORM --out DIR`: a published dataset in a form that trainers read.

Design: what people read goes to stderr; the last line of stdout is one JSON object. The dataset has to be approved, as
for a mix; the same command finishes what was killed, and finds what is made.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "export",
        help="a published dataset or mix in a form that trainers read",
        description="Writes rows with a manifest of their own, which `factory verify` proves. Guide: docs/exports.md.",
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder or s3://… of one version of a dataset, or of a mix")
    parser.add_argument(
        "--as",
        dest="form",
        required=True,
        metavar="FORM",
        help="chat | prompt_completion | preference | interleaved | packed | generator",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="new folder or s3://…, outside datasets/")
    parser.add_argument(
        "--format", default="parquet", choices=("parquet", "jsonl", "jsonl.zst"), help="of the files (parquet)"
    )
    parser.add_argument(
        "--split", action="append", metavar="NAME", help="again for more than one (train; others are for testing)"
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="rows that meet it: level=1,2 or 'judge_score>=0.8' or license!=MIT; given again, all of them",
    )
    parser.add_argument("--verified", action="store_true", help="only rows that a verifier said yes to")
    parser.add_argument("--plain", action="store_true", help="prompt and answers as text instead of chats")
    parser.add_argument(
        "--by",
        default="any",
        choices=("verified", "majority", "any"),
        help="preference: what tells the better answer (any; verified pairs come first)",
    )
    parser.add_argument("--pairs", type=int, default=1, metavar="N", help="preference: of a question at most (1)")
    parser.add_argument("--template", metavar="FILE", help="interleaved: instead of the domain pack's")
    parser.add_argument("--of", default="chat", metavar="FORM", help="packed: of which form (chat)")
    parser.add_argument("--tokenizer", metavar="NAME", help="packed: folder, Hugging Face id, or smollm2")
    parser.add_argument("--tokenizer-revision", metavar="COMMIT", help="packed: of a Hugging Face id")
    parser.add_argument("--length", type=int, default=0, metavar="TOKENS", help="packed: of a row")
    parser.add_argument("--pad", action="store_true", help="packed: fill rows up to their length")
    parser.add_argument("--cut", action="store_true", help="packed: cut samples that are longer than a row")
    parser.add_argument(
        "--require",
        default="approved",
        choices=("approved", "not_withdrawn", "any"),
        help="which datasets are taken: approved ones, also drafts (not_withdrawn), or any (approved)",
    )
    parser.add_argument(
        "--processes", type=int, metavar="N", help="at once (one a core, for large datasets); each holds a shard"
    )
    parser.add_argument("--root", help="root of the run, where it is not above the dataset's datasets/ folder")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    import orjson

    from factory.export.forms import PACKED
    from factory.export.job import check, export
    from factory.export.recipe import Recipe
    from factory.export.run_of import run_config
    from factory.export.source import open_source
    from factory.export.template import read_template
    from factory.export.tokenizing import named_tokenizer
    from factory.govern.standing import Use, require_standing
    from factory.printable import json_printable
    from factory.run.progress import progress_for
    from factory.store.open import open_root, probe

    tokenizer = named_tokenizer(args.tokenizer, args.tokenizer_revision) if args.tokenizer else None
    recipe = Recipe(
        form=args.form,
        file_format=args.format,
        splits=tuple(dict.fromkeys(args.split or ["train"])),
        where=tuple(args.where),
        verified=args.verified,
        plain=args.plain,
        basis=args.by,
        pairs=args.pairs,
        of=args.of if args.form == PACKED else "",
        tokenizer=tokenizer.name if tokenizer else "",
        tokenizer_revision=tokenizer.revision if tokenizer else "",
        tokenizer_sha256=tokenizer.sha256 if tokenizer else "",
        tokenizer_at=tokenizer.folder if tokenizer else "",
        length=args.length,
        pad=args.pad,
        cut=args.cut,
    )
    source = open_source(args.dataset, args.root, args.endpoint_url)
    if "interleaved" in (recipe.form, recipe.of):
        domain = run_config(source, recipe).domain
        recipe = replace(recipe, template=read_template(args.template, domain))
    out = open_root(args.out, endpoint_url=args.endpoint_url)
    check(source, recipe, out)
    standing = require_standing(
        source.dataset.uri, args.require, Use("exported", "--require "), args.root, args.endpoint_url
    )
    probe(out)
    progress = progress_for(sys.stderr)
    try:
        made = export(source, recipe, out, standing, args.processes, progress.say)
        if made.already:
            progress.say("this export stands there already; nothing to do")
    finally:
        progress.close()
    print(json_printable(orjson.dumps(closing(made.manifest, out.uri, made.already)).decode()))
    return 0


def closing(manifest: Any, uri: str, already: bool) -> dict[str, Any]:
    """The JSON object that ends the command."""
    counts = manifest["totals"]["counts"]
    return {
        "export": uri,
        "form": manifest["form"],
        "dataset": f"{manifest['source']['name']}@{manifest['source']['version']}",
        "already_finished": already,
        "rows": manifest["totals"]["rows"],
        "splits": manifest["totals"]["splits"],
        "read": counts["read"],
        "used": counts["used"],
        "left_out": counts["left_out"],
        "facts": counts["facts"],
        "files": sum(1 for piece in manifest["pieces"] if piece["path"]),
        "digest": manifest["digest"],
    }
