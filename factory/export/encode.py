"""Rows as the bytes of a file, the same for the same rows; and back, for who verifies them.

Design: JSON lines hold the columns in the table's order, written some thousand rows at a time into the compressor, so
that only one file's bytes are in memory. Cost: docs/exports.md.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from factory.corpus.arrow_values import python_rows
from factory.publish.finalise import ROW_GROUP_ROWS, uncompressed_bytes
from factory.store.parquet import Layout, to_parquet

LEVEL = 3
BATCH_ROWS = 2048
PIECE = 1 << 20


def encoded(table: pa.Table, file_format: str, metadata: Mapping[str, str]) -> bytes:
    """`metadata` goes into Parquet files; JSON lines have no place for it."""
    if file_format == "parquet":
        return to_parquet(table.replace_schema_metadata(None), metadata, Layout(ROW_GROUP_ROWS))
    sink = io.BytesIO()
    if file_format == "jsonl":
        for piece in _lines(table):
            sink.write(piece)
        return sink.getvalue()
    with zstandard.ZstdCompressor(level=LEVEL).stream_writer(sink, closefd=False) as stream:
        for piece in _lines(table):
            stream.write(piece)
    return sink.getvalue()


def uncompressed(table: pa.Table, data: bytes, file_format: str) -> int:
    """Bytes of a file before compression."""
    if file_format == "parquet":
        return uncompressed_bytes(pq.read_metadata(pa.BufferReader(data)))
    return len(data) if file_format == "jsonl" else sum(len(piece) for piece in _lines(table))


def _lines(table: pa.Table) -> Iterator[bytes]:
    for batch in table.to_batches(BATCH_ROWS):
        yield b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in python_rows(batch))


def described(schema: pa.Schema) -> list[dict[str, str]]:
    """Columns by name and type, as a manifest lists them; Parquet calls the items of a list otherwise than Arrow."""
    return [{"name": column.name, "type": str(column.type).replace("<element: ", "<item: ")} for column in schema]


def read_back(
    data: bytes, file_format: str, num_bytes: int, columns: Sequence[Mapping[str, str]], wanted: Sequence[str]
) -> tuple[int, dict[str, list[Any]], dict[str, str]]:
    """Rows of a file, the values of the columns `wanted`, and its key-value metadata. Raises ValueError where it is not
    what it is called, unpacks to another size than `num_bytes`, or has other columns than `columns` (name and type)."""
    if file_format == "parquet":
        return _parquet_back(data, num_bytes, columns, wanted)
    names = [column["name"] for column in columns]
    if file_format == "jsonl.zst":
        try:
            data = _unpacked(data, num_bytes)
        except zstandard.ZstdError as error:
            raise ValueError(f"it is not compressed as its name says: {error}") from None
    if len(data) != num_bytes:
        raise ValueError("it unpacks to another number of bytes than the manifest says")
    rows, found = 0, {name: list[Any]() for name in wanted}
    for line in data.split(b"\n")[:-1]:
        row = orjson.loads(line)
        if not isinstance(row, dict) or list(row) != names:
            raise ValueError(f"line {rows + 1} has other fields than the manifest lists")
        rows += 1
        for name in wanted:
            found[name].append(row[name])
    return rows, found, {}


def _unpacked(data: bytes, most: int) -> bytes:
    """Piece by piece: what a manifest says of a size is not to be allocated at once."""
    sink, reader = io.BytesIO(), zstandard.ZstdDecompressor().stream_reader(data)
    while sink.tell() <= most and (piece := reader.read(PIECE)):
        sink.write(piece)
    return sink.getvalue()


def _parquet_back(
    data: bytes, num_bytes: int, columns: Sequence[Mapping[str, str]], wanted: Sequence[str]
) -> tuple[int, dict[str, list[Any]], dict[str, str]]:
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        schema = file.schema_arrow
        if described(schema) != list(columns):
            raise ValueError("it has other columns than the manifest lists")
        if uncompressed_bytes(file.metadata) != num_bytes:
            raise ValueError("it unpacks to another number of bytes than the manifest says")
        table = file.read()  # all of it: a column that cannot be read is a fault as well
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it is no Parquet: {error}") from None
    said = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items() if key != b"ARROW:schema"}
    return table.num_rows, {name: table.column(name).to_pylist() for name in wanted}, said
