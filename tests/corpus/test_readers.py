from __future__ import annotations

import gzip
import hashlib
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory.corpus import parquet_source, readers, streams
from factory.corpus.config import Columns
from factory.corpus.ranges import SourceRange
from factory.corpus.readers import read_range
from factory.corpus.records import SourceRow
from factory.corpus.sources import list_sources, plan_ranges
from factory.errors import CorpusError
from tests.corpus.shards import as_jsonl, corpus, range_over, read, texts, write_jsonl, write_parquet

RECORDS = [
    {"text": text, "source": f"s{number}", "license": "MIT", "url": f"http://x/{number}"}
    for number, text in enumerate(texts(250))
]


def columns_of(records: list[dict[str, str]]) -> dict[str, list[str]]:
    return {name: [record[name] for record in records] for name in records[0]}


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.json"])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        write_parquet(path, columns_of(RECORDS))
    else:
        write_jsonl(path, RECORDS)
    config = corpus(path)
    (range_,) = plan_ranges(list_sources(config), config)
    reader = read_range(range_)
    rows = [item for item in reader if isinstance(item, SourceRow)]
    assert [(row.text, row.source, row.license, row.url, row.shard_row) for row in rows] == [
        (record["text"], record["source"], record["license"], record["url"], number)
        for number, record in enumerate(RECORDS)
    ]
    assert {row.shard for row in rows} == {f"{tmp_path.name}/{name}"}
    summary = reader.summary
    assert (summary.rows, summary.damages, summary.hashed) == (250, 0, "file")
    assert summary.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert summary.bytes == path.stat().st_size


def test_texts_take_licence_and_source_from_config_and_folder(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_bytes(b"\xef\xbb\xbf# Title\n\nBody")
    (folder / "sub" / "b.txt").write_text("plain")
    (folder / "sub" / "c.txt.gz").write_bytes(gzip.compress(b"packed"))
    config = corpus(folder, default_license="CC0-1.0")
    rows, damages = read(*plan_ranges(list_sources(config), config))
    assert not damages
    assert sorted((row.text, row.source, row.license, row.url, row.shard, row.shard_row) for row in rows) == [
        ("# Title\n\nBody", "notes", "CC0-1.0", "", "notes/a.md", 0),
        ("packed", "notes/sub", "CC0-1.0", "", "notes/sub/c.txt.gz", 0),
        ("plain", "notes/sub", "CC0-1.0", "", "notes/sub/b.txt", 0),
    ]
    config = corpus(folder, default_source="my notes")
    rows, _ = read(*plan_ranges(list_sources(config), config))
    assert {row.source for row in rows} == {"my notes"}


def test_missing_or_empty_source_and_licence_take_the_defaults(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"text": "a"}, {"text": "b", "source": None, "license": "", "url": None}]
    rows, _ = read(range_over(write_jsonl(tmp_path / "a.jsonl", records)))
    assert [(row.source, row.license, row.url) for row in rows] == [("a.jsonl", "unknown", "")] * 2


def test_values_that_are_no_strings_are_written_as_such(tmp_path: Path) -> None:
    record = {"text": "a", "source": 7, "license": ["MIT", "GPL-2.0 OR Apache-2.0"], "url": {"a": 1}}
    rows, _ = read(range_over(write_jsonl(tmp_path / "a.jsonl", [record])))
    assert (rows[0].source, rows[0].license, rows[0].url) == ("7", "MIT AND (GPL-2.0 OR Apache-2.0)", '{"a": 1}')


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_a_mapping_can_look_into_a_struct(tmp_path: Path, name: str) -> None:
    metas = [{"url": "u0", "lic": "MIT"}, None, {"url": None, "lic": "BSD"}]
    path = tmp_path / name
    if name.endswith("parquet"):
        write_parquet(path, {"body": ["a", "b", "c"], "meta": pa.array(metas), "big": [b"x"] * 3})
    else:
        write_jsonl(path, [{"body": body, "meta": meta} for body, meta in zip("abc", metas, strict=True)])
    columns = Columns(text="body", source=None, license="meta.lic", url="meta.url")
    rows, damages = read(range_over(path, columns=columns))
    assert not damages
    assert [(row.text, row.license, row.url) for row in rows] == [
        ("a", "MIT", "u0"),
        ("b", "unknown", ""),
        ("c", "BSD", ""),
    ]


