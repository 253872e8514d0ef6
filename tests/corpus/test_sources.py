from __future__ import annotations

import logging
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.corpus.config import Columns, CorpusConfig
from factory.corpus.ranges import SourceFile, SourceRange, format_of
from factory.corpus.sources import list_sources, plan_ranges
from factory.errors import CorpusError
from tests.corpus.shards import corpus, range_over, read, texts, write_jsonl, write_parquet


def plan(config: CorpusConfig) -> list[SourceRange]:
    return plan_ranges(list_sources(config), config)


def rows(number: int) -> list[dict[str, str]]:
    return [{"text": text} for text in texts(number)]


def test_a_folder_is_searched_with_all_below_it(tmp_path: Path) -> None:
    write_parquet(tmp_path / "c" / "a.parquet", {"text": texts(3)})
    write_jsonl(tmp_path / "c" / "deep" / "b.jsonl.gz", rows(3))
    write_jsonl(tmp_path / "c" / ".hidden" / "x.jsonl", rows(3))
    write_jsonl(tmp_path / "c" / "_temporary" / "y.jsonl", rows(3))
    files = list_sources(corpus(tmp_path / "c"))
    assert [(file.name, file.format, file.compression) for file in files] == [
        ("c/a.parquet", "parquet", ""),
        ("deep/b.jsonl.gz", "jsonl", "gzip"),
    ]
    assert all(file.size > 0 and file.etag for file in files)


def test_a_linked_folder_is_followed_once(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "elsewhere" / "a.jsonl", rows(1))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "c")
    assert [Path(file.uri).name for file in list_sources(corpus(tmp_path / "c"))] == ["a.jsonl"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jsonl", ["a.jsonl", "b.jsonl"]),
        ("**/*.jsonl", ["a.jsonl", "b.jsonl", "d.jsonl"]),
        ("[ac].jsonl", ["a.jsonl"]),
        ("s*", ["d.jsonl"]),
        ("?.jsonl", ["a.jsonl", "b.jsonl"]),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    for name in ("a.jsonl", "b.jsonl", "sub/d.jsonl"):
        write_jsonl(tmp_path / name, rows(1))
    assert [Path(file.uri).name for file in list_sources(corpus(tmp_path / pattern))] == expected


def test_a_shard_has_one_name_whichever_path_led_to_it(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "maths" / "a.jsonl", rows(2))
    ways = [tmp_path, tmp_path / "maths", tmp_path / "maths" / "a.jsonl", tmp_path / "*" / "a.jsonl"]
    ids = {(range_.range_id, range_.shard) for way in ways for range_ in plan(corpus(way))}
    assert {shard for _, shard in ids} == {"maths/a.jsonl"}
    assert len(ids) == 1


def test_files_of_equal_names_go_by_their_address(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_jsonl(tmp_path / folder / "x" / "a.jsonl", rows(2))
    names = [file.name for file in list_sources(corpus(tmp_path / "one" / "x", tmp_path / "two" / "x"))]
    assert names == [str(tmp_path / folder / "x" / "a.jsonl") for folder in ("one", "two")]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", rows(2))
    assert len(list_sources(corpus(tmp_path, tmp_path / "a.jsonl", tmp_path / "*.jsonl"))) == 1


def test_the_card_of_a_dataset_is_no_document_but_said_to_be_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_parquet(tmp_path / "a.parquet", {"text": texts(3)})
    (tmp_path / "README.md").write_text("# Card")
    (tmp_path / "notes.csv").write_text("a,b")
    with caplog.at_level(logging.WARNING):
        assert len(list_sources(corpus(tmp_path))) == 1
    assert "left out: 1 .md, 1 .csv (" in caplog.text
    (tmp_path / "a.parquet").unlink()
    assert [Path(file.uri).name for file in list_sources(corpus(tmp_path))] == ["README.md"]


def test_texts_left_out_beside_shards_are_counted_and_read_where_the_advice_is_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_jsonl(tmp_path / "a.jsonl", rows(2))
    (tmp_path / "notes").mkdir()
    for number in range(9):
        (tmp_path / "notes" / f"{number}.md").write_text(f"# Note {number}")
    for name in ("a.py", "b.PY", "c.txt.gz", "LICENSE"):
        (tmp_path / name).write_bytes(b"x")
    with caplog.at_level(logging.WARNING):
        assert len(list_sources(corpus(tmp_path))) == 1
    assert "left out: 9 .md, 2 .py, 1 without an ending, 1 .txt.gz (" in caplog.text
    pattern = f"{tmp_path}/**/*.md"
    assert f"corpus.paths=['{tmp_path}','{pattern}']" in caplog.text
    assert len(list_sources(corpus(tmp_path, tmp_path, pattern))) == 10


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "nowhere leads to no file"),
        ("*.nothing", r"\*\.nothing leads to no file"),
        ("empty", "empty leads to no file"),
        ("table.csv", r"table\.csv is of no known format"),
        ("tables", r"nothing at .*tables is of a known format"),
        ("gs://bucket/x", "unknown scheme"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "table.csv").write_text("a,b")
    (tmp_path / "table.csv").write_text("a,b")
    with pytest.raises(CorpusError, match=message):
        list_sources(corpus(path if "://" in path else tmp_path / path))


def test_the_format_can_be_said_for_files_with_other_names(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "dump.data", rows(2))
    assert [file.format for file in list_sources(corpus(tmp_path, format="jsonl"))] == ["jsonl"]


def test_a_corpus_without_rows_is_an_error(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"text": pa.array([], pa.string())})
    (tmp_path / "b.jsonl").write_bytes(b"")
    write_jsonl(tmp_path / "c.jsonl.gz", [])
    with pytest.raises(CorpusError, match=r"no documents: .*a\.parquet and 2 more are empty"):
        plan(corpus(tmp_path))


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_a_missing_text_column_is_an_error_with_file_columns_and_a_suggestion(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        write_parquet(path, {"texts": texts(3), "id": [1, 2, 3]})
    else:
        write_jsonl(path, [{"texts": text, "id": 1} for text in texts(3)])
    with pytest.raises(CorpusError) as caught:
        plan(corpus(tmp_path))
    message = str(caught.value)
    assert f"{path} has no column 'text'" in message
    assert "id, texts" in message or "texts, id" in message
    assert "corpus.columns.text=texts" in message


def test_a_text_column_of_another_type_is_an_error(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"text": [1, 2], "body": ["a", "b"]})
    with pytest.raises(CorpusError, match=r"'text' is int64, not text"):
        plan(corpus(tmp_path))


