"""The erasures that a manifest tells of, against those that the records beside the dataset tell of."""

from __future__ import annotations

from collections.abc import Iterator

from factory.govern.check.findings import Finding, shown
from factory.govern.facts import Erased, Facts
from factory.publish.manifest import MANIFEST
from factory.publish.places import records_prefix
from factory.store.base import Store
from factory.store.objects import mapping_in, typed_in

NO_ROWS = "no erasure of that name"


def erasure_findings(root: Store, facts: Facts) -> Iterator[Finding]:
    """`root` is the one whose records the dataset has. Raises StoreError where a record is damaged."""
    prefix = f"{records_prefix(facts.name, facts.version)}/erasures/"
    keys = {info.key.removeprefix(prefix).removesuffix(".json"): info.key for info in root.list(prefix)}
    told = {each.erasure: each for each in facts.erased}
    for name in sorted(keys.keys() | told.keys()):
        field = f"erasure {name}"
        if name not in keys:
            yield Finding(MANIFEST, field, f"{told[name].rows:,} rows", f"{NO_ROWS}, as the records have it")
            continue
        record = tombstone_in(root.get(keys[name]), root.uri, keys[name])
        if name not in told:
            yield Finding(MANIFEST, field, NO_ROWS, f"{record.rows:,} rows, as the records have it")
        elif told[name] != record:
            yield Finding(
                MANIFEST,
                field,
                f"{told[name].rows:,} rows on {told[name].at}",
                f"{shown(record.rows)} rows on {record.at}",
            )


def tombstone_in(data: bytes, uri: str, key: str) -> Erased:
    """What an erasure left of a dataset in its records. Raises StoreError where the bytes are none."""
    return typed_in(Erased, mapping_in(data, uri, key, ("erasure", "at", "rows")), uri, key)
