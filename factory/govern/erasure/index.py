"""Taking published questions out of the index: their hashes and shingles go, everybody else's stay where they are.

Design: a row of a part is referred to by its place (entries, spans), so it is emptied and not taken out: its shingles
are overwritten by zeros, its entries dropped. The segment keeps its name, and names the new files.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa

from factory.curate.bands import ROW_MASK
from factory.curate.index.segment import (
    ROW_LAYOUT,
    SEGMENTS,
    Part,
    Segment,
    entry_layout,
    read_segment,
    segment_bytes,
    segment_key,
)
from factory.govern.erasure.matching import Matcher
from factory.govern.erasure.tables import emptied, erased_rows
from factory.govern.erasure.units import References
from factory.identity import sha256_hex
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.parquet import read_parquet, to_parquet


def edit_index(draft: Store, erasure: str, matcher: Matcher) -> tuple[Counter[str], References]:
    """Rows taken out of segments, and where the files of those lie now."""
    rows: Counter[str] = Counter()
    moved: References = {}
    prefix = f"{SEGMENTS}/"
    names = {info.key.removeprefix(prefix).split("/")[0] for info in draft.list(prefix)}
    for name in sorted(names):
        if draft.head(segment_key(name)) is None:
            for info in list(draft.list(f"{prefix}{name}/")):  # never finished: nobody reads it
                draft.delete(info.key)
            continue
        segment = read_segment(draft, name)
        parts = tuple(_edit_part(draft, erasure, part, matcher, rows, moved) for part in segment.parts)
        if parts != segment.parts:
            draft.put(segment_key(name), segment_bytes(Segment(segment.segment_id, segment.lsh, parts)))
    return rows, moved


def _edit_part(draft: Store, erasure: str, part: Part, matcher: Matcher, rows: Counter[str], moved: References) -> Part:
    table = read_parquet(draft, part.rows.key)
    gone = erased_rows(table, matcher)
    if not gone.any():
        return part
    rows["index of questions"] += int(gone.sum())
    shingles = bytearray(draft.get(part.shingles.key))
    for row in table.filter(pa.array(gone)).to_pylist():
        shingles[row["start"] : row["stop"]] = bytes(row["stop"] - row["start"])
    entries = read_parquet(draft, part.entries.key)
    stays = ~np.isin(entries.column("entry").to_numpy() & ROW_MASK, np.flatnonzero(gone).astype(np.uint64))
    entries = entries.filter(pa.array(stays))
    empty = _bounds_kept(emptied(table, gone), table)
    new = (
        to_parquet(entries, {"erasure": erasure}, entry_layout(entries)),
        to_parquet(empty, {"erasure": erasure}, ROW_LAYOUT),
        bytes(shingles),
    )
    files = [_moved(draft, erasure, file, data, moved) for file, data in zip(part.files, new, strict=True)]
    return Part(files[0], files[1], files[2], part.spans)


def _bounds_kept(empty: pa.Table, table: pa.Table) -> pa.Table:
    """Where shingles begin and end says nothing of a text but its length, and readers expect the bounds to rise."""
    for name in ("start", "middle", "stop"):
        place = empty.schema.get_field_index(name)
        empty = empty.set_column(place, empty.schema.field(place), table.column(name))
    return empty


def _moved(draft: Store, erasure: str, file: FileRef, data: bytes, moved: References) -> FileRef:
    stem, _, ending = file.key.rpartition(".")
    key = f"{stem.rpartition('-e')[0] or stem}-e{erasure[:12]}.{ending}"
    draft.put(key, data)
    draft.delete(file.key)
    moved[file.key] = (key, sha256_hex(data))
    return replace(file, key=key, name=key, sha256=moved[file.key][1])
