"""Rows of anybody's data, as texts to be looked at: Parquet and JSONL files, folders of them, published datasets.

Design: files stream, a batch of rows at a time, so memory does not grow with them. Which columns hold text is told by
name or guessed from the names in use; questions and answers are kept apart, because they are compared with different
sides of a benchmark. Of a chat, what the user says is a question, what the assistant says an answer.

Cost: reading is Arrow's and orjson's: 5 microseconds a row.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from factory.corpus.arrow_values import python_rows
from factory.corpus.parquet_source import first_line
from factory.corpus.places import Found, SourceBytes, find, open_source
from factory.corpus.ranges import SourceFile, format_of
from factory.corpus.records import value_at
from factory.corpus.streams import DamageError, Hashed, blocks, decompressed, lines
from factory.curate.benchmarks import Side
from factory.errors import CorpusError

BATCH_ROWS = 512

MANIFEST = "manifest.json"
"""What a published dataset has beside its data/ folder (publish/manifest.py)."""

QUESTION_COLUMNS = ("question", "problem", "prompt", "instruction", "input", "query", "text", "content")
ANSWER_COLUMNS = ("answer", "solution", "response", "output", "completion")
CHAT_COLUMNS = ("messages", "conversations")
ANSWERING = {"assistant", "gpt", "model", "bot"}

ROWS_TO_JUDGE = 100
"""First rows of a JSONL file in which its columns are looked for: the first one may lack some."""


@dataclass(frozen=True)
class Cell:
    """One text: `row` counts from 0 in its file, `field` names the column (for a chat also the turn)."""

    file: str
    row: int
    field: str
    side: Side
    text: str


@dataclass(frozen=True)
class Columns:
    """Columns to read, by side; a chat goes to both. Where columns are given, an empty side is looked for by name."""

    questions: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    chats: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.questions + self.answers + self.chats


def data_files(paths: Sequence[str]) -> list[SourceFile]:
    """Parquet and JSONL files that paths lead to. Raises CorpusError naming a path without any."""
    files: dict[str, SourceFile] = {}
    for path in paths:
        found = _of_dataset(sorted(find(path), key=lambda item: item.uri))
        for each in found:
            kind = format_of(each.uri)
            if kind == "parquet" or kind == "jsonl":
                name = each.uri if each.direct else each.uri.removeprefix(each.base).lstrip("/")
                files[each.uri] = SourceFile(each.uri, each.size, each.etag, kind, name)
        if not any(each.uri in files for each in found):
            raise CorpusError(
                f"there is nothing to read at {path}",
                cause="no file of that name" if not found else "no .parquet or .jsonl (.gz, .zst) among them",
                remedy="name a file, a folder or a glob; other formats have to be converted",
            )
    return list(files.values())


def _of_dataset(found: Sequence[Found]) -> Sequence[Found]:
    """Of a published dataset its shards: what lies beside them (manifest, records) is no data."""
    if not any(item.uri == f"{item.base.rstrip('/')}/{MANIFEST}" and not item.direct for item in found):
        return found
    return [item for item in found if "/data/" in item.uri.removeprefix(item.base)]


def cells(file: SourceFile, given: Columns | None) -> Iterator[list[Cell]]:
    """The texts of a file, a batch of rows at a time. Raises CorpusError where the file is damaged or has none of the
    columns."""
    try:
        columns: Columns | None = None
        for first, rows in _batches(file, given):
            if columns is None:
                columns = _columns(file, rows, given)
            yield [cell for place, row in enumerate(rows) for cell in _cells_of(file.name, first + place, row, columns)]
    except DamageError as error:
        raise CorpusError(
            f"{file.uri} is damaged: {error.evidence.get('error', error.reason)}",
            cause="it was cut off, or is of another format than its name says",
            remedy="fetch or write it again, or leave it out",
        ) from None


def batches(file: SourceFile, names: Sequence[str]) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
    """(number of the first row, rows), BATCH_ROWS at a time. Of Parquet only the columns `names` are read, of JSONL all
    are given. Raises DamageError where the file is not what its name says."""
    source = open_source(file)
    return _parquet(file, source, names, None) if file.format == "parquet" else _jsonl(file, source)


def _batches(file: SourceFile, given: Columns | None) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
    """(number of the first row, rows)."""
    names = [*_KNOWN, *(path.split(".")[0] for path in given.all)] if given else [*_KNOWN]
    source = open_source(file)
    return _parquet(file, source, names, given) if file.format == "parquet" else _jsonl(file, source)


def _parquet(
    file: SourceFile, source: SourceBytes, wanted: Sequence[str], given: Columns | None
) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
    try:
        with pq.ParquetFile(pa.PythonFile(_Readable(source), mode="r")) as parquet:
            names = parquet.schema_arrow.names
            present = [name for name in names if name in wanted]
            if not present:
                raise _no_text(file, names, given)
            first = 0
            for batch in parquet.iter_batches(BATCH_ROWS, columns=present):
                yield first, python_rows(batch)
                first += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DamageError("corrupt_file", {"error": first_line(error)}) from None


def _jsonl(file: SourceFile, source: SourceBytes) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
    rows: list[Mapping[str, Any]] = []
    first = number = 0
    for place, line in enumerate(lines(decompressed(blocks(source, Hashed()), file.compression)), start=1):
        if line is None or not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DamageError("corrupt_file", {"error": f"line {place} is not JSON: {error}"}) from None
        if not isinstance(row, dict):
            raise DamageError("corrupt_file", {"error": f"line {place} is not an object"})
        rows.append(row)
        number += 1
        if len(rows) == BATCH_ROWS:
            yield first, rows
            rows, first = [], number
    if rows:
        yield first, rows


_KNOWN = (*QUESTION_COLUMNS, *ANSWER_COLUMNS, *CHAT_COLUMNS)


def _columns(file: SourceFile, rows: Sequence[Mapping[str, Any]], given: Columns | None) -> Columns:
    """The columns to read: those given that are there, else those whose names are in use and that hold text."""
    head = rows[:ROWS_TO_JUDGE]

    def held(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in names if any(_is_text(value_at(row, name)) for row in head))

    if given is not None:
        named = set(given.all)
        questions = held(given.questions or [name for name in QUESTION_COLUMNS if name not in named])
        answers = held(given.answers or [name for name in ANSWER_COLUMNS if name not in named])
        found = Columns(questions, answers, held(given.chats))
        if not (found.questions if given.questions else found.answers):
            raise _no_text(file, _kinds(head), given)
    else:
        chats = held(CHAT_COLUMNS)
        found = Columns(held(QUESTION_COLUMNS), held(ANSWER_COLUMNS), chats)
        if found.questions:
            found = Columns(found.questions, found.answers)  # the chat says the same once more
    if not found.all:
        raise _no_text(file, _kinds(head), given)
    return found


def _kinds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of columns, and what they hold."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, set()).add(type(value).__name__)
    return [f"{name} ({', '.join(sorted(kinds))})" for name, kinds in sorted(found.items())]


def _is_text(value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(turn, Mapping | str) for turn in value)
    return isinstance(value, str)


def _no_text(file: SourceFile, names: Sequence[str], given: Columns | None) -> CorpusError:
    asked = ", ".join(given.all) if given else "the usual names (question, prompt, text, messages, …)"
    return CorpusError(
        f"{file.uri} has no text under {asked}; it has: {', '.join(names)}",
        cause="the columns are called otherwise, or hold no text",
        remedy="name the columns: --field COLUMN for questions and documents, --answer-field COLUMN for answers",
    )


def _cells_of(name: str, number: int, row: Mapping[str, Any], columns: Columns) -> Iterator[Cell]:
    for path in columns.questions:
        yield from (Cell(name, number, path, "question", text) for text in _texts(value_at(row, path)))
    for path in columns.answers:
        yield from (Cell(name, number, path, "answer", text) for text in _texts(value_at(row, path)))
    for path in columns.chats:
        turns = value_at(row, path)
        for place, turn in enumerate(turns if isinstance(turns, list) else ()):
            if isinstance(turn, Mapping):
                role = turn.get("role", turn.get("from"))
                for text in _texts(turn.get("content", turn.get("value"))):
                    yield Cell(name, number, f"{path}[{place}]", "answer" if _answers(role) else "question", text)


def _answers(role: Any) -> bool:
    return isinstance(role, str) and role in ANSWERING


def _texts(value: Any) -> Iterator[str]:
    for text in value if isinstance(value, list) else (value,):
        if isinstance(text, str) and text:
            yield text


class _Readable(io.RawIOBase):
    """Bytes of a source as the file Arrow wants."""

    def __init__(self, source: SourceBytes) -> None:
        self._source, self._at = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        stop = self._source.size if size is None or size < 0 else min(self._at + size, self._source.size)
        data = self._source.read(self._at, stop) if stop > self._at else b""
        self._at += len(data)
        return data
