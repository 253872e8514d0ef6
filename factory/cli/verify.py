"""`factory verify DATASET`: proves a published dataset; exit code 0 when every check holds, else 1.

Design: what people read goes to stderr, one line a check; the last line of stdout is one JSON object. With
`--bytes` the dataset is checked alone, wherever it was copied; without, also against the root it came from.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from factory.errors import ConfigError, FactoryError

if TYPE_CHECKING:
    from factory.govern.places import Found
    from factory.publish.checks import Check
    from factory.store.base import Store


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "verify",
        help="prove a published dataset: bytes, counts, order, splits, lineage",
        description="Exit code 0 when every check holds, else 1; the last line of stdout is one JSON object.",
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder or s3://… of one version of a dataset")
    parser.add_argument("--bytes", action="store_true", help="the dataset alone, away from its root")
    parser.add_argument("--signature", action="store_true", help="also that --public-key signed it and its approval")
    parser.add_argument("--public-key", metavar="FILE", action="append",
                        help="PEM, of `factory sign --new-key`; again where approvers have other keys")  # fmt: skip
    parser.add_argument("--root", help="root of the run, where it is not above the dataset's datasets/ folder")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import orjson

    from factory.printable import json_printable
    from factory.publish.checks import Check, summary
    from factory.publish.locate import open_dataset

    if args.signature != (args.public_key is not None):
        raise ConfigError("--signature and --public-key FILE belong together", remedy="give both, or neither")
    checks: list[Check] = []
    rows: int | None = None
    address = args.dataset
    try:
        dataset = open_dataset(args.dataset, args.endpoint_url)
        address = dataset.uri
        for check, published in verify(dataset, args.bytes, args.root, args.endpoint_url):
            rows = published
            checks.append(check)
            _say(check)
        if args.signature:
            for check in signed(args.dataset, args.public_key, args.bytes, args.root, args.endpoint_url):
                checks.append(check)
                _say(check)
    except (FactoryError, KeyError, TypeError, ValueError) as error:
        # A forged manifest with a right digest may hold anything; it is no reason to end without a verdict.
        checks.append(Check("readable", False, str(error)))
        print(f"FAILED  {error}", file=sys.stderr)
    found = None if args.bytes else found_at(address, args.root, args.endpoint_url)
    state = None
    try:
        state = state_at(found) if found is not None else None
    except FactoryError as error:
        checks.append(Check("sign-off", False, error.what))
        print(f"FAILED  {error}", file=sys.stderr)
    if state is not None:
        if state.get("contradictions"):
            checks.append(Check("sign-off", False, "; ".join(state["contradictions"])))
            _say(checks[-1])
        print(f"state   {state['why']}", file=sys.stderr)
    facts = {"dataset": address, "rows": rows, "mode": "bytes" if args.bytes else "full", "state": state}
    result = summary(checks, **facts)
    print(f"{address}: {'verified' if result['ok'] else 'NOT verified'}", file=sys.stderr)
    if found is not None and has_bundle(found):
        print(
            f"not looked at: the documents of its bundle; they are by `factory bundle {address} --check`",
            file=sys.stderr,
        )
    print(json_printable(orjson.dumps(result).decode()))
    return 0 if result["ok"] else 1


def _say(check: Check) -> None:
    print(f"{'ok    ' if check.ok else 'FAILED'}  {check.name:<15} {check.detail}", file=sys.stderr)


def signed(
    address: str, public_keys: Sequence[str], bytes_only: bool, root: str | None, endpoint_url: str | None
) -> Iterator[Check]:
    """Whether one of the keys has signed this very manifest, and one of them its approval. Raises ConfigError where
    keys or records cannot be found, StoreError where those are damaged."""
    from pathlib import Path

    from factory.govern.keys import read_public
    from factory.govern.places import find
    from factory.govern.signature import told, told_of_approvals, verdicts
    from factory.publish.checks import Check

    keys = [read_public(Path(each).expanduser()) for each in public_keys]
    found = find(address, root, endpoint_url)
    yield Check("signature", *told(verdicts(found.root, found.dataset, keys)))
    if not bytes_only:
        yield Check("signed sign-off", *told_of_approvals(found.root, found.dataset, keys))


def found_at(address: str, root: str | None, endpoint_url: str | None) -> Found | None:
    """The dataset and the root of its records; None where there is no dataset, or no place for records."""
    from factory.govern.places import find

    try:
        return find(address, root, endpoint_url)
    except FactoryError:  # the checks have said so
        return None


def state_at(found: Found) -> dict[str, Any]:
    """Whether the dataset is a draft, approved or withdrawn, by its records, and how many of its rows rest on withdrawn
    documents. Raises StoreError where they are damaged."""
    from factory.govern.resting import with_rows
    from factory.govern.state import state_of

    return with_rows(found.root, found.store, found.dataset, state_of(found.root, found.dataset)).to_json()


def has_bundle(found: Found) -> bool:
    """Whether a bundle lies in the dataset's records."""
    from factory.publish.places import records_prefix

    try:
        start = f"{records_prefix(found.dataset.name, found.dataset.version)}/bundle-"
        return any(True for _ in found.root.list(start))
    except FactoryError:  # the checks have said so
        return False