def test_a_licence_column_is_not_lost_by_a_slip(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [{"text": "t", "licence": "MIT"}])
    with pytest.raises(CorpusError, match=r"corpus\.columns\.license=licence"):
        plan(corpus(tmp_path))
    assert plan(corpus(tmp_path, columns=Columns(license=None)))
    assert plan(corpus(tmp_path, columns=Columns(license="licence")))


def test_a_mapped_column_that_no_file_has_is_an_error_but_a_default_one_may_be_absent(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [{"text": "t"}])
    assert plan(corpus(tmp_path))
    with pytest.raises(CorpusError, match=r"no column|has the column 'origin'"):
        plan(corpus(tmp_path, columns=Columns(source="origin")))


def test_json_over_many_lines_is_not_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(orjson.dumps([{"text": "a"}, {"text": "b"}], option=orjson.OPT_INDENT_2))
    with pytest.raises(CorpusError, match=r"a\.json is not JSON Lines"):
        plan(corpus(tmp_path))


@pytest.mark.parametrize("data", [b"", b"PAR1 but not really", b"x" * 5000])
def test_a_damaged_parquet_file_is_planned_so_that_reading_reports_it(tmp_path: Path, data: bytes) -> None:
    write_parquet(tmp_path / "good.parquet", {"text": texts(3)})
    (tmp_path / "bad.parquet").write_bytes(data)
    got, damages = read(*plan(corpus(tmp_path)))
    assert len(got) == 3
    assert [(damage.shard.rpartition("/")[2], damage.row) for damage in damages] == [("bad.parquet", 0)]


