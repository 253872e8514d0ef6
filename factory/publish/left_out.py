"""Samples that are there and are not published: what was found, at the very last, to repeat another dataset.

Design: the recheck (curate/index/recheck.py) rewrites no sample file; it names the few samples that go, and the steps
behind it leave them out as they read. Cost: a few small reads a worker process and step.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from factory.run.outputs import read_outputs
from factory.store.base import Store
from factory.store.parquet import read_parquet

LEFT_OUT = pa.schema([("sample_id", pa.string()), ("file", pa.string())])


def published(store: Store, parameters: Mapping[str, Any], samples: pa.Table) -> pa.Table:
    """The rows of `samples` that are published; `parameters["without"]` is the key of the recheck's outputs index,
    missing where nothing was rechecked."""
    if "without" not in parameters:
        return samples
    ids = left_out(store, parameters["without"])
    if not len(ids):
        return samples
    return samples.filter(pc.invert(pc.is_in(samples.column("sample_id"), value_set=ids)))


def left_out(store: Store, index: str) -> pa.Array:
    """Ids of the samples that are not published."""
    return _ids(store, tuple(output.file.key for output in read_outputs(store, index) if output.file.rows))


@lru_cache(maxsize=4)
def _ids(store: Store, keys: tuple[str, ...]) -> pa.Array:
    # Keys of committed files: what lies there never changes.
    columns = [read_parquet(store, key, ["sample_id"]).column("sample_id") for key in keys]
    return pa.concat_arrays([chunk for column in columns for chunk in column.chunks] or [pa.array([], pa.string())])
