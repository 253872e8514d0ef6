"""What a step gave a run: the index of committed files that later steps read, and how names find bytes.

Design: `runs/<run>/<step>.outputs.json` lists every committed data file of the units in that run's plan.
Global steps and planners read this one object instead of every commit. Where there are more than OUTPUTS_IN_JSON of
them, the object names a Parquet file beside it, which is written and read a batch at a time: as JSON, 100,000 files
were some 54 MB that had to be in memory at once, several times over. Lineage names files by "<step
folder>/<unit>/<part>" (see FileRef); `resolve` turns that into a key through the unit's commit, which says which
attempt won.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import chain, islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from factory.identity import canonical_json, sha256_hex
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.commits import read_commit
from factory.store.objects import damaged, mapping_in, mappings_in, typed_in
from factory.store.parquet import read_rows


@dataclass(frozen=True)
class Output:
    """One data file a unit committed; `parent` is the name of the file the unit read ("" for source units)."""

    unit: str
    parent: str
    file: FileRef


def outputs_key(run: str, step: str) -> str:
    return f"runs/{run}/{step}.outputs.json"


OUTPUTS_IN_JSON = 10_000
"""Files above which the index is Parquet: so many are 5 MB of JSON, which any tool shows."""

BATCH = 4096
"""Files written or read at a time: some MiB as Python objects."""

OUTPUTS = pa.schema(
    [
        *((name, pa.string()) for name in ("unit", "parent", "name", "key", "sha256", "content_sha256")),
        ("rows", pa.int64()),
        ("ids_digest", pa.string()),
    ]
)


def write_outputs(store: Store, run: str, step: str, outputs: Iterable[Output]) -> str:
    """Writes the index in the order of `outputs`; its key."""
    key = outputs_key(run, step)
    rest = iter(outputs)
    first = list(islice(rest, OUTPUTS_IN_JSON + 1))
    if len(first) <= OUTPUTS_IN_JSON:
        store.put(key, canonical_json([asdict(output) for output in first]))
        return key
    data, rows = _to_parquet(chain(first, rest))
    # Named by its content and put before it is named: whoever reads the index meets one whole list or the other.
    digest = sha256_hex(data)
    beside = f"runs/{run}/{step}.outputs-{digest[:16]}.parquet"
    store.put(beside, data)
    store.put(key, canonical_json({"parquet": beside, "outputs": rows, "sha256": digest}))
    return key


def read_outputs(store: Store, key: str) -> list[Output]:
    """Raises KeyError when the step has not finished in that run, StoreError where the index is damaged."""
    data = store.get(key)
    if not data.startswith(b"{"):
        found = mappings_in(data, store.uri, key)
        return [typed_in(Output, value, store.uri, key) for value in found]
    pointer = mapping_in(data, store.uri, key, ("parquet", "outputs", "sha256"))
    return list(_from_parquet(store, str(pointer["parquet"]), str(pointer["sha256"])))


def _to_parquet(outputs: Iterator[Output]) -> tuple[bytes, int]:
    sink = pa.BufferOutputStream()
    rows = 0
    with pq.ParquetWriter(sink, OUTPUTS, compression="zstd", compression_level=3) as writer:
        while batch := [(each.unit, each.parent, *vars(each.file).values()) for each in islice(outputs, BATCH)]:
            columns = [
                pa.array(column, kind.type) for column, kind in zip(zip(*batch, strict=True), OUTPUTS, strict=True)
            ]
            writer.write_table(pa.table(columns, schema=OUTPUTS))
            rows += len(batch)
    return bytes(sink.getvalue()), rows


def _from_parquet(store: Store, key: str, sha256: str) -> Iterator[Output]:
    data = store.get(key)
    if sha256_hex(data) != sha256:
        raise damaged(store.uri, key, "it has other bytes than were written")
    for batch in pq.ParquetFile(pa.BufferReader(data)).iter_batches(BATCH, columns=OUTPUTS.names):
        for unit, parent, *file in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield Output(unit, parent, FileRef(*file))


def part(outputs: Sequence[Output], number: int) -> list[FileRef]:
    """The files of one part of every unit."""
    return [output.file for output in outputs if output.file.name.endswith(f"/{number}")]


def by_unit(outputs: Sequence[Output]) -> dict[str, list[FileRef]]:
    """Files of each unit, in order of their part; keys are "<step folder>/<unit>", in the order of the outputs."""
    units: dict[str, dict[int, FileRef]] = {}
    for output in outputs:
        unit, _, part = output.file.name.rpartition("/")
        units.setdefault(unit, {})[int(part)] = output.file
    return {unit: [files[part] for part in sorted(files)] for unit, files in units.items()}


def resolve(store: Store, name: str) -> FileRef:
    """The committed file behind a lineage name. Raises KeyError when its unit was never committed."""
    folder, unit, part = name.split("/")
    return _files_of(store, folder, unit)[int(part)]


@lru_cache(maxsize=4096)
def _files_of(store: Store, folder: str, unit: str) -> tuple[FileRef, ...]:
    # Nothing but an erasure (factory/govern/erasure) changes a commit, and that forgets what is held here.
    return read_commit(store, folder, unit).files


def forget_committed() -> None:
    """Lets commits be read again that an erasure replaced."""
    _files_of.cache_clear()


def fetch_passages(
    store: Store, sources: Iterable[Mapping[str, Any]], columns: Sequence[str] = ("chunk_id", "text")
) -> pa.Table:
    """The committed passages that `sources` (tables.SOURCE structs) point at, each once, in no promised order.

    Reads each file once. Raises KeyError when a file is gone.
    """
    wanted: dict[str, set[int]] = {}
    for source in sources:
        wanted.setdefault(source["file"], set()).add(source["row"])
    tables = [read_rows(store, resolve(store, name).key, sorted(rows), list(columns)) for name, rows in wanted.items()]
    return pa.concat_tables(tables) if tables else pa.table({name: pa.array([], pa.string()) for name in columns})


def fetch_texts(store: Store, sources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """chunk_id -> text of the committed passages that `sources` point at."""
    table = fetch_passages(store, sources)
    return dict(zip(table.column("chunk_id").to_pylist(), table.column("text").to_pylist(), strict=True))
