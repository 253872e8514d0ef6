"""`factory bundle DATASET|FOLDER --check`: whether everything that answers for a dataset says the same.

Design: a dataset is checked with every bundle in its records (with --out: the one in that folder); the folder of a
bundle with the dataset that it lies beside, and where there is none, its documents with each other. Exit code 0, 1
where something disagrees, or NOT_FULLY_CHECKED where nothing does and another version of factory wrote a bundle.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from factory.errors import ConfigError

if TYPE_CHECKING:
    from factory.govern.check.bundle import Checked
    from factory.store.base import Store

    Place = tuple[Store, str]


NOT_FULLY_CHECKED = 9
"""Exit code where documents could not be compared word by word; 1 is a disagreement, 2 to 8 are those of errors."""


def run_check(args: argparse.Namespace) -> int:
    """Raises ConfigError where there is no bundle, StoreError where the manifest is not intact."""
    from factory.govern.bundle import INDEX
    from factory.govern.check.bundle import check, whole_dataset
    from factory.publish.locate import open_dataset, read_manifest, root_above
    from factory.publish.manifest import MANIFEST
    from factory.store.open import open_root

    named = open_root(args.dataset, endpoint_url=args.endpoint_url)
    if named.head(INDEX) is not None:
        beside = dataset_beside(args.dataset)
        dataset = open_root(beside, endpoint_url=args.endpoint_url) if beside else None
        if dataset is not None and dataset.head(MANIFEST) is None:
            dataset = None
        bundles = [(named, "")]
    else:
        dataset = open_dataset(args.dataset, args.endpoint_url)
        bundles = [_in_folder(args.out, args.endpoint_url)] if args.out else _in_records(dataset, args)
    whole = None
    if dataset is not None:
        root = args.root or root_above(dataset.uri)
        records = open_root(root, endpoint_url=args.endpoint_url) if root else None
        whole = whole_dataset(dataset, read_manifest(dataset), records)
    checked = check(whole, bundles, args.accept_other_version)
    _report(checked, None if dataset is None else dataset.uri, args.json)
    if checked.findings:
        return 1
    return 0 if checked.ok else NOT_FULLY_CHECKED


def _in_folder(folder: str, endpoint_url: str | None) -> Place:
    """Raises ConfigError where nothing is in it."""
    from factory.store.open import open_root

    store = open_root(folder, endpoint_url=endpoint_url)
    if not any(True for _ in store.list("")):
        raise ConfigError(
            f"there is no bundle in {folder}",
            cause="the folder is empty or not there: a mistyped path, or none was written to it yet",
            remedy="give the folder that `factory bundle DATASET --out FOLDER` wrote to; without --out the bundles "
            "beside the dataset are checked",
        )
    return store, ""


def _in_records(dataset: Store, args: argparse.Namespace) -> list[Place]:
    from factory.publish.locate import root_above

    if not args.root and root_above(dataset.uri) is None:
        raise ConfigError(
            f"{dataset.uri} does not lie under a root, so no bundle lies beside it",
            cause="the dataset was copied away from where it was made, without the bundle in its records",
            remedy="say where a bundle of it is: --out with that folder, or --root with the root it was made in",
        )
    return bundles_of(dataset, args.root, args.endpoint_url)


def dataset_beside(folder: str) -> str | None:
    """The address of the dataset whose records a bundle's folder lies in."""
    name, records, rest = folder.rstrip("/").rpartition("/records/")
    return f"{name}/{rest.partition('/')[0]}" if records else None


def bundles_of(dataset: Store, root: str | None, endpoint_url: str | None) -> list[Place]:
    """Every bundle in the records of a dataset. Raises ConfigError where there is none."""
    from factory.govern.bundle import INDEX
    from factory.publish.locate import read_manifest
    from factory.publish.places import records_prefix
    from factory.review.places import records_root

    manifest = read_manifest(dataset)
    store = records_root(dataset, root, endpoint_url)
    start = f"{records_prefix(manifest['name'], manifest['version'])}/bundle-"
    ends = f"/{INDEX}"
    found = sorted(info.key.removesuffix(ends) for info in store.list(start) if info.key.endswith(ends))
    if not found:
        erased = manifest.get("erased", ())
        raise ConfigError(
            f"{dataset.uri} has no bundle in its records",
            cause=f"rows were erased on {erased[-1]['at']}, and with them the bundle, which told of the dataset before"
            if erased
            else "it was published by a factory that wrote none, or its records were left behind",
            remedy="write one: factory bundle DATASET; where it lies elsewhere: --out FOLDER",
        )
    return [(store, prefix) for prefix in found]


def _report(checked: Checked, dataset: str | None, as_json: bool) -> None:
    from dataclasses import asdict

    import orjson

    from factory.printable import json_printable

    if as_json:
        print(json_printable(orjson.dumps({"ok": checked.ok, "dataset": dataset, **asdict(checked)}).decode()))
        return
    for finding in checked.findings:
        print(f"FAILED  {finding.in_words()}")
    for said in checked.unchecked:
        print(f"OPEN    {said}; check it with that version, write one with this (factory bundle DATASET), or say "
              "--accept-other-version")  # fmt: skip
    for note in checked.notes:
        print(f"note    {note}")
    for address in checked.bundles:
        print(f"bundle  {address}")
    held = f"held against {dataset}" if dataset else "held against each other: the dataset is not beside them"
    verdict = f"{len(checked.findings)} disagreements" if checked.findings else "no disagreement"
    verdict += ", not fully checked" if checked.unchecked else ""
    print(f"{checked.documents} documents read back, {held}: {verdict}")
