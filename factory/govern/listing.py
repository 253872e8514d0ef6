"""Rows by name, written to a local file as Parquet or JSON lines, into its place when it is whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from factory.errors import ConfigError
from factory.govern.impact import ROWS


@dataclass(frozen=True)
class Writer:
    path: Path
    parquet: bool


def writer_of(name: str) -> Writer:
    """Raises ConfigError where nothing can be written there, or the ending says no format."""
    path = Path(name)
    if path.suffix not in (".parquet", ".jsonl"):
        raise ConfigError(f"--rows {name}: its ending names no format", remedy="call it FILE.parquet or FILE.jsonl")
    if not path.parent.is_dir() or path.is_dir():
        raise ConfigError(f"--rows {name} cannot be written", cause="there is no such folder", remedy="make it first")
    return Writer(path, path.suffix == ".parquet")


def write_rows(writer: Writer, tables: Iterable[pa.Table]) -> None:
    """Raises ConfigError where the file system refuses it."""
    try:
        with tempfile.NamedTemporaryFile(dir=writer.path.parent, prefix=".rows-", delete=False) as file:
            try:
                if writer.parquet:
                    with pq.ParquetWriter(file, ROWS, compression="zstd") as parquet:
                        for table in tables:
                            parquet.write_table(table)
                else:
                    for table in tables:
                        file.write(b"".join(orjson.dumps(row) + b"\n" for row in table.to_pylist()))
                file.flush()
                Path(file.name).replace(writer.path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ConfigError(f"--rows {writer.path} cannot be written: {error}", remedy="name another file") from None