def verify(
    dataset: Store, bytes_only: bool, root: str | None, endpoint_url: str | None
) -> Iterator[tuple[Check, int | None]]:
    """Yields (check, rows of the dataset, None where it is not what it says). Raises FactoryError when a store or the
    root cannot be reached."""
    from factory.export.verify import is_export
    from factory.publish.locate import open_root_of
    from factory.publish.manifest import MANIFEST, kind_of
    from factory.publish.proof import verify_root
    from factory.publish.verify import verify_bytes

    if is_export(dataset):
        yield from _verify_export(dataset, bytes_only, root, endpoint_url)
        return
    if dataset.head(MANIFEST) is not None and kind_of(dataset.get(MANIFEST)) == "factory-mix":
        yield from _verify_mix(dataset, bytes_only, root, endpoint_url)
        return
    verified = verify_bytes(dataset)
    rows = verified.manifest["totals"]["rows"] if verified.manifest and verified.ok else None
    for check in verified.checks:
        yield check, rows
    if bytes_only or verified.manifest is None or not verified.ok:
        return  # lineage of rows that are not the published ones proves nothing
    root_store = open_root_of(dataset, verified.manifest["run"], root, endpoint_url)
    for check in verify_root(root_store, dataset, "", verified.manifest):
        yield check, rows


def _verify_export(
    export: Store, bytes_only: bool, root: str | None, endpoint_url: str | None
) -> Iterator[tuple[Check, int | None]]:
    """The same of an export: its root is where the dataset lies that it was made of, and need not be named."""
    from factory.export.verify import verify_export, verify_source
    from factory.store.open import open_root

    verified = verify_export(export)
    rows = verified.manifest["totals"]["rows"] if verified.manifest and verified.ok else None
    for check in verified.checks:
        yield check, rows
    where = root or (export.uri.rpartition("/exports/")[0] if "/exports/" in export.uri else "")
    if not bytes_only and where and verified.manifest is not None and verified.ok:
        yield verify_source(open_root(where, endpoint_url=endpoint_url), verified.manifest), rows


def _verify_mix(
    dataset: Store, bytes_only: bool, root: str | None, endpoint_url: str | None
) -> Iterator[tuple[Check, int | None]]:
    """The same of a mix (factory/mix): its root is where published datasets it was made of may lie."""
    from factory.mix.verify import verify_inputs, verify_mix
    from factory.publish.locate import root_above
    from factory.store.open import open_root

    verified = verify_mix(dataset)
    rows = verified.manifest["totals"]["rows"] if verified.manifest and verified.ok else None
    for check in verified.checks:
        yield check, rows
    if bytes_only or verified.manifest is None or not verified.ok:
        return
    where = root or root_above(dataset.uri)
    if not where and any(each["dataset"] for each in verified.manifest["inputs"]):
        raise ConfigError(
            f"{dataset.uri} does not lie under a root",
            cause="the mix was copied away from where it was made, so the datasets it was made of cannot be looked up",
            remedy="pass --root with its root, or verify the mix alone with --bytes",
        )
    inputs = open_root(where, endpoint_url=endpoint_url) if where else dataset
    yield verify_inputs(inputs, verified.manifest), rows
