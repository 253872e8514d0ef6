"""Small tables that people bring (benchmarks, ratings): JSONL, CSV and Parquet, the first two also as .gz or .zst.

Design: whole files, as rows of plain Python values, on the driver; a corpus is read by readers.py. Every way in
which a file can be unreadable is one ValueError that says why.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any, Literal

import orjson

TableFormat = Literal["jsonl", "csv", "parquet"]

_FORMATS: dict[str, TableFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}


def table_format(name: str) -> TableFormat | None:
    """Format that a file's name promises, compression aside; None when it promises none."""
    endings = [ending.lower() for ending in PurePath(name).suffixes if ending.lower() not in (".gz", ".zst")]
    return _FORMATS.get(endings[-1]) if endings else None


def rows_of(name: str, data: bytes, kind: TableFormat) -> list[Any]:
    """The rows of a file: dictionaries, unless a line of JSON is something else. Raises ValueError."""
    try:
        return list(_READERS[kind](_decompress(name, data)))
    except (OSError, EOFError, RuntimeError, csv.Error) as error:
        raise ValueError(str(error)) from None


def _decompress(name: str, data: bytes) -> bytes:
    ending = PurePath(name).suffix.lower()
    if ending == ".gz":
        try:
            return gzip.decompress(data)
        except zlib.error as error:
            raise ValueError(f"broken gzip data: {error}") from None
    if ending == ".zst":
        import zstandard

        try:
            with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
                return reader.read()
        except zstandard.ZstdError as error:
            raise ValueError(f"broken zstd data: {error}") from None
    return data


def _read_jsonl(data: bytes) -> Iterator[Any]:
    if data.lstrip()[:1] == b"[":  # one JSON list
        yield from _json(data)
        return
    for number, line in enumerate(data.splitlines()):
        if line.strip():
            try:
                yield _json(line)
            except orjson.JSONDecodeError as error:
                raise ValueError(f"line {number + 1}: {error}") from None


def _json(data: bytes) -> Any:
    """orjson refuses the NaN and Infinity that Python's own writer emits; whoever reads the column says what it
    thinks of them. Raises orjson.JSONDecodeError for everything else."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(data)
            orjson.dumps(value)  # Python reads lone surrogates too, which no text may hold
        except (ValueError, TypeError, RecursionError):
            value = None
        if value is None:
            raise
        return value


def _read_csv(data: bytes) -> Iterator[Any]:
    yield from csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))


def _read_parquet(data: bytes) -> Iterator[Any]:
    import pyarrow.parquet as pq

    yield from pq.read_table(io.BytesIO(data)).to_pylist()


_READERS: dict[TableFormat, Callable[[bytes], Iterator[Any]]] = {
    "jsonl": _read_jsonl,
    "csv": _read_csv,
    "parquet": _read_parquet,
}
