"""Segments put into the store: from what a run's `segment` step made, from a published dataset, from other segments.

Design: files are put first and `segment.json` last and only if absent, under an id that is a hash of what they hold:
whoever makes the same segment twice writes the same bytes, and a half-written folder is nothing. From a dataset, parts
are made one after another and kept on the local disk until all are known, because the id hashes them all: memory is
that of one part, disk that of the segment. A merge joins parts below half of PART_ROWS and copies the others as they
are; rows of datasets that are off the list stay behind.

Cost: a dataset's as segment.py says; a copied part is read and written once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from factory.curate.bands import ROW_MASK
from factory.curate.index import segment
from factory.curate.index.listing import Entry
from factory.curate.index.segment import (
    ROW_LAYOUT,
    WHOLE_ROW,
    Member,
    Part,
    Segment,
    Span,
    entries_in_order,
    entry_layout,
    joined_rows,
    lsh_identity,
    part_tables,
    prefix_of,
    read_segment,
    segment_bytes,
    segment_id_of,
    segment_key,
    split_rows,
)
from factory.curate.index.segment_step import COLUMNS, ENTRIES, ROWS
from factory.curate.minhash import LshParameters
from factory.errors import StoreError
from factory.identity import sha256_hex
from factory.run.attempt import content_sha256
from factory.run.outputs import Output, by_unit
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.parquet import read_parquet, to_parquet

METADATA = {"kind": "factory-index-part", "synthetic": "true"}


@dataclass(frozen=True)
class PartCopy:
    """What the `segment` step made of a part, and the part it becomes."""

    entries: FileRef
    rows: FileRef
    part: Part


def from_outputs(outputs: Sequence[Output], dataset: str, version: str, parameters: LshParameters) -> Segment:
    """The segment that the `segment` step's files make. Its keys are where `copy` has to put them, its sha256 those of
    the step's files."""
    parts = [
        Part(made[ENTRIES], made[ROWS], made[ROWS], (Span(dataset, version, 0, made[ROWS].rows),))
        for made in by_unit(outputs).values()
    ]
    return located(lsh_identity(parameters), parts)


def located(lsh: dict[str, object], parts: Sequence[Part]) -> Segment:
    """A segment of these parts, with the keys their files have in its folder."""
    held = [(part.entries.content_sha256, part.rows.content_sha256, part.spans) for part in parts]
    segment_id = segment_id_of(lsh, held)

    def at(file: FileRef, name: str) -> FileRef:
        key = f"{prefix_of(segment_id)}/{name}"
        return replace(file, name=key, key=key, ids_digest="")

    return Segment(
        segment_id,
        lsh,
        tuple(
            Part(
                at(part.entries, f"entries-{number:05d}.parquet"),
                at(part.rows, f"rows-{number:05d}.parquet"),
                at(part.shingles, f"shingles-{number:05d}.bin"),
                part.spans,
            )
            for number, part in enumerate(parts)
        ),
    )


def copies(made: Segment, outputs: Sequence[Output]) -> list[PartCopy]:
    """The copies that `from_outputs` asks for, in the order of its parts."""
    return [
        PartCopy(files[ENTRIES], files[ROWS], part)
        for files, part in zip(by_unit(outputs).values(), made.parts, strict=True)
    ]


def copy(store: Store, item: PartCopy) -> Part:
    """Puts a part's files in their places; the part with the hashes they have there.

    Raises StoreError when a file is not what was committed.
    """
    entries = _committed(store, item.entries)
    rows, shingles = _row_files(pq.read_table(pa.BufferReader(_committed(store, item.rows))))
    refs = []
    for file, data in zip(item.part.files, (entries, rows, shingles), strict=True):
        if store.head(file.key) is None:
            store.put(file.key, data)
        refs.append(replace(file, sha256=sha256_hex(data)))
    return Part(refs[0], refs[1], refs[2], item.part.spans)


def _committed(store: Store, file: FileRef) -> bytes:
    data = store.get(file.key)
    if sha256_hex(data) != file.sha256:
        raise StoreError(
            f"{file.key} in {store.uri} is not the file that was committed",
            cause="it was changed or damaged after its commit",
            remedy="restore it, or delete the commits of its step to have the segment made again",
        )
    return data


def _row_files(whole: pa.Table) -> tuple[bytes, bytes]:
    """The files `rows` and `shingles` of WHOLE_ROW rows."""
    rows, shingles = split_rows(whole)
    return to_parquet(rows, METADATA, ROW_LAYOUT), shingles


def finish(store: Store, made: Segment) -> Segment:
    """Makes the segment exist, its files being there; gives the one that stands there."""
    if store.put_if_absent(segment_key(made.segment_id), segment_bytes(made)):
        return made
    return read_segment(store, made.segment_id)


def build_segment(
    store: Store, samples: Iterable[pa.Table], member: Member, parameters: LshParameters
) -> Segment | None:
    """Puts the segment of a dataset into the store; None where it has no rows.

    `samples` are tables with segment_step.COLUMNS, of any size, in the dataset's order.
    """
    with tempfile.TemporaryDirectory(prefix="segment-") as folder:
        parts = []
        for number, table in enumerate(in_parts(samples)):
            ids, levels = (table.column(name).combine_chunks() for name in COLUMNS[:2])
            tables = part_tables(ids, levels, table.column("question").to_pylist(), parameters)
            parts.append(_spooled(Path(folder), number, tables, (Span(*member, 0, table.num_rows),)))
        return _put(store, lsh_identity(parameters), parts) if parts else None


