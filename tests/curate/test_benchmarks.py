from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from factory.curate.benchmarks import check_benchmarks, read_benchmarks
from factory.curate.decon.config import BenchmarkConfig
from factory.errors import ConfigError

ROWS = [{"id": "q-1", "question": "Is it raining?", "choices": ["yes", "no"]}, {"id": "q-2", "question": "Why?"}]
LINES = "\n".join(json.dumps(row) for row in ROWS).encode()


def config(path: Path | str, *fields: str, name: str = "weather") -> BenchmarkConfig:
    return BenchmarkConfig(name=name, path=str(path), fields=fields or ("question",))


def texts(path: Path | str, *fields: str) -> list[str]:
    return [item.text for item in read_benchmarks([config(path, *fields)]).items]


def test_every_format_gives_the_same_items(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LINES))
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(LINES))
    (tmp_path / "list.json").write_text(json.dumps(ROWS))
    (tmp_path / "a.csv").write_text("id,question\nq-1,Is it raining?\nq-2,Why?\n", encoding="utf-8-sig")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,question\r\nq-1,Is it raining?\r\nq-2,Why?\r\n"))
    pq.write_table(pa.table({"id": ["q-1", "q-2"], "question": ["Is it raining?", "Why?"]}), tmp_path / "a.parquet")
    for path in tmp_path.iterdir():
        items = read_benchmarks([config(path)]).items
        assert [(item.item, item.text) for item in items] == [("q-1", "Is it raining?"), ("q-2", "Why?")], path


@pytest.mark.parametrize(
    "value",
    [
        {"question": ["Is it raining?", "Why?"], "id": ["q-1", "q-2"]},
        {"version": 3, "data": [{"id": "q-1", "question": "Is it raining?"}, {"id": "q-2", "question": "Why?"}]},
    ],
)
def test_json_may_be_an_object_of_columns_or_around_rows(tmp_path: Path, value: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps(value, indent=1))
    items = read_benchmarks([config(tmp_path / "a.json")]).items
    assert [(item.item, item.text) for item in items] == [("q-1", "Is it raining?"), ("q-2", "Why?")]


def test_answers_and_choices_are_read_beside_questions_also_from_inside_objects(tmp_path: Path) -> None:
    row = {"id": "q", "question": "Is it raining?", "choices": {"text": ["yes", "no"]}, "solution": "Look up."}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    given = BenchmarkConfig(
        name="weather",
        path=(str(tmp_path / "a.jsonl"),),
        fields=("question",),
        answer_fields=("solution",),
        option_fields=("choices.text",),
    )
    question, answer = read_benchmarks([given]).items
    assert (question.side, question.text, question.options) == ("question", "Is it raining?", ("yes", "no"))
    assert (answer.side, answer.text) == ("answer", "Look up.")
    assert check_benchmarks([given]) != check_benchmarks([config(tmp_path / "a.jsonl")])


def test_a_choice_that_no_row_has_is_an_error_one_that_some_lack_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "Which?", "A": "one"}\n{"question": "What?", "A": "x", "B": "y"}\n')
    given = config(tmp_path / "a.jsonl").model_copy(update={"option_fields": ("A", "B")})
    assert [item.options for item in read_benchmarks([given]).items] == [("one",), ("x", "y")]
    with pytest.raises(ConfigError, match="'C' in any row"):
        read_benchmarks([given.model_copy(update={"option_fields": ("A", "C")})])


def test_globs_and_folders_read_every_file_in_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"question": f"from {name}"}))
    assert texts(tmp_path / "*.jsonl") == texts(tmp_path) == ["from a", "from b"]
    assert read_benchmarks([config(tmp_path)]).items[0].item == "a.jsonl:0"


def test_lists_of_choices_are_items_and_null_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"question": "Which?", "choices": ["one", "two"]}\n{"question": null, "choices": []}'
    )
    assert texts(tmp_path / "a.jsonl", "question", "choices") == ["Which?", "one", "two"]


def test_identity_names_what_was_read_but_not_where(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jsonl").write_bytes(LINES)
    here, there = (check_benchmarks([config(tmp_path / folder / "a.jsonl")]) for folder in ("here", "there"))
    assert here == there
    assert here[0]["items"] == 2
    (tmp_path / "there" / "a.jsonl").write_bytes(LINES + b"\n")
    assert check_benchmarks([config(tmp_path / "there" / "a.jsonl")]) != here


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("gone.jsonl", None, "no file at"),
        ("a.jsonl", b'{"query": "Why?"}', "no field 'question' in row 1, counted from 1"),
        ("a.jsonl", b'{"question": "Why?"}\n{"question": ', "line 2"),
        ("a.jsonl", b"[1, 2]", "no field"),
        ("a.jsonl", b"", "holds no text"),
        ("a.jsonl", b'{"question": ""}', "holds no text"),
        ("a.jsonl.gz", b"not gzip", "not readable"),
        ("a.jsonl.gz", gzip.compress(LINES, mtime=0)[:-20], "not readable"),
        ("a.jsonl.zst", b"not zstd", "not readable"),
        ("a.parquet", b"PAR1 but short", "not readable"),
        ("a.csv", b"question\n\xff\xfe\n", "not readable"),
        ("a.txt", b"Why?", "cannot tell the format"),
    ],
)
def test_whatever_is_wrong_is_said_before_anything_starts(
    tmp_path: Path, name: str, data: bytes | None, says: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=says) as caught:
        check_benchmarks([config(tmp_path / name)])
    assert "weather" in str(caught.value)


def test_remote_addresses_are_refused_with_a_way_out() -> None:
    with pytest.raises(ConfigError, match="copy the file"):
        check_benchmarks([config("s3://bucket/a.jsonl")])
