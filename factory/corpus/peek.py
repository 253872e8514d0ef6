"""A look at a shard before the run: does it have the mapped columns, how many rows, how large are they?

Design: the footer of a Parquet file, the first 64 KiB of a JSONL file (decompressed). A file that is damaged is
no error here: reading it will give what can be had of it and say what could not.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from factory.corpus.config import Columns
from factory.corpus.parquet_source import chunks_of, field_at, first_line, read_footer, wanted_columns
from factory.corpus.places import open_source
from factory.corpus.ranges import SourceFile
from factory.corpus.records import MISSING, excerpt, value_at
from factory.corpus.streams import DamageError, decompressed, lines
from factory.errors import CorpusError

PEEK_BYTES = 64 << 10

PEEK_TEXT_BYTES = 16 << 20
"""Of what they decompress to, in the driver: 64 KiB of zstd may stand for 2 GiB."""

LIKELY_TEXT = ("text", "content", "raw_content", "document", "body", "markdown", "code")
"""What published corpora call it."""

LINES_TO_JUDGE = 3
"""As many first lines without one JSON object mean that a file is not JSON Lines at all."""


@dataclass(frozen=True)
class Peek:
    """`columns` there are; `mapped` those the mapping names and that are there; `groups` rows, compressed and
    decompressed bytes (of the mapped columns) of each Parquet row group; `damaged`: the footer cannot be read;
    `empty`: a JSONL file without any line."""

    columns: tuple[str, ...] = ()
    mapped: frozenset[str] = frozenset()
    groups: tuple[tuple[int, int, int], ...] = ()
    damaged: bool = False
    empty: bool = False


def peek(file: SourceFile, columns: Columns) -> Peek:
    """Raises CorpusError when the text column is missing or no text, or the file is not JSON Lines."""
    return _peek_parquet(file, columns) if file.format == "parquet" else _peek_jsonl(file, columns)


def _peek_parquet(file: SourceFile, columns: Columns) -> Peek:
    try:
        metadata = read_footer(open_source(file)).metadata
        schema = metadata.schema.to_arrow_schema()
    except DamageError:
        return Peek(damaged=True)
    except (pa.ArrowException, OSError) as error:
        raise CorpusError(
            f"{file.uri} has a schema that cannot be read: {first_line(error)}",
            cause="another writer used types that this version of Arrow does not know",
            remedy="write the file again with a text column of plain strings",
        ) from error
    field = field_at(schema, columns.text)
    if field is None:
        raise missing_text_column(file, columns.text, schema.names)
    if not _is_text(field.type):
        raise CorpusError(
            f"{file.uri}: the column {columns.text!r} is {field.type}, not text",
            cause="corpus.columns.text names another column than the text",
            remedy=f"set corpus.columns.text to one of: {', '.join(schema.names)}",
        )
    mapped = sorted(set(wanted_columns(schema, columns).values()))
    groups = tuple(_sizes(metadata, group, mapped) for group in range(metadata.num_row_groups))
    return Peek(tuple(schema.names), frozenset(mapped), groups)


def _sizes(metadata: Any, group: int, mapped: list[str]) -> tuple[int, int, int]:
    row_group = metadata.row_group(group)
    chunks = chunks_of(row_group, mapped)
    compressed = sum(chunk.total_compressed_size for chunk in chunks)
    return row_group.num_rows, compressed, sum(chunk.total_uncompressed_size for chunk in chunks)


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_null,
    )
    return any(test(kind) for test in tests)


def _peek_jsonl(file: SourceFile, columns: Columns) -> Peek:
    first = _first_lines(file)
    if first is None:
        return Peek(empty=True)
    records = []
    for line in first:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(record, dict):
            records.append(record)
    if not records:
        if len(first) >= LINES_TO_JUDGE:
            raise CorpusError(
                f"{file.uri} is not JSON Lines: none of its first {len(first)} lines is an object; "
                f"line 1 begins {excerpt(first[0])[:60]!r}",
                cause="it is one JSON document over many lines, or another format under that name",
                remedy='write one object a line (`jq -c ".[]" in.json > out.jsonl`), or take it out of corpus.paths',
            )
        return Peek()
    names = sorted({name for record in records for name in record})
    paths = [path for path in columns.model_dump().values() if path is not None]
    mapped = {path for path in paths if any(value_at(record, path) is not MISSING for record in records)}
    if columns.text not in mapped:
        raise missing_text_column(file, columns.text, names)
    return Peek(tuple(names), frozenset(mapped))


def _first_lines(file: SourceFile) -> list[bytes] | None:
    """Whole lines that can be had from the file's first bytes; None when the file is empty."""
    data = open_source(file).read(0, PEEK_BYTES)
    parts: list[bytes] = []
    ended, looked = True, 0
    try:
        for part in decompressed(iter([data]), file.compression):
            parts.append(part)
            looked += len(part)
            if looked > PEEK_TEXT_BYTES:
                ended = False
                break
    except DamageError:
        ended = False  # cut by this look, or damaged: reading the file will tell
    text = b"".join(parts)
    if ended and len(data) == file.size and not text.strip():
        return None
    found = [line for line in lines(iter([text])) if line is not None]
    if (not ended or len(data) < file.size) and not text.endswith(b"\n"):
        found = found[:-1]
    return [line for line in found if line.strip()]


def missing_text_column(file: SourceFile, path: str, names: list[str]) -> CorpusError:
    near = nearest(path, names)
    likely = near or next((name for name in LIKELY_TEXT if name in names), "")
    return CorpusError(
        f"{file.uri} has no column {path!r} (corpus.columns.text); it has: {', '.join(map(str, names))}",
        cause=f"the text is called {likely!r} there" if likely else "the mapping has a slip, or this is another corpus",
        remedy=f"set corpus.columns.text={likely}" if likely else "set corpus.columns.text to the column with the text",
    )


def nearest(path: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The name most like `path`, "" when none is."""
    lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(path.lower(), lower, n=1, cutoff=likeness)
    return lower[near[0]] if near else ""
