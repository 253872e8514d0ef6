"""What a unit of samples says of its rows: how many of each split and level, and how large they will be."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq

from factory.tasks.task import OPEN

SPLITS = ("train", "validation", "test")


def split_facts(table: pa.Table) -> dict[str, int]:
    """Rows and (proportional) compressed bytes of each split: what `plan_shards` needs."""
    rows = Counter(table.column("split").to_pylist())
    size = compressed_bytes(table) if table.num_rows else 0
    facts: dict[str, int] = {}
    for split in SPLITS:
        facts[f"{split}_rows"] = rows[split]
        facts[f"{split}_bytes"] = round(size * rows[split] / max(1, table.num_rows))
    return facts


def level_facts(table: pa.Table) -> dict[str, int]:
    """Rows of each level or task type: how much a run's walks gave, and whose a cost is."""
    return {f"level_{stratum}": rows for stratum, rows in sorted(Counter(strata(table)).items())}


def strata(rows: pa.Table) -> list[str]:
    """The level of each row, of answers or samples, or its task type where it is none of open questions: the end of
    the name of the stage that asked for it."""
    levels = [str(level) for level in rows.column("level").to_pylist()]
    if "task" not in rows.column_names:
        return levels
    tasks = rows.column("task").to_pylist()
    return [level if task in (None, OPEN) else task for level, task in zip(levels, tasks, strict=True)]


def compressed_bytes(table: pa.Table) -> int:
    """Size as Parquet; somewhat above its share of a large shard, which compresses better."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return int(sink.tell())
