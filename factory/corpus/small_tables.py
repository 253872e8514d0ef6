"""Small tables that people bring (benchmarks, ratings): JSONL, JSON, CSV and Parquet, the texts also as .gz or .zst.

Design: whole files, as rows of plain Python values, on the driver; a corpus is read by readers.py. Every way in
which a file can be unreadable is one ValueError that says why.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any, Literal

import orjson

from factory.corpus.arrow_values import python_rows
from factory.corpus.ranges import COMPRESSIONS
from factory.corpus.streams import DamageError, decompressed

TableFormat = Literal["jsonl", "json", "csv", "parquet"]

_FORMATS: dict[str, TableFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}


LARGEST_BYTES = 1 << 30
"""Of a decompressed file. The largest benchmark in use has some 100 MB; a few kB can be made that decompress to more
than a machine's memory."""


DEEPEST = 100
"""Levels of JSON. orjson reads a thousand, which Python can neither print nor write again."""


def table_format(name: str) -> TableFormat | None:
    """Format that a file's name promises, compression aside; None when it promises none."""
    endings = [ending.lower() for ending in PurePath(name).suffixes if ending.lower() not in (".gz", ".zst")]
    return _FORMATS.get(endings[-1]) if endings else None


def rows_of(name: str, data: bytes, kind: TableFormat) -> list[Any]:
    """The rows of a file: dictionaries, unless a line of JSON is something else. Raises ValueError."""
    try:
        return list(_READERS[kind](_decompress(name, data)))
    except (OSError, EOFError, RuntimeError, MemoryError, KeyError, IndexError, TypeError, csv.Error) as error:
        # Arrow's errors for damaged Parquet are of all these kinds.
        raise ValueError(str(error) or type(error).__name__) from None


def _decompress(name: str, data: bytes) -> bytes:
    """Raises ValueError for what is broken, and for a few bytes that stand for gigabytes."""
    compression = COMPRESSIONS.get(PurePath(name).suffix.lower())
    if compression is None:
        return data
    try:
        return _bounded(decompressed(iter([data]), compression))
    except DamageError as damage:
        evidence = ", ".join(f"{what} {value}" for what, value in damage.evidence.items())
        raise ValueError(f"broken {compression} data: {damage.reason} ({evidence})") from None


def _bounded(parts: Iterator[bytes]) -> bytes:
    held, size = [], 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size > LARGEST_BYTES:
            raise ValueError(f"it holds more than {LARGEST_BYTES >> 20} MiB, which is no small table")
    return b"".join(held)


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


def _read_json(data: bytes) -> Iterator[Any]:
    """A list of rows; an object of columns (lists of one length), of which one alone may be a list of rows; or, as
    many files of that name are, one object a line."""
    if data.lstrip()[:1] != b"{":
        yield from _read_jsonl(data)
        return
    try:
        value = _json(data)
    except orjson.JSONDecodeError:
        yield from _read_jsonl(data)
        return
    lists = {name: entries for name, entries in value.items() if isinstance(entries, list)}
    rows = [entries for entries in lists.values() if entries and all(isinstance(entry, dict) for entry in entries)]
    if len(rows) == 1:
        yield from rows[0]
    elif lists and len(lists) == len(value) and len({len(entries) for entries in lists.values()}) == 1:
        yield from (dict(zip(lists, entries, strict=True)) for entries in zip(*lists.values(), strict=True))
    else:
        yield value


def _json(data: bytes) -> Any:
    """orjson refuses the NaN and Infinity that Python's own writer emits; whoever reads the column says what it
    thinks of them. Raises orjson.JSONDecodeError for everything else, and ValueError for what is nested too deeply to
    be shown to anybody."""
    value = _loaded(data)
    if data.count(b"[") + data.count(b"{") > DEEPEST and _deeper(value, DEEPEST):
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    return value


def _deeper(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels + 1):
        level = [inner for item in level if isinstance(item, dict | list) for inner in _items(item)]
        if not level:
            return False
    return True


def _items(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _loaded(data: bytes) -> Any:
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
    for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")):
        row.pop(None, None)  # what stands beyond the last column
        yield row


def _read_parquet(data: bytes) -> Iterator[Any]:
    import pyarrow.parquet as pq

    yield from python_rows(pq.read_table(io.BytesIO(data)))


_READERS: dict[TableFormat, Callable[[bytes], Iterator[Any]]] = {
    "jsonl": _read_jsonl,
    "json": _read_json,
    "csv": _read_csv,
    "parquet": _read_parquet,
}
