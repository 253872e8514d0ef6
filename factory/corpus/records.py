"""One source row as rows are given to `select`: text, source, licence, url, or why there is no text.

Design: the same rules for every format. The text must be a string (or, in Parquet, bytes that are UTF-8);
anything else is damage with a reason of its own. Source, licence and url are taken as they come: what is not
a string is written as one, several licences are joined as the SPDX expression that demands all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from factory.corpus.ranges import SourceRange

MISSING = object()

EXCERPT_BYTES = 200
"""Of bytes that could not be read, kept as evidence: enough to recognise the row."""


@dataclass(frozen=True)
class SourceRow:
    """A row that has a text. `shard` and `shard_row` (0-based) say where it stands in the user's own files."""

    text: str
    source: str
    license: str
    url: str
    shard: str
    shard_row: int


@dataclass(frozen=True)
class SourceDamage:
    """A row, or the rest of a file from that row on, that could not be read, and why."""

    shard: str
    row: int
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """Where the row after next comes from, and what stands in for what it does not say."""

    shard: str
    default_source: str
    default_license: str

    def row(self, number: int, text: Any, source: Any, license_: Any, url: Any) -> SourceRow | SourceDamage:
        if isinstance(text, str):
            return SourceRow(
                text,
                as_text(source) or self.default_source,
                _license(license_) or self.default_license,
                as_text(url),
                self.shard,
                number,
            )
        if text is MISSING:
            return SourceDamage(self.shard, number, "missing_text")
        if text is None:
            return SourceDamage(self.shard, number, "null_text")
        return SourceDamage(self.shard, number, "text_not_string", {"type": type(text).__name__})


def parse_line(line: bytes, number: int, origin: Origin, range_: SourceRange) -> SourceRow | SourceDamage:
    """One line of JSONL."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        try:
            # orjson refuses what Python's own writer emits: NaN, and numbers above 64 bits.
            record = json.loads(line.decode())
        except UnicodeDecodeError as undecodable:
            return not_utf8(origin.shard, number, line, undecodable)
        except (ValueError, RecursionError):
            return SourceDamage(origin.shard, number, "invalid_json", {"error": str(error), "line": excerpt(line)})
    if not isinstance(record, dict):
        evidence = {"error": f"a {type(record).__name__}, not an object", "line": excerpt(line)}
        return SourceDamage(origin.shard, number, "invalid_json", evidence)
    columns = range_.columns
    text = value_at(record, columns.text)
    if isinstance(text, str) and not _encodable(text):
        return SourceDamage(origin.shard, number, "not_utf8", {"error": "a lone surrogate", "line": excerpt(line)})
    row = origin.row(
        number,
        text,
        value_at(record, columns.source),
        value_at(record, columns.license),
        value_at(record, columns.url),
    )
    if isinstance(row, SourceDamage) and row.reason == "missing_text":
        return SourceDamage(
            row.shard,
            row.row,
            row.reason,
            {"column": columns.text, "has": [as_text(name) for name in sorted(record)[:20]]},
        )
    return row


def value_at(record: Mapping[str, Any], path: str | None) -> Any:
    """The value a column mapping names, MISSING where there is none; "meta.url" looks into an object."""
    if path is None:
        return MISSING
    if path in record or "." not in path:
        return record.get(path, MISSING)
    value: Any = record
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return MISSING
        value = value[name]
    return value


def as_text(value: Any) -> str:
    if value is None or value is MISSING:
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dict | list):
        try:
            value = json.dumps(value, ensure_ascii=False, default=str)
        except RecursionError:  # Python reads JSON as deep as it writes it, but orjson reads deeper
            value = "(nested too deeply to be written)"
    elif not isinstance(value, str):
        value = str(value)
    return str(value) if _encodable(value) else value.encode(errors="replace").decode()


def _license(value: Any) -> str:
    if isinstance(value, list):
        return " AND ".join(f"({item})" if " OR " in item else item for item in map(as_text, value) if item)
    return as_text(value)


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def not_utf8(shard: str, number: int, data: bytes, error: UnicodeDecodeError) -> SourceDamage:
    evidence: dict[str, Any] = {"byte": error.start, "error": error.reason, "around": excerpt(data[error.start :])}
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        evidence["looks_like"] = "UTF-16: convert the file to UTF-8"
    return SourceDamage(shard, number, "not_utf8", evidence)


def excerpt(data: bytes) -> str:
    return data[:EXCERPT_BYTES].decode(errors="backslashreplace")
