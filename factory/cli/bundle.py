"""`factory bundle DATASET`: every document that answers for a dataset, made from its manifest.

Design: written into the records beside the dataset, where publishing has written it already, or into a folder of one's
own with `--out`; the dataset is only read. Exit code 0, or 1 where a document lacks what its kind requires. `--check`
writes nothing (bundle_check.py).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.govern.bundle import Bundle


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "bundle",
        help="write the documents that answer for a dataset: Croissant, provenance, bills of materials, summaries",
        description="Makes every document of the governance bundle from the dataset's manifest and puts what is not "
        "there yet into datasets/NAME/records/VERSION/bundle-…/ of its root, or into FOLDER. The dataset is not "
        "touched. Exit code 0, or 1 where a document lacks what its kind requires.",
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder or s3://… of one version of a dataset")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing: hold every document against the dataset and its files; DATASET may be a bundle's folder",
    )
    parser.add_argument(
        "--accept-other-version",
        action="store_true",
        help="with --check: take a bundle that another version of factory wrote for checked, though it was compared in "
        "what its documents claim and not in each word (else exit code 9)",
    )
    parser.add_argument("--out", metavar="FOLDER", help="folder or s3://… to write to instead of the dataset's records")
    parser.add_argument("--root", help="root whose records to write to, where it is not above the dataset")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the list")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Raises FactoryError where the dataset cannot be read or the bundle cannot be written."""
    from factory.cli.bundle_check import run_check
    from factory.govern.bundle import bundle_of, write_bundle
    from factory.publish.locate import open_dataset, read_manifest
    from factory.store.open import open_root

    if args.check:
        return run_check(args)
    dataset = open_dataset(args.dataset, args.endpoint_url)
    manifest = read_manifest(dataset)
    target = args.out or _root_of(dataset.uri, args.root)
    bundle = bundle_of(dataset, manifest)
    store, prefix = open_root(target, endpoint_url=args.endpoint_url), "" if args.out else bundle.prefix
    new = write_bundle(store, bundle, prefix)
    where = f"{store.uri.rstrip('/')}/{prefix}".rstrip("/")
    _report(bundle, where, new, args.json)
    return 1 if bundle.problems else 0


def _root_of(address: str, root: str | None) -> str:
    """The root below which the dataset's records lie. Raises ConfigError where its address does not say."""
    from factory.errors import ConfigError
    from factory.publish.locate import root_above

    where = root or root_above(address)
    if where is None:
        raise ConfigError(
            f"{address} does not lie under a root, so there are no records to write to",
            cause="the dataset was copied away from where it was made",
            remedy="pass --out with a folder for the documents, or --root with the root of the run",
        )
    return where


def _report(bundle: Bundle, where: str, new: bool, as_json: bool) -> None:
    import orjson

    from factory.govern.bundle import listed
    from factory.printable import json_printable

    if as_json:
        shown = {
            "bundle": where,
            "digest": bundle.digest,
            "written": new,
            "documents": listed(bundle.files),
            "problems": bundle.problems,
        }
        print(json_printable(orjson.dumps(shown).decode()))
        return
    for path, data in sorted(bundle.files.items()):
        print(f"{len(data):>10,}  {path}")
        for problem in bundle.problems.get(path, ()):
            print(f"            {problem}")
    print(f"{where}: {'written' if new else 'was there already, unchanged'}")
