"""Bringing rows together that rest on the same file of the run, so that each such file is read once.

Design: published rows are shuffled, and what the run kept beside them (requests, documents) lies in files of its units.
Rows are dealt out by the hash of the file that they name, to as many parts as the split has shards: a part is about as
large as a shard, and all that rests on one file lies in one part. Parts are Arrow files in a temporary folder of this
machine, written a shard at a time; killed, that is done again. Rows of a part stay in the order of the dataset.
Cost: the columns a form needs, written and read once locally.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.ipc as ipc
import xxhash

from factory.export.source import ShardOf


@dataclass(frozen=True)
class Part:
    """Part `number` of `parts` of a split whose rows lie below `folder`."""

    folder: str
    split: str
    number: int
    parts: int


def deal(part: Part, rows: pa.Table, files: Sequence[str], left_out: dict[str, int]) -> None:
    """Deals the rows of the shard that has this part's number out to all parts of its split. `files` are parallel to
    the rows; `left_out` counts rows of the shard that were not asked for, which the part of its number tells of."""
    codes = {name: xxhash.xxh64_intdigest(name.encode()) % part.parts for name in dict.fromkeys(files)}
    chosen = np.array([codes[name] for name in files], np.int64)
    for number in np.unique(chosen).tolist():
        table = rows.filter(pa.array(chosen == number))
        with ipc.new_file(str(_file(part.folder, part.split, number, part.number)), table.schema) as sink:
            sink.write_table(table)
    _facts(part).write_bytes(orjson.dumps({"left_out": left_out}))


def gathered(part: Part) -> tuple[pa.Table | None, int, dict[str, int]]:
    """The rows of a part (None: there are none), how many count as read for it, and how many of those were left out
    before: its own rows, and those of the shard of its number that were not asked for."""
    tables = []
    for shard in range(part.parts):
        path = _file(part.folder, part.split, part.number, shard)
        if path.exists():
            with pa.memory_map(str(path)) as file:
                tables.append(ipc.open_file(file).read_all())
    left_out: dict[str, int] = orjson.loads(_facts(part).read_bytes())["left_out"]
    table = pa.concat_tables(tables) if tables else None
    return table, (table.num_rows if table else 0) + sum(left_out.values()), left_out


def parts_of(folder: str, shards: Sequence[ShardOf]) -> list[Part]:
    """A part a shard, numbered within its split."""
    counts: dict[str, int] = {}
    found = []
    for shard in shards:
        number = counts.get(shard.split, 0)
        counts[shard.split] = number + 1
        found.append((shard.split, number))
    return [Part(folder, split, number, counts[split]) for split, number in found]


def _file(folder: str, split: str, part: int, shard: int) -> Path:
    return Path(folder, f"{split}-{part:05d}-{shard:05d}.arrow")


def _facts(part: Part) -> Path:
    return Path(part.folder, f"{part.split}-{part.number:05d}.json")
