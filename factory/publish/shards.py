"""The `shards` step: samples of one split and one range of order keys become one shard, in final order.

Design: order keys are uniform 64-bit hashes, so equal ranges of keys give equal shards, and each shard is
one independent unit that needs no shuffle: it reads every sample file and keeps its rows. Files are sorted
by (split, key), so row groups outside the range are not decoded. Cost: shards x sample files object reads;
at 128 MiB a shard and 256 rows a file that is 80 x 40,000 reads for ten million samples, spread over all
workers, some seconds a shard each.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.identity import ids_digest, make_id
from factory.publish.left_out import published
from factory.publish.sample_facts import SPLITS
from factory.publish.samples import KEYED_SAMPLE, keyed_schema
from factory.run.outputs import read_outputs
from factory.run.units import Unit, UnitResult
from factory.store.base import Store

STEP_VERSION = 3

KEY_BITS = 64

ROWS_A_SHARD = 16
"""Fewest rows worth a shard: keys are random, and with 16 expected an empty shard has odds of 1e-7."""

PARALLEL_READS = 16
"""Sample files read at once: each is a few hundred kB, so the wait is latency (5-30 ms on S3)."""


@dataclass(frozen=True)
class ShardPlan:
    """One shard: rows of `split` whose order key lies in [lo, hi], both 16 hexadecimal digits."""

    split: str
    index: int
    count: int
    lo: str
    hi: str

    def unit(self, outputs: str, **given: str) -> Unit:
        """The unit that makes it from the samples step's index `outputs`, without those that `given` leaves out
        (publish/left_out.py)."""
        parameters = {"outputs": outputs, "split": self.split, "lo": self.lo, "hi": self.hi, **given}
        return Unit(make_id("unit", "shards", self.split, self.lo, self.hi), parameters=parameters)


def plan_shards(facts: Mapping[str, int], shard_mib: int) -> list[ShardPlan]:
    """Shards of about `shard_mib` MiB. `facts` has `<split>_rows` and `<split>_bytes`, summed over the samples
    step's commits; a split without rows gets no shard."""
    plans: list[ShardPlan] = []
    for split in SPLITS:
        rows, size = facts.get(f"{split}_rows", 0), facts.get(f"{split}_bytes", 0)
        if not rows:
            continue
        count = max(1, min(-(-size // (shard_mib * 2**20)), rows // ROWS_A_SHARD))
        edges = [number * 2**KEY_BITS // count for number in range(count + 1)]
        plans.extend(
            ShardPlan(split, index, count, f"{edges[index]:016x}", f"{edges[index + 1] - 1:016x}")
            for index in range(count)
        )
    return plans


@dataclass(frozen=True)
class ShardStep:
    """Global: a unit names a split and a range of keys (see ShardPlan.unit). Rows keep their `split` and
    `key` columns; publishing drops them. `with_tasks`: rows have the columns of task types, `with_tags`:
    that of tags."""

    with_tasks: bool = False
    with_tags: bool = False

    name = "shards"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"schema": str(keyed_schema(self.with_tasks, self.with_tags))}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        split, lo, hi = unit.parameters["split"], unit.parameters["lo"], unit.parameters["hi"]
        keys = [output.file.key for output in read_outputs(store, unit.parameters["outputs"])]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            schema = keyed_schema(self.with_tasks, self.with_tags)
            parts = list(
                pool.map(lambda key: read_slice(store.get(key), split, int(lo, 16), int(hi, 16), schema), keys)
            )
        table = pa.concat_tables([schema.empty_table(), *parts])
        table = published(store, unit.parameters, table).sort_by([("key", "ascending"), ("sample_id", "ascending")])
        return UnitResult(
            inputs=table.num_rows,
            used=table.num_rows,
            tables=(table,) if table.num_rows else (),
            id_column="sample_id",
            input_ids_digest=ids_digest(table.column("sample_id").to_pylist()),
            facts={"split": split, "lo": lo},
        )


def read_slice(data: bytes, split: str, lo: int, hi: int, schema: pa.Schema = KEYED_SAMPLE) -> pa.Table:
    """Rows of a Parquet file of `schema` that belong to `split` and whose key lies in [lo, hi]."""
    file = pq.ParquetFile(pa.BufferReader(data))
    every = range(file.num_row_groups)
    groups = [number for number in every if _may_hold(file.metadata.row_group(number), split, lo, hi)]
    if not groups:
        return schema.empty_table()
    table = file.read_row_groups(groups).replace_schema_metadata(None)
    keys = table.column("key")
    inside = pc.and_(
        pc.equal(table.column("split"), split),
        pc.and_(pc.greater_equal(keys, pa.scalar(lo, pa.uint64())), pc.less_equal(keys, pa.scalar(hi, pa.uint64()))),
    )
    return table.filter(inside).cast(schema)


def _may_hold(group: pq.RowGroupMetaData, split: str, lo: int, hi: int) -> bool:
    """Whether a row group's statistics leave room for a row of the split and range."""
    bounds: dict[str, tuple[Any, Any]] = {}
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema in ("split", "key"):
            statistics = column.statistics
            if statistics is None or not statistics.has_min_max:
                return True
            bounds[column.path_in_schema] = (statistics.min, statistics.max)
    first, last = bounds["split"]
    if not first <= split <= last:
        return False
    least, most = bounds["key"]
    return bool(least <= hi and most >= lo)