BAD_LINES: list[tuple[bytes, str]] = [
    (b'{"text": "a"', "invalid_json"),
    (b"not json", "invalid_json"),
    (b"[1, 2]", "invalid_json"),
    (b'"text"', "invalid_json"),
    (b'{"text": "\xff\xfe"}', "not_utf8"),
    (b'{"text": "\\ud800"}', "not_utf8"),
    (b'{"text": null}', "null_text"),
    (b'{"text": 7}', "text_not_string"),
    (b'{"text": ["a"]}', "text_not_string"),
    (b'{"body": "a"}', "missing_text"),
    (b"{}", "missing_text"),
    (b"[" * 100_000, "invalid_json"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_bad_line_is_one_damage_and_its_neighbours_are_read(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "before"}\n' + line + b'\n{"text": "after"}\n')
    rows, damages = read(range_over(path))
    assert [(row.text, row.shard_row) for row in rows] == [("before", 0), ("after", 2)]
    assert [(damage.shard, damage.row, damage.reason) for damage in damages] == [("a.jsonl", 1, reason)]
    orjson.dumps(dict(damages[0].evidence))


def test_what_pythons_own_writer_emits_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"text": "a", "score": NaN, "n": 123456789012345678901234567890}\r\n\r\n{"text": "b"}'
    )
    rows, damages = read(range_over(path))
    assert [(row.text, row.shard_row) for row in rows] == [("a", 0), ("b", 2)]
    assert not damages


def test_utf16_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("text".encode("utf-16"))
    _, (damage,) = read(range_over(tmp_path / "a.txt"))
    assert damage.reason == "not_utf8"
    assert "UTF-16" in damage.evidence["looks_like"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet_bytes_that_are_not_utf8_and_nulls(tmp_path: Path, kind: Any) -> None:
    values = pa.array([b"good", b"bad \xff\xfe", None, b"also good"], pa.binary())
    if pa.types.is_dictionary(kind):
        values = values.dictionary_encode().cast(pa.dictionary(pa.int32(), pa.binary()))
    elif kind != pa.binary():
        wide = pa.large_binary() if kind == pa.large_string() else pa.binary()
        values = values.cast(wide).view(kind)
    path = write_parquet(tmp_path / "a.parquet", {"text": values})
    rows, damages = read(range_over(path, stop=1))
    assert [(row.text, row.shard_row) for row in rows] == [("good", 0), ("also good", 3)]
    assert [(damage.row, damage.reason) for damage in damages] == [(1, "not_utf8"), (2, "null_text")]


def test_a_column_of_nulls_is_all_damage(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"text": pa.nulls(3)})
    rows, damages = read(range_over(path, stop=1))
    assert not rows
    assert {damage.reason for damage in damages} == {"null_text"}


@pytest.mark.parametrize("suffix", ["gz", "zst"])
@pytest.mark.parametrize("keep", [0.0, 0.001, 0.3, 0.6, 0.99])
def test_a_truncated_stream_gives_the_rows_before_its_end(tmp_path: Path, suffix: str, keep: float) -> None:
    records = [{"text": os.urandom(60).hex()} for _ in range(3000)]
    path = write_jsonl(tmp_path / f"a.jsonl.{suffix}", records)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    rows, damages = read(range_over(path))
    assert [row.text for row in rows] == [record["text"] for record in records[: len(rows)]]
    assert len(rows) >= 3000 * (keep - 0.65 if suffix == "zst" else keep - 0.02)
    assert [(damage.reason, damage.row, damage.shard) for damage in damages] == [
        ("truncated_file", len(rows), f"a.jsonl.{suffix}")
    ]


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_corrupt_stream_gives_the_rows_before_the_damage(tmp_path: Path, suffix: str) -> None:
    blocks = [as_jsonl({"text": os.urandom(60).hex()} for _ in range(500)) for _ in range(4)]
    pack = gzip.compress if suffix == "gz" else zstandard.compress
    packed = [pack(block) for block in blocks]
    broken = bytearray(packed[2])
    broken[len(broken) // 2 :] = os.urandom(len(broken) - len(broken) // 2)
    path = tmp_path / f"a.jsonl.{suffix}"
    path.write_bytes(packed[0] + packed[1] + bytes(broken) + packed[3])
    rows, damages = read(range_over(path))
    assert len(rows) + 150 >= 1000
    assert all(row.text for row in rows)
    assert damages[-1].reason in ("corrupt_file", "truncated_file")


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_members_that_were_joined_are_one_stream(tmp_path: Path, suffix: str) -> None:
    pack = gzip.compress if suffix == "gz" else zstandard.compress
    path = tmp_path / f"a.jsonl.{suffix}"
    padding = b"\0" * 512 if suffix == "gz" else b""
    path.write_bytes(pack(b'{"text": "a"}\n{"te') + pack(b'xt": "b"}\n') + padding)
    rows, damages = read(range_over(path))
    assert [row.text for row in rows] == ["a", "b"]
    assert not damages


def test_bytes_behind_a_gzip_stream_are_damage_after_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a"}\n') + b"garbage")
    rows, damages = read(range_over(path))
    assert [row.text for row in rows] == ["a"]
    assert [(damage.row, damage.reason) for damage in damages] == [(1, "corrupt_file")]


def test_a_damaged_row_group_costs_itself_alone(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "a.parquet", {"text": texts(300)}, use_dictionary=False, write_page_checksum=True, compression="none"
    )
    chunk = pq.read_metadata(path).row_group(1).column(0)
    data = bytearray(path.read_bytes())
    middle = chunk.data_page_offset + chunk.total_compressed_size // 2
    data[middle : middle + 8] = b"\xff" * 8
    path.write_bytes(data)
    rows, damages = read(range_over(path, stop=3))
    assert [row.shard_row for row in rows] == [*range(100), *range(200, 300)]
    assert [(damage.row, damage.reason, damage.evidence["rows_lost"]) for damage in damages] == [
        (100, "corrupt_file", 100)
    ]


@pytest.mark.parametrize("keep", [0, 3, 500, -1, -5, -40])
def test_a_truncated_parquet_file_is_damage(tmp_path: Path, keep: int) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"text": texts(300)})
    path.write_bytes(path.read_bytes()[:keep])
    rows, damages = read(range_over(path))
    assert not rows
    assert [(damage.row, damage.shard) for damage in damages] == [(0, "a.parquet")]
    assert damages[0].reason in ("truncated_file", "corrupt_file")