def test_row_groups_are_joined_up_to_the_range_size(tmp_path: Path) -> None:
    noise = [os.urandom(150_000).hex() for _ in range(12)]  # 150 kB each, incompressible
    write_parquet(tmp_path / "a.parquet", {"text": noise}, group=2)
    ranges = plan(corpus(tmp_path, range_mib=1))
    parts = sorted((range_.start, range_.stop, range_.first_row) for range_ in ranges)
    assert parts[0][0] == 0
    assert parts[-1][1] == 6
    assert len(parts) > 1
    assert all(left[1] == right[0] for left, right in pairwise(parts))
    got, damages = read(*sorted(ranges, key=lambda range_: range_.start))
    assert [(row.shard_row, row.text) for row in got] == list(enumerate(noise))
    assert not damages
    assert sum(range_.text_bytes for range_ in ranges) == pytest.approx(12 * 300_000, rel=0.02)


def test_small_texts_are_batched_and_a_new_one_changes_few_ranges(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"{number:05d}.md").write_text(f"text {number}")
    before = {range_.range_id: range_ for range_ in plan(corpus(tmp_path))}
    assert 2 < len(before) < 40
    assert sum(len(range_.files) for range_ in before.values()) == 2000
    (tmp_path / "00700-new.md").write_text("new")
    after = {range_.range_id for range_ in plan(corpus(tmp_path))}
    assert len(before.keys() - after) <= 2


def test_ranges_are_named_by_content_and_ordered_by_name(tmp_path: Path) -> None:
    for number in range(12):
        write_jsonl(tmp_path / f"{number}.jsonl", rows(2))
    first = plan(corpus(tmp_path))
    assert [range_.range_id for range_ in first] == sorted(range_.range_id for range_ in first)
    assert [range_.files[0].name for range_ in first] != sorted(range_.files[0].name for range_ in first)
    write_jsonl(tmp_path / "13.jsonl", rows(2))
    grown = plan(corpus(tmp_path))
    assert {range_.range_id for range_ in first} < {range_.range_id for range_ in grown}
    os.utime(tmp_path / "3.jsonl", ns=(1, 1))
    assert len({range_.range_id for range_ in plan(corpus(tmp_path))} & {range_.range_id for range_ in grown}) == 12


def test_everything_that_changes_rows_changes_the_id(tmp_path: Path) -> None:
    base = range_over(write_jsonl(tmp_path / "a.jsonl", rows(2)))
    file = base.files[0]
    others = [
        replace(base, files=(replace(file, uri=file.uri + "x"),)),
        replace(base, files=(replace(file, name="other"),)),
        replace(base, files=(replace(file, size=1),)),
        replace(base, files=(replace(file, etag="1"),)),
        replace(base, files=(replace(file, format="text"),)),
        replace(base, files=(file, file)),
        replace(base, start=1),
        replace(base, stop=1),
        replace(base, first_row=1),
        replace(base, columns=Columns(text="body")),
        replace(base, columns=Columns(url=None)),
        replace(base, default_source="s"),
        replace(base, default_license="MIT"),
    ]
    assert len({base.range_id, *(other.range_id for other in others)}) == len(others) + 1
    assert replace(base, text_bytes=99).range_id == base.range_id


@given(st.integers(0, 2**60), st.integers(0, 2**60), st.text(max_size=20), st.text(max_size=20))
def test_ranges_survive_json(start: int, stop: int, name: str, license_: str) -> None:
    file = SourceFile(f"/x/{name}", stop, "e", "jsonl", name)
    range_ = SourceRange((file,), start, stop, 3, Columns(url=None, text=name), "s", license_, 7)
    again = SourceRange.from_json(orjson.loads(orjson.dumps(range_.to_json())))
    assert again == range_
    assert again.range_id == range_.range_id


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("a.parquet", "parquet"),
        ("A.JSONL", "jsonl"),
        ("a.json.gz", "jsonl"),
        ("a.ndjson.zst", "jsonl"),
        ("a.md", "text"),
        ("a.txt.gz", "text"),
        ("a.parquet.gz", None),
        ("a.csv", None),
        ("a", None),
        (".gz", None),
    ],
)
def test_formats_by_name(name: str, format_: str | None) -> None:
    assert format_of(name) == format_
