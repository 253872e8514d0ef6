"""The dataset that is exported: its manifest, the shards of the splits that were asked for, and its run's root.

Design: a dataset of a run or a mix, opened once; it travels to workers as it is, for stores hold no connection. A shard
is held against the manifest's hash before a row of it is used. Cost: a shard is read whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from factory.errors import ConfigError
from factory.identity import sha256_hex
from factory.mix.manifest import KIND as MIX
from factory.mix.manifest import MANIFEST_VERSION as MIX_VERSION
from factory.mix.manifest import MIXED
from factory.publish.locate import open_dataset, read_shard
from factory.publish.manifest import KIND, MANIFEST, MANIFEST_VERSION, Manifest, kind_of, published_schema, unseal
from factory.store.base import Store
from factory.store.objects import damaged


@dataclass(frozen=True)
class Source:
    """`dataset` has the dataset as its root; `manifest_sha256` is of the manifest's bytes. `root` is given where it is
    not above the dataset."""

    dataset: Store
    manifest: Manifest = field(hash=False)
    manifest_sha256: str
    root: str | None = None
    endpoint_url: str | None = None

    @property
    def mix(self) -> bool:
        return bool(self.manifest["kind"] == MIX)

    @property
    def schema(self) -> pa.Schema:
        return MIXED if self.mix else published_schema(self.manifest)

    @property
    def title(self) -> str:
        return f"{self.manifest['name']}@{self.manifest['version']}"

    def record(self) -> dict[str, Any]:
        """What an export's manifest says of it: nothing of this machine."""
        stated = self.manifest
        return {
            "kind": stated["kind"],
            "name": stated["name"],
            "version": stated["version"],
            "created": stated["created"],
            "run": stated.get("run"),
            "manifest_sha256": self.manifest_sha256,
            "digest": stated["digest"],
            "license": stated["license"]["dataset"],
        }


def open_source(address: str, root: str | None = None, endpoint_url: str | None = None) -> Source:
    """Raises ConfigError where there is no dataset at `address`, StoreError where its manifest is not intact."""
    dataset = open_dataset(address, endpoint_url)
    try:
        sealed = dataset.get(MANIFEST)
    except KeyError:
        raise ConfigError(
            f"there is no {MANIFEST} in {dataset.uri}",
            cause="this is not a dataset, or its publication was never finished",
            remedy="give the folder that the run printed last, <root>/datasets/<name>/<version>",
        ) from None
    of_mix = kind_of(sealed) == MIX
    kind, version = (MIX, MIX_VERSION) if of_mix else (KIND, MANIFEST_VERSION)
    manifest = unseal(sealed, f"{dataset.uri}/{MANIFEST}", kind, version)
    return Source(dataset, manifest, sha256_hex(sealed), root, endpoint_url)


@dataclass(frozen=True)
class ShardOf:
    """A shard of the dataset, and how many rows the manifest says it has."""

    split: str
    path: str
    rows: int


def shards_of(source: Source, splits: Sequence[str]) -> list[ShardOf]:
    """The shards of these splits, in their order. Raises ConfigError for a split that the dataset does not have."""
    there = [str(split["name"]) for split in source.manifest["splits"]]
    if missing := [split for split in splits if split not in there]:
        raise ConfigError(
            f"{source.title} has no split {missing[0]!r}",
            cause="its rows were not divided so, or no row fell into it",
            remedy=f"splits that it has: {', '.join(there)}",
        )
    return [
        ShardOf(shard["split"], shard["path"], shard["rows"])
        for split in splits
        for shard in source.manifest["shards"]
        if shard["split"] == split
    ]


def read_rows_of(source: Source, path: str, columns: Iterable[str]) -> pa.Table:
    """Some columns of a shard, those of them that rows of this kind have. Raises StoreError where the shard is gone or
    has other bytes than were published."""
    wanted = set(columns)
    names = [name for name in source.schema.names if name in wanted]
    data = read_shard(source.dataset, source.manifest, path)
    try:
        table = pq.read_table(pa.BufferReader(data), columns=names)
    except (pa.ArrowException, OSError) as error:
        raise damaged(source.dataset.uri, path, f"it is no Parquet: {error}") from None
    return table.select(names).replace_schema_metadata(None)


def read_beside(source: Source, path: str) -> bytes:
    """A file of the dataset that is no shard. Raises as `read_rows_of` does."""
    data = source.dataset.get(path)
    if sha256_hex(data) != next(entry["sha256"] for entry in source.manifest["files"] if entry["path"] == path):
        raise damaged(source.dataset.uri, path, "it has other bytes than the manifest names")
    return data
