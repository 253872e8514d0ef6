"""What a step gave a run: the index of committed files that later steps read, and how names find bytes.

Design: `runs/<run>/<step>.outputs.json` lists every committed data file of the units in that run's plan.
Global steps and planners read this one object instead of every commit. Lineage names files by
"<step folder>/<unit>/<part>" (see FileRef); `resolve` turns that into a key through the unit's commit,
which says which attempt won. Cost: about 300 bytes a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from factory.identity import canonical_json
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.commits import read_commit
from factory.store.objects import read_mappings, typed_in
from factory.store.parquet import read_rows


@dataclass(frozen=True)
class Output:
    """One data file a unit committed; `parent` is the name of the file the unit read ("" for source units)."""

    unit: str
    parent: str
    file: FileRef


def outputs_key(run: str, step: str) -> str:
    return f"runs/{run}/{step}.outputs.json"


def write_outputs(store: Store, run: str, step: str, outputs: Iterable[Output]) -> str:
    key = outputs_key(run, step)
    store.put(key, canonical_json([asdict(output) for output in outputs]))
    return key


def read_outputs(store: Store, key: str) -> list[Output]:
    """Raises KeyError when the step has not finished in that run."""
    return [typed_in(Output, value, store.uri, key) for value in read_mappings(store, key)]


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
    # A commit never changes once it exists, so caching it cannot go stale.
    return read_commit(store, folder, unit).files


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
