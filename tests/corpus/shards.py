"""Writing small source files for tests."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from factory.corpus.config import Columns, CorpusConfig
from factory.corpus.ranges import SourceFile, SourceRange, format_of
from factory.corpus.readers import read_range
from factory.corpus.records import SourceDamage, SourceRow


def texts(number: int, prefix: str = "document") -> list[str]:
    return [f"{prefix} {index}: " + f"sentence {index} of some length. " * (1 + index % 7) for index in range(number)]


def as_jsonl(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    data = as_jsonl(rows)
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    elif path.suffix == ".zst":
        data = zstandard.compress(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def write_parquet(path: Path, columns: Mapping[str, Any], group: int = 100, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path, row_group_size=group, **options)
    return path


def corpus(*paths: Path | str, **options: Any) -> CorpusConfig:
    return CorpusConfig(kind="files", paths=tuple(map(str, paths)), **options)


def range_over(
    path: Path, start: int = 0, stop: int = 0, first_row: int = 0, columns: Columns | None = None
) -> SourceRange:
    status = path.stat()
    format_ = format_of(path.name)
    assert format_ is not None
    file = SourceFile(str(path), status.st_size, str(status.st_mtime_ns), format_, path.name)
    if format_ == "jsonl" and not file.compression and not stop:
        stop = status.st_size
    return SourceRange((file,), start, stop, first_row, columns or Columns(), "", "unknown")


def read(*ranges: SourceRange) -> tuple[list[SourceRow], list[SourceDamage]]:
    rows: list[SourceRow] = []
    damages: list[SourceDamage] = []
    for range_ in ranges:
        for item in read_range(range_):
            if isinstance(item, SourceRow):
                rows.append(item)
            else:
                damages.append(item)
    return rows, damages
