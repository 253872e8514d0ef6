"""Erasure records, and files that an erasure looks through: read, or refused by name; nothing is taken for clean."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from factory.errors import StoreError
from factory.govern.erasure.closure import read_columns
from factory.govern.erasure.look import strings_of
from factory.govern.erasure.matching import Matcher
from factory.govern.erasure.records import (
    Begun,
    Change,
    ErasedDataset,
    Record,
    Work,
    begun_key,
    erasures,
    read_record,
    read_work,
    record_key,
    work_key,
)
from factory.identity import canonical_json
from factory.store.local import LocalStore
from factory.store.parquet import to_parquet
from tests.fuzz.breaking import broken_bytes, json_bytes
from tests.fuzz.harness import fuzzed, refused

ID = "ab" * 16
BEGUN = Begun("e1", "erasure", ("0" * 64,), "asked for", "me", "2026-01-01T00:00:00+00:00")
RECORD = Record(
    "e1", "erasure", ("0" * 64,), "asked for", "me", BEGUN.at, {"select data 0": 1},
    (ErasedDataset("datasets/d/v", 1, "1" * 64, "2" * 64),), (Change("a", "3" * 64, "", "rows of a step"),),
)  # fmt: skip
WORK = Work((ID,), ("a name",), ("name",), ("a subject",), ("a text that is erased, and long enough to be quoted",))
ROWS = to_parquet(pa.table({"doc_id": [ID, "b"], "text": ["one", "two"]}), {})


@pytest.fixture(scope="module")
def store(place: Path) -> LocalStore:
    return LocalStore(str(place))


@fuzzed(
    "factory.govern.erasure.records.erasures",
    "factory.govern.erasure.records.read_record",
    data=json_bytes({**asdict(RECORD), **asdict(BEGUN), "schema_version": 1}),
)
def test_an_erasure_record_is_read_or_refused(store: LocalStore, data: bytes) -> None:
    store.put(begun_key("e1"), data)
    store.put(record_key("e1"), data)
    with refused(StoreError):
        assert all(isinstance(each, str) for begun in erasures(store) for each in begun.documents)
    with refused(StoreError):
        record = read_record(store, "e1")
        assert record is not None
        assert isinstance(record.in_words, str)
        assert not record.names("never written", "")


@fuzzed("factory.govern.erasure.records.read_work", data=json_bytes(asdict(WORK)))
def test_what_an_erasure_looks_for_is_read_or_refused(store: LocalStore, data: bytes) -> None:
    store.put(work_key("e1"), data)
    with refused(StoreError):
        Matcher.of(read_work(store, "e1")).named(ID)


@fuzzed(
    "factory.govern.erasure.matching.Matcher.value",
    data=json_bytes({"items": [{"sample_id": ID}, {"evidence": [f"row {ID}", WORK.texts[0]]}], ID: {"subject": {}}}),
)
def test_no_json_keeps_an_erased_id(data: bytes) -> None:
    matcher = Matcher.of(WORK)
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        matcher.cell(data.decode(errors="replace"))
        return
    assert ID not in canonical_json(matcher.value(found)).decode()


@fuzzed(
    "factory.govern.erasure.closure.read_columns",
    "factory.govern.erasure.look.strings_of",
    data=broken_bytes([ROWS]),
)
def test_a_damaged_file_is_refused_and_looked_through_as_it_lies(store: LocalStore, data: bytes) -> None:
    store.put("steps/s-1/data/u.a.0.parquet", data)
    with refused(StoreError):
        read_columns(store, "steps/s-1/data/u.a.0.parquet", {"doc_id"})
    assert all(isinstance(text, str) for text in strings_of(store, "steps/s-1/data/u.a.0.parquet"))
