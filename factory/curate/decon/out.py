"""Hits as a file: Parquet or JSON Lines, written as they are found, in place when complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from factory.curate.decon.hits import Hit
from factory.curate.decon.rows import Cell
from factory.errors import ConfigError

JUDGED = pa.struct(
    [
        ("verdict", pa.string()),  # same | different | undecided
        ("first", pa.bool_()),  # the item first, the row second
        ("second", pa.bool_()),  # the other way round
        ("model", pa.string()),
        ("revision", pa.string()),
        ("prompt_id", pa.string()),
    ]
)

HITS = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("column", pa.string()),  # of the row
        ("side", pa.string()),  # question | answer
        ("verdict", pa.string()),  # contaminated | similar | undecided | different
        ("benchmark", pa.string()),
        ("item", pa.string()),
        ("field", pa.string()),  # of the benchmark
        ("rule", pa.string()),
        ("score", pa.float64()),
        ("similar", pa.bool_()),
        ("span", pa.string()),
        ("start", pa.int64()),  # in words of the row
        ("matched_words", pa.int64()),
        ("item_words", pa.int64()),
        ("copies", pa.int64()),
        ("judged", JUDGED),  # null where no judge was asked
    ]
)

ROWS_AT_ONCE = 5000

Write = Callable[[Cell, Sequence[Hit]], None]


@contextmanager
def open_out(path: str) -> Iterator[Write]:
    """A function that takes hits. Raises ConfigError where the file cannot be written or is of no known format."""
    target = Path(path).expanduser()
    partial = target.with_name(f"{target.name}.partial")
    if target.suffix not in (".parquet", ".jsonl"):
        raise ConfigError(f"--out {path} is neither .parquet nor .jsonl", remedy="let its name end in one of them")
    try:
        partial.touch()
    except OSError as error:
        raise ConfigError(f"--out {path} cannot be written: {error.strerror}", remedy="name another place") from None
    try:
        with _parquet(partial) if target.suffix == ".parquet" else _jsonl(partial) as write:
            yield write
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _jsonl(path: Path) -> Iterator[Write]:
    with path.open("wb") as sink:

        def write(cell: Cell, hits: Sequence[Hit]) -> None:
            sink.writelines(orjson.dumps(record(cell, hit), option=orjson.OPT_APPEND_NEWLINE) for hit in hits)

        yield write


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    held: list[dict[str, Any]] = []
    with pq.ParquetWriter(path, HITS, compression="zstd") as sink:

        def flush() -> None:
            sink.write_table(pa.Table.from_pylist(held, schema=HITS))
            held.clear()

        def write(cell: Cell, hits: Sequence[Hit]) -> None:
            held.extend(record(cell, hit) for hit in hits)
            if len(held) >= ROWS_AT_ONCE:
                flush()

        yield write
        if held:
            flush()


def record(cell: Cell, hit: Hit) -> dict[str, Any]:
    """A row of HITS."""
    where = {"file": cell.file, "row": cell.row, "column": cell.field, "side": cell.side, "verdict": hit.verdict}
    return {**where, **hit.evidence()}
