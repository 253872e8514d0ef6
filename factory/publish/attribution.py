"""ATTRIBUTION.md of a dataset: every distinct (source, licence, url) of its rows, in constant memory.

Design: an external merge sort. Each shard's distinct entries are sorted in Arrow and spilled to a temporary
file; the files are merged, and lines stream out as entries come. Cost: one column of every shard, and disk
for one line an entry and shard.
"""

from __future__ import annotations

import hashlib
import heapq
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from factory.licences.duties import duties_of
from factory.licences.expression import combine
from factory.publish.card import markdown_text


class Attribution(NamedTuple):
    """One source of published rows: where it was found, under which licence, by which name."""

    source: str
    license: str
    url: str


def attribution_text(entries: Iterable[Attribution], title: str) -> Iterator[str]:
    """Lines of ATTRIBUTION.md from distinct entries sorted as tuples; holds one entry at a time.

    Grouped by source, then by licence as stated with the duties it brings, then every url.
    """
    yield f"# Attribution: {markdown_text(title)}\n\n"
    yield "Every source that a row of this dataset rests on, with the licence its publisher stated and its duties.\n"
    group: tuple[str, str] | None = None
    total = 0
    for entry in entries:
        if group is None or group[0] != entry.source:
            yield f"\n## {markdown_text(entry.source) or '(source not named)'}\n"
        if group != (entry.source, entry.license):
            group = (entry.source, entry.license)
            stated = markdown_text(entry.license) or "not stated"
            spdx = combine([entry.license])
            yield f"\nLicence: {stated}" + (f" (SPDX: {markdown_text(spdx)})\n" if spdx != entry.license else "\n")
            yield f"Duties: {', '.join(duties_of(entry.license)) or 'none'}\n\n"
        yield f"- {markdown_text(entry.url) or '(no url)'}\n"
        total += 1
    yield f"\nEntries: {total}\n"


Seen = Callable[[Iterable[Attribution]], Iterable[Attribution]]
"""Looks at the entries as they stream by (sources.py)."""


def write_attribution(tables: Iterable[pa.Table], title: str, path: Path, seen: Seen = iter) -> tuple[int, str]:
    """Writes the file from tables with the `attribution` column; returns its bytes and SHA-256."""
    size, hasher = 0, hashlib.sha256()
    with path.open("wb") as file:
        for data in attribution_bytes(tables, title, seen):
            file.write(data)
            hasher.update(data)
            size += len(data)
    return size, hasher.hexdigest()


def attribution_bytes(tables: Iterable[pa.Table], title: str, seen: Seen = iter) -> Iterator[bytes]:
    """The file's bytes, piece by piece. Spills to the system's temporary folder."""
    with tempfile.TemporaryDirectory(prefix="attribution-") as folder:
        runs: list[Path] = []
        for number, table in enumerate(tables):
            runs.append(Path(folder) / f"{number:06d}.jsonl")
            _spill(table, runs[-1])
        while len(runs) > FAN_IN:
            runs = [_merge(runs[start : start + FAN_IN]) for start in range(0, len(runs), FAN_IN)]
        for line in attribution_text(seen(_merged(runs)), title):
            yield line.encode()


FAN_IN = 256
"""Files merged at once: a process may hold 1,024 open ones by default, and shards can be more."""


def _merge(runs: list[Path]) -> Path:
    """One sorted file in place of several."""
    target = runs[0].with_suffix(".merged" + runs[0].suffix)
    with target.open("wb") as file:
        for entry in _merged(runs):
            file.write(orjson.dumps(list(entry)) + b"\n")
    for run in runs:
        run.unlink()
    return target


def _merged(runs: list[Path]) -> Iterator[Attribution]:
    return _distinct(heapq.merge(*(_read(run) for run in runs)))


def _spill(table: pa.Table, path: Path) -> None:
    entries = pc.list_flatten(table.column("attribution"))
    names = list(Attribution._fields)
    columns = {name: pc.struct_field(entries, name) for name in names}
    distinct = pa.table(columns).group_by(names).aggregate([]).sort_by([(name, "ascending") for name in names])
    with path.open("wb") as file:
        for batch in distinct.to_batches(max_chunksize=10_000):
            for entry in batch.to_pylist():
                file.write(orjson.dumps([entry[name] for name in names]) + b"\n")


def _read(path: Path) -> Iterator[Attribution]:
    with path.open("rb") as file:
        for line in file:
            yield Attribution(*orjson.loads(line))


def _distinct(entries: Iterable[Attribution]) -> Iterator[Attribution]:
    last: Attribution | None = None
    for entry in entries:
        if entry != last:
            yield entry
            last = entry