def test_a_large_parquet_file_is_read_by_column_and_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "AT_ONCE_BYTES", 1000)
    monkeypatch.setattr(parquet_source, "GAP_BYTES", 0)
    unwanted = [os.urandom(20_000) for _ in range(300)]
    path = write_parquet(tmp_path / "a.parquet", {"before": unwanted, "text": texts(300), "embedding": unwanted})
    reader = read_range(range_over(path, stop=3))
    rows = [item for item in reader if isinstance(item, SourceRow)]
    assert [row.text for row in rows] == texts(300)
    assert reader.summary.hashed == "columns"
    assert reader.summary.bytes < 100_000
    parts = [range_over(path, start=group, stop=group + 1, first_row=100 * group) for group in range(3)]
    again, _ = read(*parts)
    assert again == rows


newline_texts = st.lists(st.text(max_size=30), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(values=newline_texts, width=st.integers(1, 200), final=st.booleans())
def test_however_a_file_is_cut_each_line_is_read_once(
    tmp_path: Path, values: list[str], width: int, final: bool
) -> None:
    path = tmp_path / "a.jsonl"
    data = as_jsonl({"text": value} for value in values)
    path.write_bytes(data if final else data.removesuffix(b"\n"))
    size = path.stat().st_size
    ranges = [range_over(path, start, min(start + width, size)) for start in range(0, size, width)]
    got, damages = read(*ranges)
    assert [row.text for row in got] == values
    assert not damages
    for range_ in ranges:  # the name says where to find the row
        for row in read(range_)[0]:
            at = int(row.shard.partition("@")[2] or 0)
            lines = data[_line_start(data, at) :].split(b"\n")
            assert orjson.loads(lines[row.shard_row])["text"] == row.text


def _line_start(data: bytes, at: int) -> int:
    return 0 if at == 0 else data.index(b"\n", at - 1) + 1


def test_memory_is_bounded_by_the_block_not_by_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BLOCK_BYTES", 1 << 20)
    path = tmp_path / "a.jsonl.gz"
    line = orjson.dumps({"text": "some words " * 900}) + b"\n"
    path.write_bytes(gzip.compress(line * 10_000, 1))  # 100 MB of text
    reader = read_range(range_over(path))
    tracemalloc.start()
    assert sum(isinstance(item, SourceRow) for item in reader) == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20


def test_a_line_that_is_no_document_is_turned_away_without_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LONGEST_DOCUMENT_BYTES", 1000)
    monkeypatch.setattr(streams, "BLOCK_BYTES", 512)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\n{"text": "' + b"x" * 5000 + b'"}\n{"text": "b"}\n' + b"y" * 3000)
    rows, damages = read(range_over(path))
    assert [(row.text, row.shard_row) for row in rows] == [("a", 0), ("b", 2)]
    assert [(damage.row, damage.reason) for damage in damages] == [(1, "oversized_document"), (3, "oversized_document")]
    (tmp_path / "b.txt").write_bytes(b"z" * 3000)
    _, (damage,) = read(range_over(tmp_path / "b.txt"))
    assert damage.reason == "oversized_document"


def test_a_file_that_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", RECORDS[:3])
    range_ = range_over(path)
    write_jsonl(path, RECORDS[:4])
    with pytest.raises(CorpusError, match="not the file that was planned"):
        read(range_)
    path.unlink()
    with pytest.raises(CorpusError, match="is gone"):
        read(range_)


def test_a_batch_of_texts_goes_on_after_a_bad_one(tmp_path: Path) -> None:
    for name, data in (("a.md", b"first"), ("b.md", b"\xff\xff"), ("c.md.gz", b"\x1f\x8b broken"), ("d.md", b"last")):
        (tmp_path / name).write_bytes(data)
    ranges = [range_over(path) for path in sorted(tmp_path.iterdir())]
    batch: SourceRange = replace(ranges[0], files=tuple(range_.files[0] for range_ in ranges))
    reader = read_range(batch)
    items = list(reader)
    assert [(item.shard, getattr(item, "text", None) or item.reason) for item in items] == [  # type: ignore[union-attr]
        ("a.md", "first"),
        ("b.md", "not_utf8"),
        ("c.md.gz", "corrupt_file"),
        ("d.md", "last"),
    ]
    assert (reader.summary.rows, reader.summary.damages, reader.summary.hashed) == (2, 2, "files")
