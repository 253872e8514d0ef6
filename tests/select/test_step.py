from __future__ import annotations

import gzip
import os
import pickle
import time
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from factory.config import FactoryConfig
from factory.corpus.config import Columns, CorpusConfig
from factory.corpus.documents import Span, chunk_id, document_id, normalise
from factory.corpus.ranges import SourceRange
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.tokenizer import Tokenizer
from factory.errors import ConfigError, CorpusError
from factory.run.attempt import account, rejects_table
from factory.run.units import Unit, UnitResult
from factory.select import parts
from factory.select.config import SelectConfig
from factory.select.filters import Length
from factory.select.step import SelectStep, plan_select, source_bytes
from factory.store.base import Store
from factory.store.config import StoreConfig
from factory.tables import DOCUMENT
from tests.corpus.shards import range_over, texts, write_jsonl, write_parquet

WORDS = Tokenizer("words")


def step_with(select: SelectConfig) -> SelectStep:
    return SelectStep(select, WORDS, (Length(select.min_characters, select.max_characters),))


STEP = step_with(SelectConfig(min_characters=20, chunk_tokens=64, unit_rows=10))


def config_with(**corpus: Any) -> FactoryConfig:
    return FactoryConfig(
        corpus=CorpusConfig(kind="files", **corpus),
        model=ModelConfig(id="m", license="MIT", output_terms="none"),
        engine=EngineConfig(kind="scripted"),
        store=StoreConfig(root="unused"),
    )


def unit_of(range_: SourceRange) -> Unit:
    return Unit(range_.range_id, parameters=orjson.loads(orjson.dumps({"range": range_.to_json()})))


def work(store: Store, path: Path, step: SelectStep = STEP) -> UnitResult:
    return step.work(store, unit_of(range_over(path)))


def rows_of(result: UnitResult) -> list[dict[str, Any]]:
    return [row for table in result.tables for row in table.to_pylist()]


def test_rows_become_documents_with_their_origin(local_store: Store, tmp_path: Path) -> None:
    documents = [*texts(24), "\n\n".join(texts(40))]
    records = [{"text": text, "license": "MIT", "url": f"http://x/{n}"} for n, text in enumerate(documents)]
    path = write_jsonl(tmp_path / "a.jsonl", records)
    result = work(local_store, path)
    rows = rows_of(result)
    assert all(table.schema == DOCUMENT for table in result.tables)
    assert (result.inputs, result.used, result.rejects) == (25, 25, ())
    by_row: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        by_row.setdefault(row["shard_row"], []).append(row)
    for number, record in enumerate(records):
        text = normalise(record["text"])
        chunks = by_row[number]
        assert [row["chunk"] for row in chunks] == list(range(len(chunks)))
        assert {row["chunks"] for row in chunks} == {len(chunks)}
        assert {row["doc_id"] for row in chunks} == {document_id(text)}
        assert {(row["url"], row["license"], row["source"], row["shard"]) for row in chunks} == {
            (record["url"], "MIT", "a.jsonl", "a.jsonl")
        }
        for row in chunks:
            span = Span(row["span_start"], row["span_end"])
            assert row["text"] == text[span.start : span.stop]
            assert row["chunk_id"] == chunk_id(document_id(text), span)
            assert WORDS.count([row["text"]])[0] <= 64
    assert max(len(chunks) for chunks in by_row.values()) > 1
    assert result.facts["range"] == "a.jsonl"
    assert result.facts["bytes"] == path.stat().st_size
    assert result.facts["documents"] == 25


def test_parts_hold_a_unit_each_and_do_not_split_documents(local_store: Store, tmp_path: Path) -> None:
    result = work(local_store, write_jsonl(tmp_path / "a.jsonl", [{"text": text} for text in texts(80)]))
    assert len(result.tables) > 5
    assert all(0 < table.num_rows <= 10 for table in result.tables)
    seen: set[str] = set()
    for table in result.tables:
        ids = set(table.column("doc_id").to_pylist())
        assert not ids & seen
        seen |= ids


def test_a_document_of_2_400_000_characters_is_chunked_over_several_parts(local_store: Store, tmp_path: Path) -> None:
    text = "\n\n".join(f"Paragraph {number} says something of itself." for number in range(58_000))
    assert len(text) > 2_400_000
    path = write_parquet(
        tmp_path / "a.parquet", {"text": ["a short document before it", text, "one after it, also short"]}
    )
    started = time.process_time()
    step = step_with(SelectConfig(min_characters=20, chunk_tokens=1500, unit_rows=64))
    result = work(local_store, path, step)
    assert time.process_time() - started < 30
    rows = [row for row in rows_of(result) if row["shard_row"] == 1]
    assert len(rows) == rows[0]["chunks"] > 200
    assert [row["chunk"] for row in rows] == list(range(len(rows)))
    assert all(count <= 1500 for count in WORDS.count([row["text"] for row in rows]))
    assert "".join("".join(row["text"].split()) for row in rows) == "".join(text.split())
    assert len(result.tables) > 3
    assert all(table.num_rows <= 64 for table in result.tables)
    assert result.used == 3


