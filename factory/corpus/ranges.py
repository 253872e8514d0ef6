"""Source files and the ranges of them that one task reads.

Design: a range says everything that decides which rows come out of it (files by address, size and entity tag;
row groups or bytes; column mapping; defaults), so its id is a hash of itself: a corpus that grew by one shard
has the old ranges under their old ids. Plain JSON, so that a unit carries it to any worker. Which machine
reads, how files were found and in what order they were listed is not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from factory.corpus.config import Columns
from factory.identity import canonical_json, make_id

Format = Literal["parquet", "jsonl", "text"]

SUFFIXES: dict[str, Format] = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".markdown": "text",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class SourceFile:
    """One file of a corpus: `size` in bytes; `etag` S3's entity tag, or the local time of change in
    nanoseconds; `name` how rows call it, unique in the corpus and without the machine's own folders."""

    uri: str
    size: int
    etag: str
    format: Format
    name: str

    @property
    def compression(self) -> str:
        """ "gzip", "zstd" or "" """
        for suffix, compression in COMPRESSIONS.items():
            if self.uri.lower().endswith(suffix) and self.format != "parquet":
                return compression
        return ""


@dataclass(frozen=True)
class SourceRange:
    """What one task reads: row groups [start, stop) of a Parquet file, the lines that begin in bytes
    [start, stop) of a plain JSONL file, or whole files (start and stop 0): a compressed one, or many texts.

    A Parquet file with an unreadable footer is a range of no row groups; reading it reports the damage.
    `first_row` is the number, in the Parquet file, of the first row. `text_bytes` is about how much text comes
    out, for estimates only: known for Parquet and plain files, guessed for compressed ones.
    """

    files: tuple[SourceFile, ...]
    start: int
    stop: int
    first_row: int
    columns: Columns
    default_source: str
    default_license: str
    text_bytes: int = 0

    @cached_property
    def range_id(self) -> str:
        content = {name: value for name, value in self.to_json().items() if name != "text_bytes"}
        return make_id("range", canonical_json(content).decode())

    @property
    def format(self) -> Format:
        return self.files[0].format

    @property
    def name(self) -> str:
        """For people: "maths/part-0.parquet", "big.jsonl@67108864", "notes/a.md and 41 more"."""
        first = self.files[0].name
        if len(self.files) > 1:
            return f"{first} and {len(self.files) - 1} more"
        if self.format == "parquet" and self.start:
            return f"{first}#{self.start}"
        return self.shard

    @property
    def shard(self) -> str:
        """Name that rows of the first file carry. In a later part of a plain JSONL file rows are counted from
        the part's first line, and the name says at which byte that part begins: numbering lines from the
        file's start would mean reading all that lies before."""
        if self.format == "jsonl" and self.start:
            return f"{self.files[0].name}@{self.start}"
        return self.files[0].name

    def to_json(self) -> dict[str, Any]:
        return {
            "files": [asdict(file) for file in self.files],
            "start": self.start,
            "stop": self.stop,
            "first_row": self.first_row,
            "columns": self.columns.model_dump(mode="json"),
            "default_source": self.default_source,
            "default_license": self.default_license,
            "text_bytes": self.text_bytes,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SourceRange:
        return cls(
            files=tuple(SourceFile(**file) for file in value["files"]),
            start=value["start"],
            stop=value["stop"],
            first_row=value["first_row"],
            columns=Columns(**value["columns"]),
            default_source=value["default_source"],
            default_license=value["default_license"],
            text_bytes=value["text_bytes"],
        )


def format_of(name: str) -> Format | None:
    """Format that a file's name promises, compression aside; None when it promises none."""
    lower = name.lower()
    for compression in COMPRESSIONS:
        if lower.endswith(compression):
            inner = _by_suffix(lower.removesuffix(compression))
            return None if inner == "parquet" else inner
    return _by_suffix(lower)


def _by_suffix(name: str) -> Format | None:
    for suffix, format_ in SUFFIXES.items():
        if name.endswith(suffix):
            return format_
    return None
