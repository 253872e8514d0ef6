"""Where documents that were met more than once were found: a lookup by document id.

Design: the table (doc_id, origins) is sorted by doc_id; a worker keeps the ids of the last few tables in
memory (32 bytes each, 32 MB for a million merged documents) and reads only the row groups that hold what
it asks for. Cost: one read of the id column a process, then one row group read per hit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.store.base import Store
from factory.store.parquet import read_parquet, read_rows

Origins = Sequence[Mapping[str, Any]]
"""Structs with source, license, url, shard and shard_row."""


def read_origins(store: Store, key: str, doc_ids: set[str]) -> dict[str, Origins]:
    """Origins of those of `doc_ids` that the table knows. Raises KeyError when the table is gone."""
    known, rows = _ids(store, key)
    if not len(known) or not doc_ids:
        return {}
    wanted = np.array(sorted(doc_ids), dtype=_ID)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    found = sorted(int(row) for row in rows[places[known[places] == wanted]])
    if not found:
        return {}
    table = read_rows(store, key, found, ["doc_id", "origins"])
    return dict(zip(table.column("doc_id").to_pylist(), table.column("origins").to_pylist(), strict=True))


_ID = np.dtype("S32")


@lru_cache(maxsize=2)
def _ids(store: Store, key: str) -> tuple[npt.NDArray[np.bytes_], npt.NDArray[np.int64]]:
    """Sorted ids as bytes, and the row each lies in. A committed file never changes, so the cache holds."""
    column = read_parquet(store, key, ["doc_id"]).column("doc_id").to_pylist()
    ids = np.array(column, dtype=_ID)
    rows = np.argsort(ids, kind="stable")
    return ids[rows], rows