def test_everything_turned_away_says_why_and_where(local_store: Store, tmp_path: Path) -> None:
    lines = [
        b'{"text": "long enough to be kept as it is"}',
        b'{"text": "short"}',
        b'{"text": null}',
        b'{"text": "\xff\xfe"}',
        b'{"body": "no text here"}',
        b"{broken",
        b'{"text": 5}',
        b'{"text": "' + b"x" * 300 + b'"}',
        b'{"text": " \\u0000 \\n "}',
    ]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n" + os.urandom(20_000).hex().encode())[:-9000])
    step = step_with(SelectConfig(min_characters=20, max_characters=200))
    result = work(local_store, path, step)
    assert [reject.reason for reject in result.rejects] == [
        "too_short",
        "null_text",
        "not_utf8",
        "missing_text",
        "invalid_json",
        "text_not_string",
        "too_long",
        "too_short",
        "truncated_file",
    ]
    assert [(reject.evidence["shard"], reject.evidence["row"]) for reject in result.rejects] == [
        ("a.jsonl.gz", row) for row in range(1, 10)
    ]
    assert (result.inputs, result.used) == (10, 1)
    counts, reasons = account(result)
    counts.check("select")
    assert reasons["input"]["too_short"] == 2
    assert rejects_table(result.rejects).num_rows == 9
    assert len({reject.item_id for reject in result.rejects}) == 9
    assert result.rejects[6].evidence["characters"] == 300


def test_an_unreadable_parquet_file_is_one_reject(local_store: Store, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"text": texts(30)})
    path.write_bytes(path.read_bytes()[:-30])
    result = work(local_store, path)
    assert (result.inputs, result.used, result.tables) == (1, 0, ())
    assert result.rejects[0].reason == "truncated_file"
    assert result.rejects[0].evidence["shard"] == "a.parquet"


def test_a_long_rejected_text_is_kept_as_an_excerpt(local_store: Store, tmp_path: Path) -> None:
    step = step_with(SelectConfig(max_characters=3000))
    result = work(local_store, write_jsonl(tmp_path / "a.jsonl", [{"text": "word " * 5000}]), step)
    assert len(result.rejects[0].text or "") == 2000


def test_copies_are_kept_for_the_merge_step(local_store: Store, tmp_path: Path) -> None:
    text = "the very same document, twice"
    records = [{"text": text, "url": "http://one"}, {"text": text + " \r\n", "url": "http://two"}]
    rows = rows_of(work(local_store, write_jsonl(tmp_path / "a.jsonl", records)))
    assert [row["url"] for row in rows] == ["http://one", "http://two"]
    assert len({row["chunk_id"] for row in rows}) == 1


def test_the_same_range_gives_the_same_rows(local_store: Store, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"text": texts(120)})
    first, second = work(local_store, path), work(local_store, path)
    assert rows_of(first) == rows_of(second)
    assert [table.num_rows for table in first.tables] == [table.num_rows for table in second.tables]


def test_large_results_lie_on_disk_without_a_name(
    local_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": text} for text in texts(80)])
    expected = rows_of(work(local_store, path))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setattr(parts.PartWriter.__init__, "__defaults__", (100,))
    before = pa.total_allocated_bytes()
    result = work(local_store, path)
    assert pa.total_allocated_bytes() - before < 100_000
    assert list(scratch.iterdir()) == []
    assert rows_of(result) == expected


def test_identity_holds_what_can_change_a_row() -> None:
    config = SelectConfig()
    base = step_with(config).identity()
    for changed in ({"min_characters": 5}, {"max_characters": 10**6}, {"chunk_tokens": 99}, {"unit_rows": 3}):
        assert step_with(config.model_copy(update=changed)).identity() != base
    assert base["tokenizer"] == "words"
    orjson.dumps(base)


def test_the_tokenizer_is_no_part_of_it_where_no_document_can_be_chunked() -> None:
    config = SelectConfig(max_characters=1000, chunk_tokens=50_000)
    assert "tokenizer" not in step_with(config).identity()
    assert "tokenizer" in step_with(config.model_copy(update={"chunk_tokens": 5000})).identity()


def test_the_step_pickles_small() -> None:
    assert len(pickle.dumps(STEP)) < 4000
    assert pickle.loads(pickle.dumps(STEP)) == STEP


def test_planning_gives_a_unit_a_range_in_a_fair_order(tmp_path: Path) -> None:
    for number in range(6):
        write_jsonl(tmp_path / f"{number}.jsonl", [{"text": text} for text in texts(3)])
    config = config_with(paths=(str(tmp_path),))
    units = plan_select(config, WORDS)
    assert [unit.unit_id for unit in units] == sorted(unit.unit_id for unit in units)
    assert len(units) == 6
    assert sum(map(source_bytes, units)) == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert [SourceRange.from_json(unit.parameters["range"]).range_id for unit in units] == [u.unit_id for u in units]


def test_planning_finds_what_is_wrong_before_anything_starts(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [{"body": "x"}])
    config = config_with(paths=(str(tmp_path),))
    with pytest.raises(CorpusError, match=r"a\.jsonl has no column 'text'"):
        plan_select(config, WORDS)
    with pytest.raises(ConfigError, match="no tokenizer at"):
        plan_select(config, Tokenizer("/nowhere/at/all"))
    config = config_with(paths=(str(tmp_path),), columns=Columns(text="body"))
    assert len(plan_select(config, WORDS)) == 1
