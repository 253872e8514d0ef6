"""Corpus files of JSON Lines and text, plain and compressed: rows or named damage, never another end."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import example
from hypothesis import strategies as st

from factory.corpus import places, streams
from factory.corpus.config import Columns
from factory.corpus.readers import read_range
from factory.corpus.records import SourceDamage, SourceRow, parse_line
from factory.corpus.sources import list_sources, plan_ranges
from factory.corpus.streams import DamageError, decompressed, lines
from factory.errors import CorpusError
from tests.corpus.shards import corpus, range_over
from tests.fuzz.breaking import broken_bytes, json_bytes, texts
from tests.fuzz.harness import bounded, fuzzed, refused

ROW: dict[str, Any] = {
    "text": "Zähle die Bäume.\nEach has \\frac{1}{2} of a leaf.",
    "source": "s1",
    "license": ["MIT", "Apache-2.0 OR GPL-2.0"],
    "url": "http://x/1",
    "meta": {"url": "http://y", "tags": [1, 2.5, None, {"a": True}]},
}
LINE = orjson.dumps(ROW)
LINES = b"".join(orjson.dumps({**ROW, "text": f"{ROW['text']} {number}"}) + b"\r\n" for number in range(6))
GZ, ZST = gzip.compress(LINES, mtime=0), zstandard.compress(LINES)
TWO_GZ = GZ + b"\0" * 40 + GZ
REASONS = {
    "missing_text",
    "null_text",
    "text_not_string",
    "invalid_json",
    "not_utf8",
    "oversized_document",
    "truncated_file",
    "corrupt_file",
    "decompression_bomb",
}
COLUMNS = Columns(url="meta.url")
DEEP = b'{"text": "t", "source": ' + b"[" * 1000 + b"]" * 1000 + b"}"


def usable(item: SourceRow | SourceDamage) -> None:
    """A row can be stored, a damage can be written down."""
    if isinstance(item, SourceRow):
        for value in (item.text, item.source, item.license, item.url, item.shard):
            value.encode()
    else:
        assert item.reason in REASONS
        orjson.dumps(dict(item.evidence))
        assert item.row >= 0


def read_all(path: Path, columns: Columns = COLUMNS) -> tuple[int, int]:
    """Reads a file twice over: as a planned range, and as what the plan of a corpus makes of it. Rows and damages."""
    reader = read_range(range_over(path, columns=columns))
    rows = damages = 0
    for item in reader:
        usable(item)
        rows += isinstance(item, SourceRow)
        damages += isinstance(item, SourceDamage)
    assert (reader.summary.rows, reader.summary.damages) == (rows, damages)
    with refused(CorpusError):
        config = corpus(path, columns=columns)
        planned = [item for range_ in plan_ranges(list_sources(config), config) for item in read_range(range_)]
        assert sum(isinstance(item, SourceRow) for item in planned) == rows
    return rows, damages


@pytest.fixture(scope="module")
def range_(place: Path) -> Any:
    path = place / "line.jsonl"
    path.write_bytes(LINE)
    return range_over(path, columns=COLUMNS)


@fuzzed("factory.corpus.records.parse_line", "factory.corpus.records.value_at", share=4, line=json_bytes(ROW))
@example(line=DEEP)
@example(line=b'{"text": "t", "license": ' + b"[" * 990 + b"]" * 990 + b"}")
@example(line=b'{"text": "t", "source": 1' + b"0" * 4000 + b"}")
@example(line=b'{"text": "\\ud800", "url": "\\udfff", "\\ud800": 1}')
def test_a_line_is_a_row_or_named_damage(range_: Any, line: bytes) -> None:
    from factory.corpus.records import Origin

    usable(parse_line(line, 0, Origin("shard", "s", "unknown"), range_))


@fuzzed(
    "factory.corpus.readers.read_range", "factory.corpus.sources.plan_ranges", data=broken_bytes([LINES, LINE, b"\n"])
)
@example(data=b"\xef\xbb\xbf" + LINES)
@example(data=LINES.decode().encode("utf-16"))
@example(data=DEEP * 3)
@example(data=b"\xef\xbb\xbf")
def test_no_line_of_a_plain_file_is_lost(place: Path, data: bytes) -> None:
    path = place / "plain.jsonl"
    path.write_bytes(data)
    rows, damages = read_all(path)
    parts = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert rows + damages == sum(bool(part) and not part.isspace() for part in parts)


@fuzzed("factory.corpus.streams.decompressed", "factory.corpus.peek.peek", data=broken_bytes([GZ, TWO_GZ]))
def test_gzip_gives_what_comes_before_the_damage(place: Path, data: bytes) -> None:
    path = place / "rows.jsonl.gz"
    path.write_bytes(data)
    read_all(path)


@fuzzed("factory.corpus.streams.decompressed", "factory.corpus.peek.peek", data=broken_bytes([ZST, ZST + ZST]))
def test_zstd_gives_what_comes_before_the_damage(place: Path, data: bytes) -> None:
    path = place / "rows.jsonl.zst"
    path.write_bytes(data)
    read_all(path)


@fuzzed(
    "factory.corpus.readers.read_range",
    name=st.sampled_from(("a.txt", "a.md", "a.txt.gz", "a.md.zst")),
    data=broken_bytes([b"\xef\xbb\xbfA text.\r\n", GZ, ZST, "Ünï".encode("latin-1")]),
)
def test_a_text_file_is_one_row_or_one_damage(place: Path, name: str, data: bytes) -> None:
    path = place / name
    path.write_bytes(data)
    assert sum(read_all(path)) == 1


@fuzzed("factory.corpus.streams.lines", share=2, parts=st.lists(st.binary(max_size=30), max_size=8))
def test_lines_are_those_of_the_whole(parts: list[bytes]) -> None:
    joined = b"".join(parts)
    expected = joined.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert list(lines(iter(parts))) == expected


def zeros(compressor: Any, mib: int) -> bytes:
    """A line of so many zero bytes behind 100 good ones, compressed without ever being held."""
    parts = [compressor.compress(b'{"text": "%s"}\n' % (b"a" * 100) * 100)]
    parts += [compressor.compress(b"\0" * (1 << 20)) for _ in range(mib)]
    return b"".join([*parts, compressor.flush()])


@pytest.mark.parametrize("name", ["bomb.jsonl.gz", "bomb.jsonl.zst"])
def test_a_decompression_bomb_is_read_in_bounded_memory(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(streams, "LONGEST_DOCUMENT_BYTES", 16 << 20)
    path = place / name
    path.write_bytes(
        zeros(zlib.compressobj(9, wbits=31) if ".gz" in name else zstandard.ZstdCompressor().compressobj(), 300)
    )
    assert path.stat().st_size < 1 << 20
    with bounded(220 << 20):
        rows, damages = read_all(path)
    assert (rows, damages) == (100, 1)


@fuzzed(
    "factory.corpus.places.find",
    "factory.corpus.sources.list_sources",
    path=texts("/data/shards/*.parquet", "s3://bucket/**/a-[0-9]*.jsonl", "~/corpus", "docstrings://x"),
    kind=st.sampled_from(("auto", "parquet", "jsonl", "text")),
)
@example(path="~nobody-of-this-name/x", kind="auto")
@example(path="/tmp/no-such-folder-here/\0*", kind="auto")
@example(path="/no-such-folder/**x[", kind="auto")
def test_a_path_leads_to_files_or_is_refused_by_name(path: str, kind: str) -> None:
    if path.startswith("s3://") or not path.strip("/."):
        return  # asks a server; patterns are compared with local ones in tests/corpus
    with refused(CorpusError):
        list_sources(
            corpus(f"/no-such-folder-of-the-tests/{path}" if path[:1] not in ("~", "/") else path[:40], format=kind)
        )


@fuzzed("factory.corpus.places._matcher", share=4, pattern=texts("a/**/b-[0-9]*?.jsonl", "[!x]", "[]a]", "[z-a]"))
@example(pattern="[z-a]*")
@example(pattern="[[:alpha:]]?[\\]")
def test_a_pattern_of_s3_is_an_expression(pattern: str) -> None:
    with refused(CorpusError):
        places._matcher(f"s3://b/{pattern}", pattern).fullmatch("a/b")


def test_damage_is_an_error_of_its_own() -> None:
    with pytest.raises(DamageError):
        list(decompressed(iter([b"no gzip"]), "gzip"))
