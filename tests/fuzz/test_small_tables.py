"""Tables that people bring: benchmarks, labels, points, ratings, data to decontaminate or mix, canaries."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import example
from hypothesis import strategies as st

from factory.answers.judge.labels import are_pairs, labelled, labelled_pairs, read_rows
from factory.corpus import small_tables
from factory.corpus.small_tables import rows_of, table_format
from factory.curate.benchmarks import read_benchmarks
from factory.curate.decon.config import BenchmarkConfig
from factory.curate.decon.rows import Columns, cells, data_files
from factory.errors import ConfigError, CorpusError
from factory.evaluate.forecast.points import read_points, tokens_in
from factory.publish.gates.canaries import read_canaries
from factory.select.training.config import RaterConfig
from factory.select.training.ratings import read_ratings
from tests.fuzz.breaking import broken_bytes, broken_json, json_bytes, texts
from tests.fuzz.harness import bounded, fuzzed, refused
from tests.fuzz.test_corpus_parquet import STRANGE

ROW: dict[str, Any] = {
    "id": "q1",
    "question": "How many edges has a tree of n vertices?",
    "answer": "n - 1",
    "choices": ["n", "n - 1"],
    "first": "n",
    "second": "n - 1",
    "label": 1,
    "document": "A tree is connected.",
    "sample_id": "a" * 32,
    "tokens": "4.5B",
    "error": 12.5,
    "series": "1B",
    "doc_id": "d" * 32,
    "score": 7,
    "messages": [{"role": "user", "content": "How many?"}, {"from": "gpt", "value": "n - 1"}],
}
ROWS = [ROW, {**ROW, "id": "q2", "label": 0, "tokens": 9e9, "error": "7%"}]
FLAT = {key: value for key, value in ROW.items() if isinstance(value, str | int | float)}


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


JSONL = b"\n".join(orjson.dumps(row) for row in ROWS)
CSV = (",".join(FLAT) + "\r\n" + ",".join(f'"{value}"' for value in FLAT.values()) + "\r\n").encode("utf-8-sig")
FILES = {
    "a.jsonl": JSONL,
    "a.json": orjson.dumps({"rows": ROWS, "version": 1}),
    "b.json": orjson.dumps(ROWS),
    "c.json": orjson.dumps({key: [value, value] for key, value in ROW.items()}),
    "a.csv": CSV,
    "a.parquet": parquet([ROW, ROW]),
    "a.jsonl.gz": gzip.compress(JSONL, mtime=0),
    "a.csv.zst": zstandard.compress(CSV),
}
DEEP = b"[" * 1000 + b"]" * 1000


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A name and its bytes: rows that say something else in a sound file, or a damaged one."""
    name = draw(st.sampled_from(sorted(FILES)))
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return name, draw(broken_bytes([FILES[name]]))
    if kind == 1:
        return "a.jsonl", draw(json_bytes(ROW))
    rows = [row for row in draw(broken_json(ROWS)) if isinstance(row, Mapping)] if kind == 2 else []
    if rows:
        return "a.jsonl", b"\n".join(map(orjson.dumps, rows))
    cells_ = texts("1", "0.5", "4.5B", "7%", "yes", "n - 1")
    table = draw(st.lists(st.lists(cells_, max_size=5), max_size=4))
    head = draw(st.lists(st.sampled_from(sorted(FLAT)), max_size=5))
    return "a.csv", "\n".join(",".join(row) for row in [head, *table]).encode("utf-8", "replace")


def put(place: Path, file: tuple[str, bytes]) -> str:
    path = place / file[0]
    path.write_bytes(file[1])
    return str(path)


