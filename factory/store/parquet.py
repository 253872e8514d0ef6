"""Parquet as bytes: written the same for the same table, read whole or by row.

Design: zstd-3, one row group a unit file, metadata as sorted key-value pairs. Reading rows asks for the first
4 MiB at once: unit files (256 rows, a few hundred kB) come whole in one request, which beat footer and ranges 2
to 3 times on S3 (5-8 ms against 10-20 ms) and 1.5 times locally, whatever the row groups. Larger files are read
by ranges: 3 rows of 20,000 (10 MB) took 35 ms on S3 and 5 ms locally, the whole file 236 and 131 ms.
Cost: 256 documents of 2.3 kB are written in 8 ms and take 192 kB.
"""

from __future__ import annotations

import bisect
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from factory.errors import StoreError
from factory.store.base import Store
from factory.store.object_reader import ObjectReader
from factory.store.objects import damaged

ROW_GROUP_ROWS = 256
"""Rows a row group: with groups of 64, 256 documents took 27 % more bytes, with 32 54 %; no lookup was faster."""

ZSTD_LEVEL = 3
WHOLE_BYTES = 4 << 20
"""Bytes asked for at once before anything is known of a file."""

SPARE_SHARE = 2
"""Times its own bytes that a range may keep alive before it is copied: readers of a partition collect the ranges of
hundreds of files, and quarters of row groups held whole took a worker 2.15 GiB instead of 0.64."""


@dataclass(frozen=True)
class Layout:
    """How a table lies in its file, where ROW_GROUP_ROWS and Parquet's own encodings do not serve.

    `row_groups` are rows a group: one number for all, or one for each group, adding up to the table's rows.
    `encodings` are Parquet's, by column; a column named there is not dictionary-encoded. `compression` is of every
    column: "zstd", or "none" where bytes are random anyway and are read often.
    """

    row_groups: int | tuple[int, ...] = ROW_GROUP_ROWS
    encodings: Mapping[str, str] = field(default_factory=dict)
    compression: Literal["zstd", "none"] = "zstd"


DEFAULT_LAYOUT = Layout()


def to_parquet(table: pa.Table, metadata: Mapping[str, str], layout: Layout = DEFAULT_LAYOUT) -> bytes:
    """The table as one Parquet file; equal tables, metadata and layouts give equal bytes (with one pyarrow version).

    `metadata` joins what the schema carries, and wins over it. Raises ValueError when the layout's row groups do not
    add up to the table.
    """
    own = {_text(key): _text(value) for key, value in (table.schema.metadata or {}).items()}
    pairs = dict(sorted({**own, **metadata}.items()))
    # How a table is cut into chunks would move page boundaries.
    whole = table.combine_chunks().replace_schema_metadata(pairs)
    sink = pa.BufferOutputStream()
    options: dict[str, Any] = {"compression": layout.compression, "version": "2.6"}
    if layout.compression == "zstd":
        options["compression_level"] = ZSTD_LEVEL
    if layout.encodings:
        dictionaries = [name for name in table.column_names if name not in layout.encodings]
        options |= {"use_dictionary": dictionaries, "column_encoding": dict(layout.encodings)}
    if isinstance(layout.row_groups, int):
        pq.write_table(whole, sink, row_group_size=layout.row_groups, **options)
        return bytes(sink.getvalue())
    if sum(layout.row_groups) != whole.num_rows:
        raise ValueError(f"row groups of {sum(layout.row_groups)} rows for a table of {whole.num_rows}")
    with pq.ParquetWriter(sink, whole.schema, **options) as writer:
        start = 0
        for rows in layout.row_groups:
            writer.write_table(whole.slice(start, rows), row_group_size=max(rows, 1))
            start += rows
    return bytes(sink.getvalue())


def parquet_metadata(data: bytes) -> dict[str, str]:
    """Key-value metadata of a Parquet file, without Arrow's own copy of the schema."""
    found = _opened(io.BytesIO(data), "a file", "memory").metadata.metadata or {}
    return {_text(key): _text(value) for key, value in found.items() if key != b"ARROW:schema"}


