"""Benchmark files: the questions a dataset must stay clear of, read once on the driver.

Design: JSONL, JSON, CSV and Parquet, the texts also as .gz or .zst; globs; the configured fields of every row,
questions and answers apart. A field may hold a list of texts (choices). Everything that can be wrong is a ConfigError
before anything starts: no file, no such field, a line that does not parse, not one usable text. What was read is named
by the SHA-256 of every file, so the protection a dataset had can be proved later.

Cost: 19,000 items of seven common benchmarks in 0.25 s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from factory.corpus.records import MISSING, as_text, value_at
from factory.corpus.small_tables import TableFormat, rows_of, table_format
from factory.curate.decon.config import BenchmarkConfig
from factory.errors import ConfigError

Side = Literal["question", "answer"]

ID_FIELDS = ("id", "task_id", "question_id", "unique_id", "problem_id", "uid")
"""Columns that name an item in the benchmarks in use; without one the item is named by its row."""


@dataclass(frozen=True)
class Item:
    """One text of a benchmark: `item` is its own id where the file has one, else "<file name>:<row>" (0-based);
    `options` are the choices offered with a question."""

    benchmark: str
    item: str
    field: str
    text: str
    side: Side = "question"
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class BenchmarkFile:
    """A file that was read: `items` counts its texts, questions and answers; `fields` are those that were read."""

    benchmark: str
    name: str
    sha256: str
    items: int
    fields: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Benchmarks:
    """All benchmark texts of a configuration, in a fixed order."""

    files: tuple[BenchmarkFile, ...]
    items: tuple[Item, ...]

    def identity(self) -> list[dict[str, Any]]:
        """What was read, without where it lay: enters the fingerprint."""
        return [
            {
                "benchmark": file.benchmark,
                "file": file.name,
                "sha256": file.sha256,
                "items": file.items,
                **{side: list(fields) for side, fields in file.fields.items() if fields},
            }
            for file in self.files
        ]


def read_benchmarks(configs: Sequence[BenchmarkConfig]) -> Benchmarks:
    """Reads every benchmark. Raises ConfigError naming benchmark, file and row."""
    files: list[BenchmarkFile] = []
    items: list[Item] = []
    for config in configs:
        before = len(items)
        for path in _paths(config):
            data = path.read_bytes()
            found = list(_items(config, path, data))
            items.extend(found)
            digest = hashlib.sha256(data).hexdigest()
            files.append(BenchmarkFile(config.name, path.name, digest, len(found), _fields(config)))
        if len(items) == before:
            raise ConfigError(
                f"benchmark {config.name}: {', '.join(config.paths)} holds no text in {', '.join(config.fields)}",
                cause="the files are empty, or these fields are null in every row",
                remedy="correct curate.benchmarks[].path or .fields",
            )
    return Benchmarks(tuple(files), tuple(items))


def _fields(config: BenchmarkConfig) -> dict[str, tuple[str, ...]]:
    return {"fields": config.fields, "answer_fields": config.answer_fields, "option_fields": config.option_fields}


def check_benchmarks(configs: Sequence[BenchmarkConfig]) -> list[dict[str, Any]]:
    """Reads everything once, to fail early; returns what was read, for the plan and the report."""
    return read_benchmarks(configs).identity()


def _paths(config: BenchmarkConfig) -> list[Path]:
    return sorted({path for given in config.paths for path in _paths_at(config, given)})


def _paths_at(config: BenchmarkConfig, given: str) -> list[Path]:
    if "://" in given:
        raise ConfigError(
            f"benchmark {config.name}: {given} is not a local path",
            cause="benchmark files are read on the machine that starts the run; workers get the index from the store",
            remedy="copy the file here and point curate.benchmarks[].path to it",
        )
    try:
        paths = _files_at(config, Path(given).expanduser())
    except (ValueError, RuntimeError, OSError):  # a pattern that is none, a home of nobody, a name too long
        paths = []
    if not paths:
        raise ConfigError(
            f"benchmark {config.name}: no file at {given}",
            cause="a wrong path, or a glob that matches nothing",
            remedy="correct curate.benchmarks[].path; relative paths start where the command was started",
        )
    return paths


def _files_at(config: BenchmarkConfig, pattern: Path) -> list[Path]:
    if pattern.is_file():
        return [pattern]
    if pattern.is_dir():
        return [path for path in pattern.rglob("*") if path.is_file() and _format(config, path) is not None]
    # Path.glob wants a relative pattern, and the user's may be absolute.
    root = Path(pattern.anchor)
    return [path for path in root.glob(str(pattern.relative_to(root))) if path.is_file()]


def _format(config: BenchmarkConfig, path: Path) -> TableFormat | None:
    return config.format if config.format != "auto" else table_format(path.name)


def _items(config: BenchmarkConfig, path: Path, data: bytes) -> Iterator[Item]:
    kind = _format(config, path)
    if kind is None:
        raise ConfigError(
            f"benchmark {config.name}: cannot tell the format of {path.name} by its name",
            remedy="set curate.benchmarks[].format to jsonl, json, csv or parquet",
        )
    try:
        rows = rows_of(path.name, data, kind)
    except ValueError as error:
        raise ConfigError(
            f"benchmark {config.name}: {path.name} is not readable as {kind}: {error}",
            cause="the file is damaged, or of another format",
            remedy="fetch it again, or set curate.benchmarks[].format",
        ) from None
    wanted = (*config.fields, *config.answer_fields)
    unseen = set(config.option_fields)  # a question may have fewer choices than another, but each somewhere
    for number, row in enumerate(rows):
        missing = [field for field in wanted if not isinstance(row, dict) or value_at(row, field) is MISSING]
        if missing:
            known = ", ".join(map(str, row)) if isinstance(row, dict) else f"a {type(row).__name__}, not an object"
            raise ConfigError(
                f"benchmark {config.name}: {path.name} has no field {missing[0]!r} in row {number + 1}, counted from 1",
                cause=f"the row holds: {known}",
                remedy="correct curate.benchmarks[].fields, .answer_fields or .option_fields",
            )
        name = next((as_text(row[field]) for field in ID_FIELDS if row.get(field) not in (None, "")), "")
        name = name or f"{path.name}:{number}"
        unseen = {field for field in unseen if value_at(row, field) is MISSING}
        options = tuple(text for field in config.option_fields for text in _texts(row, field))
        for field in config.fields:
            for text in _texts(row, field):
                yield Item(config.name, name, field, text, "question", options)
        for field in config.answer_fields:
            for text in _texts(row, field):
                yield Item(config.name, name, field, text, "answer")
    if unseen and rows:
        raise ConfigError(
            f"benchmark {config.name}: {path.name} has no field {min(unseen)!r} in any row",
            remedy="correct curate.benchmarks[].option_fields",
        )


def _texts(row: dict[str, Any], field: str) -> Iterator[str]:
    value = value_at(row, field)
    for text in value if isinstance(value, list | tuple) else (value,):
        if isinstance(text, str) and text.strip():
            yield text