@fuzzed("factory.corpus.small_tables.rows_of", "factory.corpus.small_tables.table_format", share=2, file=files())
@example(file=("a.parquet", STRANGE["timestamp"]))
@example(file=("a.parquet", STRANGE["duration"]))
@example(file=("a.jsonl", DEEP))
@example(file=("a.json", b'{"a":' * 900 + b"1" + b"}" * 900))
def test_a_table_is_rows_or_one_reason(file: tuple[str, bytes]) -> None:
    name, data = file
    kind = table_format(name)
    assert kind is not None
    with refused(ValueError):
        for row in rows_of(name, data, kind):
            assert not isinstance(row, Mapping) or all(isinstance(key, str) for key in row)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_bomb_is_no_table(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(small_tables, "LARGEST_BYTES", 1 << 20)
    zeros = b"\0" * (60 << 20)
    data = gzip.compress(zeros, 1) if name.endswith("gz") else zstandard.compress(zeros)
    with bounded(160 << 20), pytest.raises(ValueError, match=r"holds more than 1 MiB|broken"):
        rows_of(name, data, "jsonl")


@fuzzed("factory.answers.judge.labels.read_rows", "factory.answers.judge.labels.labelled", share=2, file=files())
@example(file=("a.jsonl", b'{"label": 1e400, "sample_id": "a"}\n{"label": 1, "sample_id": "b"}'))
@example(file=("a.jsonl", b'{"label": Infinity, "sample_id": "a"}\n{"label": 1, "sample_id": "b"}'))
@example(file=("a.jsonl", b'{"label": -1e308, "sample_id": "a"}\n{"label": 1e308, "sample_id": "b"}'))
@example(file=("a.jsonl", b'{"label": 1, "sample_id": ["a"]}\n{"label": 0, "question": {}, "answer": 5}'))
@example(file=("a.jsonl", b'{"first": 1, "second": {"a": 2}, "question": [0]}'))
def test_labels_are_on_their_scale_or_refused(place: Path, file: tuple[str, bytes]) -> None:
    path = put(place, file)
    with refused(ConfigError):
        rows = read_rows(path)
        if are_pairs(rows):
            for pair in labelled_pairs(rows, path):
                assert all(isinstance(text, str) for text in (pair.pair.question, pair.pair.first, pair.pair.second))
        else:
            for one in labelled(rows, None, path):
                assert 0 <= one.label <= 1
                assert all(isinstance(text, str | None) for text in (one.sample_id, one.question, one.answer))
                assert isinstance(one.document, str)


@fuzzed(
    "factory.curate.benchmarks.read_benchmarks", file=files(), field=st.sampled_from(("question", "choices", "a.b"))
)
@example(file=("a.jsonl", b'{"question": "Why is it so?", "id": ' + DEEP + b"}"), field="question")
def test_benchmarks_are_texts_or_refused(place: Path, file: tuple[str, bytes], field: str) -> None:
    config = BenchmarkConfig(name="b", path=put(place, file), fields=(field,), answer_fields=("answer",))
    with refused(ConfigError):
        found = read_benchmarks([config])
        assert found.items
        orjson.dumps(found.identity())
        for item in found.items:
            assert item.text.strip()
            orjson.dumps([item.item, item.text])


@fuzzed("factory.curate.benchmarks.read_benchmarks", path=texts("/data/*.jsonl", "~/x", "s3://b/x", "**"))
@example(path="~nobody-of-this-name/x")
@example(path="/no-such-folder/**x")
@example(path="/no-such\0folder/*")
def test_a_benchmark_path_leads_to_files_or_is_refused(path: str) -> None:
    with refused(ConfigError):
        place = path[:60] if path[:1] in ("~", "/") else f"/no-such-folder-of-the-tests/{path}"
        read_benchmarks([BenchmarkConfig(name="b", path=place, fields=("question",))])


@fuzzed("factory.evaluate.forecast.points.read_points", share=2, file=files())
@example(file=("a.jsonl", b'{"tokens": 1' + b"0" * 400 + b', "error": 1}'))
@example(file=("a.jsonl", b'{"tokens": 1, "error": 2, "weight": ' + DEEP + b"}"))
@example(file=("a.jsonl", b'{"tokens": 1, "error": 2, "series": ' + DEEP + b"}"))
@example(file=("a.parquet", parquet([{"tokens": 10.0**300, "error": 1.0}])))
def test_points_are_numbers_above_zero_or_refused(place: Path, file: tuple[str, bytes]) -> None:
    with refused(ConfigError):
        for points in read_points(put(place, file)):
            assert all(math.isfinite(value) and value > 0 for value in (*points.tokens, *points.error, *points.weight))


@fuzzed("factory.evaluate.forecast.points.tokens_in", share=2, text=texts("4.5B", "1_000,000", "3e400T", "٣"))
def test_token_counts_are_read_or_refused(text: str) -> None:
    with refused(ValueError):
        assert tokens_in(text) >= 0


@fuzzed(
    "factory.curate.decon.rows.cells",
    "factory.curate.decon.rows.batches",
    share=2,
    file=files(),
    given=st.sampled_from((None, Columns(("question",)), Columns((), ("answer",)), Columns((), (), ("messages",)))),
)
@example(file=("a.jsonl", b'{"messages": [{"role": [], "content": "x"}]}'), given=None)
@example(file=("a.jsonl", b'{"messages": [{"role": {}, "value": ["x", 1]}], "text": 5}'), given=None)
@example(file=("a.parquet", STRANGE["text_timestamp"]), given=None)
@example(file=("a.parquet", STRANGE["text_duration"]), given=None)
def test_data_to_look_through_is_texts_or_refused(place: Path, file: tuple[str, bytes], given: Columns | None) -> None:
    path = put(place, file)
    with refused(CorpusError):
        for source in data_files([path]):
            for batch in cells(source, given):
                for cell in batch:
                    assert cell.text
                    assert cell.side in ("question", "answer")


@fuzzed("factory.select.training.ratings.read_ratings", share=2, file=files())
@example(file=("a.jsonl", b'{"doc_id": ["a"], "score": 1e400}\n{"doc_id": {}, "score": "nan"}'))
@example(file=("a.jsonl", b'{"doc_id": 5, "score": true}\n{"doc_id": "a", "score": ' + DEEP + b"}"))
def test_ratings_are_scores_of_documents_or_refused(place: Path, file: tuple[str, bytes]) -> None:
    with refused(ConfigError, CorpusError):
        config = RaterConfig(name="people", kind="file", path=put(place, file))
        for row in read_ratings(config).rows:
            assert math.isfinite(row.score)


@fuzzed(
    "factory.publish.gates.canaries.read_canaries", data=broken_bytes([b"a canary of many characters\n" * 2, b"x\n"])
)
def test_canaries_are_strings_or_refused(place: Path, data: bytes) -> None:
    with refused(ConfigError):
        assert read_canaries(put(place, ("canaries.txt", data)))