def read_parquet(store: Store, key: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The whole table, or some columns of it ("sources.list.element.row": that part of a nested one). Raises
    AbsentObjectError, and StoreError when it is no Parquet."""
    source = pa.BufferReader(store.get(key))
    return _read(_opened(source, key, store.uri), None, columns, key, store.uri)


def read_rows(store: Store, key: str, rows: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
    """The given rows (0-based, any order, repeats allowed), in the order asked for.

    Reads only the row groups that hold them. Raises KeyError when the object is absent, StoreError when it is no
    Parquet or too short.
    """
    name = f"{key} in {store.uri}"
    head = store.get_range(key, 0, WHOLE_BYTES)
    if len(head) < WHOLE_BYTES:
        file = _opened(pa.BufferReader(head), key, store.uri)
    else:
        file = _opened(pa.PythonFile(ObjectReader(store, key, head), mode="r"), key, store.uri)
    wanted = np.asarray(rows, dtype=np.int64).reshape(-1)
    if wanted.size and (wanted.min() < 0 or wanted.max() >= file.metadata.num_rows):
        raise StoreError(
            f"row {int(wanted.max() if wanted.min() >= 0 else wanted.min())} of {name} does not exist: "
            f"it has {file.metadata.num_rows} rows",
            cause="the file was replaced, or the reference to it is wrong",
            remedy="run `factory verify` on the dataset",
        )
    starts = np.cumsum([0] + [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)])
    groups = np.searchsorted(starts, wanted, side="right") - 1
    needed = np.unique(groups)
    table = _read(file, [int(group) for group in needed], columns, key, store.uri)
    # Where each needed group begins in what was read.
    offsets = np.cumsum([0] + [int(starts[group + 1] - starts[group]) for group in needed])[:-1]
    places = wanted - starts[groups] + offsets[np.searchsorted(needed, groups)] if wanted.size else wanted
    return _taken(table, places, key, store.uri)


def read_scattered(store: Store, key: str, rows: Sequence[int], columns: Sequence[str]) -> pa.Table:
    """Some columns of few rows of a large file, in the order asked for: as `read_rows`, for rows that lie far apart.

    Fetches the chunks of these columns alone, those that lie together in one request.
    """
    reader = ObjectReader(store, key, b"")
    file = _opened(pa.PythonFile(reader, mode="r"), key, store.uri, pre_buffer=False)
    metadata = file.metadata
    starts = np.cumsum([0] + [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)])
    wanted = np.asarray(rows, dtype=np.int64)
    groups = np.searchsorted(starts, wanted, side="right") - 1
    needed = np.unique(groups)
    if wanted.size and (wanted.min() < 0 or wanted.max() >= metadata.num_rows):
        raise damaged(store.uri, key, f"a row was asked for that its {metadata.num_rows} rows do not have")
    reader.fetch(_spans(metadata, columns, [int(group) for group in needed]))
    table = _read(file, [int(group) for group in needed], columns, key, store.uri, threads=False)
    offsets = np.cumsum([0] + [int(starts[group + 1] - starts[group]) for group in needed])[:-1]
    places = wanted - starts[groups] + offsets[np.searchsorted(needed, groups)] if wanted.size else wanted
    return _taken(table, places, key, store.uri)


def read_columns(store: Store, key: str, columns: Sequence[str], dictionaries: Sequence[str] = ()) -> pa.Table:
    """Some leaves ("doc_ids.list.element") of all rows of a large file, of which those in `dictionaries`, columns that
    are not nested, stay encoded as they are stored: each distinct value is then looked at once a row group.

    Fetches the chunks of these leaves alone, those that lie together in one request. Raises as `read_rows` does.
    """
    reader = ObjectReader(store, key, b"")
    file = _opened(pa.PythonFile(reader, mode="r"), key, store.uri, pre_buffer=False, dictionaries=dictionaries)
    leaves = {file.metadata.schema.column(leaf).path for leaf in range(file.metadata.num_columns)}
    if not leaves.issuperset(columns):
        raise damaged(store.uri, key, f"it has no column {min(set(columns) - leaves)}")
    reader.fetch(_spans(file.metadata, columns, range(file.num_row_groups)))
    return _read(file, None, columns, key, store.uri)


def _spans(metadata: pq.FileMetaData, columns: Sequence[str], groups: Iterable[int]) -> list[tuple[int, int]]:
    """Bytes [start, stop) of the chunks of these leaves in these row groups."""
    leaves = [leaf for leaf in range(metadata.num_columns) if metadata.schema.column(leaf).path in set(columns)]
    chunks = [metadata.row_group(group).column(leaf) for group in groups for leaf in leaves]
    begins = [chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset for chunk in chunks]
    return [(begin, begin + chunk.total_compressed_size) for begin, chunk in zip(begins, chunks, strict=True)]


def read_range(
    store: Store, key: str, column: str, first: int, last: int, columns: Sequence[str] | None = None
) -> pa.Table:
    """Rows with `first` <= `column` <= `last` of a file sorted by that column, an integer without nulls.

    Reads the footer and the row groups whose statistics meet the range, not the file. Raises as `read_rows` does.
    """
    chosen = None if columns is None else [*dict.fromkeys([column, *columns])]
    file = _opened(pa.PythonFile(ObjectReader(store, key, b""), mode="r"), key, store.uri)
    table = _read(file, _groups_between(file, column, first, last), chosen, key, store.uri)
    values = _integers(table, column, key, store.uri)
    # As the column's own type: between int64 and uint64 numpy compares by float64, which has 53 bits.
    start = int(np.searchsorted(values, values.dtype.type(first), side="left"))
    stop = int(np.searchsorted(values, values.dtype.type(last), side="right"))
    table = table.slice(start, stop - start)
    return _alone(table if columns is None else table.select(list(columns)))


def _alone(table: pa.Table) -> pa.Table:
    """The table, copied where it keeps alive much more than it shows: a slice holds its whole row groups."""
    if table.get_total_buffer_size() < SPARE_SHARE * table.nbytes:
        return table
    return table.take(pa.array(np.arange(table.num_rows)))


def read_values(store: Store, key: str, column: str, bounds: tuple[int, int], values: npt.NDArray[Any]) -> pa.Table:
    """The row groups of a file that may hold a row whose `column` lies within `bounds` or is one of `values` (sorted);
    other rows of these groups come along. Otherwise as `read_range`."""

    def wanted(least: int, most: int) -> bool:
        place = int(np.searchsorted(values, values.dtype.type(least)))
        return (least <= bounds[1] and most >= bounds[0]) or (place < len(values) and int(values[place]) <= most)

    return _read_groups(store, key, column, None, wanted)


def read_groups(store: Store, key: str, column: str, bounds: tuple[int, int]) -> Iterator[npt.NDArray[Any]]:
    """A column's values, a row group at a time, of the row groups that have some within `bounds`.

    Raises as `read_range` does.
    """
    file = _opened(pa.PythonFile(ObjectReader(store, key, b""), mode="r"), key, store.uri, pre_buffer=False)
    for group in _groups_between(file, column, *bounds):
        yield _integers(_read(file, [group], [column], key, store.uri, threads=False), column, key, store.uri)


def _taken(table: pa.Table, places: npt.NDArray[Any], key: str, uri: str) -> pa.Table:
    try:
        return table.take(pa.array(places))
    except pa.ArrowException as error:  # a type that Arrow reads and cannot pick rows of, which nothing here writes
        raise _damaged(key, uri, error) from error


def _read_groups(
    store: Store, key: str, column: str, columns: list[str] | None, wanted: Callable[[int, int], bool]
) -> pa.Table:
    """The row groups of which `wanted` is true of the least and greatest value of `column`."""
    file = _opened(pa.PythonFile(ObjectReader(store, key, b""), mode="r"), key, store.uri)
    return _read(file, _groups_with(file, column, wanted), columns, key, store.uri)


def _integers(table: pa.Table, column: str, key: str, uri: str) -> npt.NDArray[Any]:
    """A column of integers without nulls. Raises StoreError where it is another."""
    if table.schema.names.count(column) != 1:
        raise damaged(uri, key, f"it has no column {column!r}")
    found = table.column(column)
    if not pa.types.is_integer(found.type) or found.null_count:
        raise damaged(uri, key, f"its column {column!r} is {found.type}, where integers without nulls belong")
    values: npt.NDArray[Any] = found.to_numpy()
    return values


def _groups_with(file: pq.ParquetFile, column: str, wanted: Callable[[int, int], bool]) -> list[int]:
    """Row groups of which `wanted` is true of the least and greatest value; those that do not say are among them."""
    place = _leaf(file, column)
    found = ((group, _bounds(file, group, place)) for group in range(file.num_row_groups))
    return [group for group, bounds in found if bounds is None or wanted(*bounds)]


def _groups_between(file: pq.ParquetFile, column: str, first: int, last: int) -> list[int]:
    """Row groups of a file sorted by `column` that may hold a value from `first` to `last`, by bisection."""
    place, count = _leaf(file, column), file.num_row_groups

    def ends_before(group: int) -> bool:
        bounds = _bounds(file, group, place)
        return bounds is not None and bounds[1] < first

    def begins_behind(group: int) -> bool:
        bounds = _bounds(file, group, place)
        return bounds is not None and bounds[0] > last

    begin = bisect.bisect_left(range(count), True, key=lambda group: not ends_before(group))
    return list(range(begin, bisect.bisect_left(range(count), True, lo=begin, key=begins_behind)))


def _leaf(file: pq.ParquetFile, column: str) -> int:
    """Number of the leaf that is the column, -1 without one. Statistics are by leaf; nested columns have several."""
    try:
        leaves = [file.metadata.schema.column(leaf).path for leaf in range(file.metadata.num_columns)]
    except ValueError:  # a name that is no UTF-8
        return -1
    return leaves.index(column) if column in leaves else -1


def _bounds(file: pq.ParquetFile, group: int, leaf: int) -> tuple[int, int] | None:
    """Least and greatest value of a leaf in a row group; None where that is not said."""
    found = file.metadata.row_group(group).column(leaf).statistics if leaf >= 0 else None
    try:
        least, most = (found.min, found.max) if found is not None and found.has_min_max else (None, None)
    except (ValueError, OverflowError, pa.ArrowException):  # statistics that were damaged say nothing
        return None
    return (least, most) if isinstance(least, int) and isinstance(most, int) else None


def _opened(
    source: object, key: str, uri: str, *, pre_buffer: bool = True, dictionaries: Sequence[str] = ()
) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source, pre_buffer=pre_buffer, read_dictionary=list(dictionaries) or None)
    except KeyError as error:
        raise damaged(uri, key, f"it has no column {error.args[0]!r}") from None
    except (pa.ArrowException, OSError) as error:
        raise _damaged(key, uri, error) from error


def _read(
    file: pq.ParquetFile,
    groups: list[int] | None,
    columns: Sequence[str] | None,
    key: str,
    uri: str,
    *,
    threads: bool = True,
) -> pa.Table:
    chosen = None if columns is None else list(columns)
    whole = [*dict.fromkeys(column.split(".")[0] for column in chosen or ())]
    missing = [column for column in whole if column not in file.schema_arrow.names]
    if missing:
        raise StoreError(
            f"{key} in {uri} has no column {missing[0]!r}; it has {', '.join(file.schema_arrow.names)}",
            cause="it was written by another version, or is not the table it is taken for",
            remedy="run the step that writes it again",
        )
    try:
        table = file.read(chosen) if groups is None else file.read_row_groups(groups, chosen, use_threads=threads)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(key, uri, error) from error
    return table if chosen is None else table.select(whole)


def _damaged(key: str, uri: str, error: Exception) -> StoreError:
    return damaged(uri, key, f"it is no whole Parquet file ({(str(error).splitlines() or [type(error).__name__])[0]})")


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
