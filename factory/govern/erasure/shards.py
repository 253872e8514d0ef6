"""Files of a published version as an erasure rewrites them: shards and the attribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from factory.identity import sha256_hex
from factory.publish.attribution import attribution_bytes
from factory.publish.finalise import encode_shard, uncompressed_bytes
from factory.publish.manifest import ATTRIBUTION
from factory.publish.places import path_after
from factory.publish.sources import SourceCounts
from factory.store.base import Store


def read_shard(store: Store, prefix: str, path: str) -> pa.Table:
    return pq.read_table(pa.BufferReader(store.get(f"{prefix}/{path}")))


def rewrite_shard(
    draft: Store, prefix: str, shard: Mapping[str, Any], table: pa.Table, erasure: str
) -> dict[str, Any] | None:
    """Puts the rows that stay in the place of a shard, under a name of their own; what describes the file, None where
    no row stays."""
    draft.delete(f"{prefix}/{shard['path']}")
    if not table.num_rows:
        return None
    path = path_after(shard["path"], erasure)
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    data = encode_shard(table, metadata)
    draft.put(f"{prefix}/{path}", data)
    return {
        "path": path,
        "split": shard["split"],
        "rows": table.num_rows,
        "bytes": len(data),
        "num_bytes": uncompressed_bytes(pq.read_metadata(pa.BufferReader(data))),
        "sha256": sha256_hex(data),
    }


def write_attribution(
    draft: Store, prefix: str, title: str, paths: list[str], sources: SourceCounts | None = None
) -> dict[str, Any]:
    """Writes ATTRIBUTION.md of the rows that stay; its entry in the manifest."""
    tables = (read_shard(draft, prefix, path).select(["attribution"]) for path in paths)
    data = b"".join(attribution_bytes(tables, title, sources.counted) if sources else attribution_bytes(tables, title))
    draft.put(f"{prefix}/{ATTRIBUTION}", data)
    return {"path": ATTRIBUTION, "bytes": len(data), "sha256": sha256_hex(data), "rows": None}
