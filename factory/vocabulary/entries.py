"""Reading the documented format: a table with the columns term, code, definition, synonyms and kind.

Design: one entry a row, of which only `term` has to be filled; synonyms are separated by `|` (in JSON lines they may be
a list). Columns that nobody reads are an error with the nearest name, because a misspelt `synonym` would lose most of a
vocabulary without a word. Files are read line by line; what is wrong with one is said with its line.

Cost: 3 microseconds a row.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import orjson

from factory.errors import ConfigError

COLUMNS = ("term", "code", "definition", "synonyms", "kind")
SUFFIXES = (".tsv", ".csv", ".jsonl")
SEPARATOR = "|"

LONGEST = {"term": 400, "code": 100, "definition": 20_000, "synonyms": 200_000, "kind": 100}
"""Characters. A longer term is a sign of a column that was shifted."""


@dataclass(frozen=True)
class Entry:
    """One term. `code` is what its terminology calls it, `kind` what it is a term for (`drug`, `disease`)."""

    term: str
    code: str = ""
    definition: str = ""
    synonyms: tuple[str, ...] = ()
    kind: str = ""


def read_entries(path: Path) -> Iterator[Entry]:
    """The entries of a file, in its order. Raises ConfigError where it cannot be read, or a row is none."""
    if path.suffix.casefold() not in SUFFIXES:
        raise ConfigError(
            f"{path}: a vocabulary is a file that ends in {', '.join(SUFFIXES)}",
            cause="it is in another format, or compressed",
            remedy="`factory domain vocabulary convert` makes one of ICD-10-CM, MeSH and SNOMED CT files",
        )
    try:
        if path.suffix.casefold() == ".jsonl":
            yield from _json_lines(path)
        else:
            yield from _table(path, "," if path.suffix.casefold() == ".csv" else "\t")
    except OSError as error:
        raise ConfigError(
            f"the vocabulary {path} cannot be read: {error.strerror or error}",
            cause="a mistyped path, or a file of another machine",
            remedy="name a file that is here in domain.vocabulary.files",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: {error}", remedy="save it as UTF-8") from None


def write_entries(entries: Iterator[Entry], path: Path) -> int:
    """Writes a .tsv that `read_entries` reads; returns its rows."""
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, dialect="excel-tab", lineterminator="\n")
        writer.writerow(COLUMNS)
        for entry in entries:
            term, code, definition, synonyms, kind = astuple(entry)
            writer.writerow([term, code, definition, SEPARATOR.join(synonyms), kind])
            rows += 1
    return rows


def _table(path: Path, delimiter: str) -> Iterator[Entry]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = [name.strip().casefold() for name in next(rows, [])]
            _check_columns(header, str(path))
            for row in rows:
                if not any(row):
                    continue
                if len(row) > len(header):
                    raise _wrong(f"{path}:{rows.line_num}", f"it has {len(row)} fields, the header {len(header)}")
                yield _entry(dict(zip(header, row, strict=False)), f"{path}:{rows.line_num}")
        except csv.Error as error:
            raise _wrong(f"{path}:{rows.line_num}", str(error)) from None


def _json_lines(path: Path) -> Iterator[Entry]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                values = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise _wrong(f"{path}:{number}", f"it is no JSON ({error})") from None
            if not isinstance(values, dict):
                raise _wrong(f"{path}:{number}", "it is no JSON object")
            _check_columns(list(values), f"{path}:{number}")
            yield _entry(values, f"{path}:{number}")


def _check_columns(names: Sequence[str], where: str) -> None:
    for name in names:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise _wrong(where, f"there is no column `{name[:60]}`{hint}")
    if "term" not in names:
        raise _wrong(where, "the column `term` is missing")
    if len(set(names)) < len(names):
        raise _wrong(where, "a column is there twice")


def _entry(values: Mapping[str, Any], where: str) -> Entry:
    synonyms = values.get("synonyms") or ()
    if isinstance(synonyms, str):
        synonyms = synonyms.split(SEPARATOR)
    if not isinstance(synonyms, list | tuple):
        raise _wrong(where, "`synonyms` is neither a text nor a list of texts")
    texts = {name: _text(values.get(name), name, where) for name in ("term", "code", "definition", "kind")}
    if not texts["term"]:
        raise _wrong(where, "`term` is empty")
    several = tuple(each for each in (_text(synonym, "synonyms", where) for synonym in synonyms) if each)
    return Entry(texts["term"], texts["code"], texts["definition"], several, texts["kind"].casefold())


def _text(value: Any, name: str, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(where, f"`{name}` holds {value!r:.60}, which is no text")
    text = " ".join(value.split())
    if len(text) > LONGEST[name]:
        raise _wrong(where, f"`{name}` has {len(text)} characters; {LONGEST[name]} are the most")
    return text


def _wrong(where: str, what: str) -> ConfigError:
    return ConfigError(
        f"{where}: {what}",
        cause="a slip in the vocabulary, or a file of another layout",
        remedy=f"columns are {', '.join(COLUMNS)}, of which term has to be filled (docs/vocabulary.md)",
    )