def in_parts(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows of `tables` in tables of PART_ROWS, the last one shorter."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table.select(COLUMNS).replace_schema_metadata(None))
        while (rows := sum(piece.num_rows for piece in waiting)) >= segment.PART_ROWS:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, segment.PART_ROWS).combine_chunks()
            waiting = [whole.slice(segment.PART_ROWS, rows - segment.PART_ROWS)]
    rest = pa.concat_tables(waiting) if waiting else None
    if rest is not None and rest.num_rows:
        yield rest.combine_chunks()


def merge_segments(store: Store, entries: Sequence[Entry]) -> Segment:
    """Puts one segment into the store that holds what these entries count. All have the same LSH identity."""
    parts: list[Part] = []
    for entry in entries:
        for part in read_segment(store, entry.segment).parts:
            spans = tuple(span for span in part.spans if span.member in entry.members)
            if spans:
                parts.append(replace(part, spans=spans))
    groups: list[list[Part]] = []
    small: list[Part] = []
    for part in parts:
        rows = _counted(part)
        if rows == part.rows.rows and 2 * rows >= segment.PART_ROWS:
            groups.append([part])
            continue
        if small and sum(map(_counted, small)) + rows > segment.PART_ROWS:
            groups.append(small)
            small = []
        small.append(part)
    groups += [small] if small else []
    with tempfile.TemporaryDirectory(prefix="segment-") as folder:
        made = [_merged(store, Path(folder), number, group) for number, group in enumerate(groups)]
        return _put(store, dict(entries[0].lsh), made)


def _counted(part: Part) -> int:
    return sum(span.stop - span.start for span in part.spans)


def _merged(store: Store, folder: Path, number: int, group: Sequence[Part]) -> Part:
    """One part of several: rows in view one after another, entries pointing where they went."""
    if len(group) == 1 and _counted(group[0]) == group[0].rows.rows:
        return _fetched(store, folder, number, group[0])
    kept, tables, spans = [], [], []
    start = 0
    for part in group:
        entries = read_parquet(store, part.entries.key)
        rows = joined_rows(read_parquet(store, part.rows.key), store.get(part.shingles.key))
        moved = np.full(part.rows.rows, -1, np.int64)
        for span in part.spans:
            count = span.stop - span.start
            moved[span.start : span.stop] = np.arange(start, start + count)
            tables.append(rows.slice(span.start, count).replace_schema_metadata(None))
            spans.append(Span(span.dataset, span.version, start, start + count))
            start += count
        found = entries.column("entry").to_numpy()
        line = moved[(found & ROW_MASK).astype(np.int64)]
        inside = line >= 0
        kept.append((found[inside] & ~ROW_MASK) | line[inside].astype(np.uint64))
    entries = entries_in_order(np.concatenate(kept))
    rows = pa.concat_tables(tables).cast(WHOLE_ROW)
    return _spooled(folder, number, (entries, rows), tuple(spans))


def _spooled(folder: Path, number: int, tables: Sequence[pa.Table], spans: tuple[Span, ...]) -> Part:
    """The part with its files in a local folder: `key` is a path there."""
    entries, whole = tables
    files = to_parquet(entries, METADATA, entry_layout(entries)), *_row_files(whole)
    contents = content_sha256(entries), content_sha256(whole), sha256_hex(files[2])
    refs = []
    for kind, data, content in zip(KINDS, files, contents, strict=True):
        path = folder / f"{kind}-{number}"
        path.write_bytes(data)
        rows = entries.num_rows if kind == "entries" else whole.num_rows
        refs.append(FileRef("", str(path), sha256_hex(data), content, rows))
    return Part(refs[0], refs[1], refs[2], spans)


KINDS = ("entries", "rows", "shingles")


def _fetched(store: Store, folder: Path, number: int, part: Part) -> Part:
    """A part that goes into another segment as it is."""
    refs = []
    for kind, file in zip(KINDS, part.files, strict=True):
        path = folder / f"{kind}-{number}"
        path.write_bytes(store.get(file.key))
        refs.append(replace(file, key=str(path)))
    return Part(refs[0], refs[1], refs[2], part.spans)


def _put(store: Store, lsh: dict[str, object], parts: Sequence[Part]) -> Segment:
    made = located(lsh, parts)
    for spooled, part in zip(parts, made.parts, strict=True):
        for source, target in zip(spooled.files, part.files, strict=True):
            if store.head(target.key) is None:
                store.put_file(target.key, source.key)
    return finish(store, made)


def dataset_samples(dataset: Store, paths: Iterable[str]) -> Iterator[pa.Table]:
    """The samples of a published dataset's shards, a few row groups at a time."""
    for path in paths:
        file = pq.ParquetFile(pa.BufferReader(dataset.get(path)))
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=COLUMNS):
            yield pa.Table.from_batches([batch]).select(COLUMNS)


ROWS_AT_ONCE = 1 << 14
