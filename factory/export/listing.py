"""Exports that lie below a root: what `factory impact` names beside the datasets that they are copies of.

Design: below `exports/` of the root, by convention; an export that was written elsewhere is known to nobody but who
wrote it. Cost: one listing of that folder, and one small read an export.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from factory.errors import StoreError
from factory.export.manifest import EXPORT, KIND, MANIFEST_VERSION
from factory.publish.manifest import unseal
from factory.store.base import Store

FOLDER = "exports/"


@dataclass(frozen=True)
class Copy:
    """An export below a root: `prefix` of its folder, dataset and version it was made of, and its rows. A manifest that
    is not intact tells no dataset."""

    prefix: str
    dataset: str
    version: str
    form: str
    rows: int


def exports_below(root: Store) -> Iterator[Copy]:
    """In the order of their names."""
    for key in sorted(info.key for info in root.list(FOLDER) if info.key.endswith(f"/{EXPORT}")):
        prefix = key.removesuffix(f"/{EXPORT}")
        try:
            found = unseal(root.get(key), key, KIND, MANIFEST_VERSION)
            source = found["source"]
            copy = Copy(prefix, source["name"], source["version"], found["form"], int(found["totals"]["rows"]))
        except (StoreError, LookupError, TypeError, ValueError):
            copy = Copy(prefix, "", "", "not intact", 0)
        yield copy


def copies_of(root: Store, datasets: Iterable[tuple[str, str]]) -> list[Copy]:
    """Exports of these (name, version), and those of which nothing can be told."""
    wanted = set(datasets)
    return [copy for copy in exports_below(root) if not copy.dataset or (copy.dataset, copy.version) in wanted]
