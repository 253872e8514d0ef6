"""Parquet shards: damaged, strange types, no rows, encrypted; every row is read or counted as lost."""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example
from hypothesis import strategies as st

from factory.corpus.config import Columns
from factory.corpus.parquet_source import read_footer
from factory.corpus.places import LocalBytes
from factory.corpus.readers import read_range
from factory.corpus.records import SourceRow
from factory.corpus.sources import list_sources, plan_ranges
from factory.corpus.streams import DamageError
from factory.errors import CorpusError
from tests.corpus.shards import corpus
from tests.fuzz.breaking import broken_bytes
from tests.fuzz.harness import fuzzed, refused
from tests.fuzz.test_corpus_text import COLUMNS, usable

N = 5
TEXTS = [f"text {number} of a shard" for number in range(N)]


def written(columns: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, sink, **{"row_group_size": 3, **options})
    return sink.getvalue()


def moments(kind: pa.DataType) -> pa.Array:
    """Times far outside what Python's datetime holds."""
    return (
        pa.array([0, 2**53, -(2**53), None, 1], pa.int64()).cast(kind, safe=False)
        if kind.bit_width == 64
        else (pa.array([0, 2**31 - 1, -(2**31), None, 1], pa.int32()).cast(kind))
    )


def strange() -> dict[str, bytes]:
    """Tables whose text is plain and whose other columns are of every kind Arrow writes, one file a kind."""
    kinds: dict[str, Any] = {
        "int": pa.array([1, -1, 2**62, None, 0]),
        "float": pa.array([0.5, float("nan"), float("inf"), None, -0.0]),
        "half": pa.array([1, 2, 3, 4, 5], pa.float16()),
        "bool": pa.array([True, False, None, True, False]),
        "decimal": pa.array([1, 2, 3, 4, None], pa.decimal128(38, 3)),
        "decimal256": pa.array([1, 2, 3, 4, None], pa.decimal256(70, 60)),
        "date": moments(pa.date32()),
        "timestamp": moments(pa.timestamp("s")),
        "timestamp_ms": moments(pa.timestamp("ms", "UTC")),
        "timestamp_zone": pa.array([1, 2, 3, 4, 5], pa.timestamp("us", "Mars/Olympus")),
        "timestamp_ns": moments(pa.timestamp("ns")),
        "time": pa.array([0, 86_399_999_999, 2**62, -1, None], pa.time64("us")),
        "duration": moments(pa.duration("s")),
        "binary": pa.array([b"\xff\xfe", b"", None, b"ok", b"\0"]),
        "fixed": pa.array([b"abc"] * 5, pa.binary(3)),
        "list": pa.array([["MIT", None], [], None, ["a OR b"], ["\u202e"]]),
        "nested": pa.array([[{"a": [b"\xff"]}], [], None, [{"a": None}], [None]]),
        "struct": pa.array([{"url": "x", "n": 1}, None, {"url": None, "n": 2}, {"url": "", "n": None}, {"url": "y"}]),
        "map": pa.array([[("a", 1)], [], None, [("a", None)], [("", 2)]], pa.map_(pa.string(), pa.int64())),
        "dictionary": pa.array(["a", "b", None, "a", "b"]).dictionary_encode(),
        "null": pa.nulls(5),
        "large": pa.array(TEXTS, pa.large_string()),
        "view": pa.array(TEXTS, pa.string_view()),
        "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0123456789abcdef"] * 5, pa.binary(16))),
    }
    return {
        name: written({"text": TEXTS, "source": values, "license": values, "meta": pa.array([{"url": "u"}] * N)})
        for name, values in kinds.items()
    } | {f"text_{name}": written({"text": values}) for name, values in kinds.items()}


STRANGE = strange()
PLAIN = written({"text": TEXTS, "source": ["s"] * N, "license": ["MIT"] * N, "url": ["u"] * N})
CHECKED = written({"text": TEXTS, "url": ["u"] * N}, write_page_checksum=True, compression="zstd")
EMPTY = written(pa.schema([("text", pa.string())]).empty_table())
OLD = written({"text": TEXTS}, version="1.0", use_dictionary=False, compression="none", data_page_version="2.0")
DOUBLED = written(pa.table([pa.array(TEXTS), pa.array(TEXTS)], names=["text", "text"]))
VALID = [PLAIN, CHECKED, EMPTY, OLD, DOUBLED, *STRANGE.values()]


def read_shard(path: Path, columns: Columns = COLUMNS) -> tuple[int, int] | None:
    """Rows read and rows the damages say were lost, or None where the corpus was refused."""
    rows = lost = 0
    config = corpus(path, columns=columns)
    with refused(CorpusError):
        for range_ in plan_ranges(list_sources(config), config):
            reader = read_range(range_)
            for item in reader:
                usable(item)
                if isinstance(item, SourceRow):
                    rows += 1
                else:
                    lost += item.evidence.get("rows_lost", 1)
            assert reader.summary.rows <= rows
        return rows, lost
    return None


@pytest.mark.parametrize("name", STRANGE)
def test_columns_of_any_type_are_read_or_refused(place: Path, name: str) -> None:
    path = place / "strange.parquet"
    path.write_bytes(STRANGE[name])
    found = read_shard(path)
    assert found is None or found == (N, 0) or (found[1] and sum(found) == N)
    if not name.startswith("text_"):
        assert found == (N, 0)


@fuzzed(
    "factory.corpus.readers.read_range",
    "factory.corpus.parquet_source.read_group",
    "factory.corpus.peek.peek",
    share=2,
    data=broken_bytes(VALID),
)
def test_a_damaged_shard_is_read_as_far_as_it_goes(place: Path, data: bytes) -> None:
    path = place / "damaged.parquet"
    path.write_bytes(data)
    read_shard(path)


@fuzzed("factory.corpus.parquet_source.read_footer", share=2, data=broken_bytes([PLAIN[-400:], EMPTY, b"PAR1" * 3]))
@example(data=PLAIN[:-4] + b"PARE")
@example(data=b"PAR1" + b"\xff" * 8 + b"PAR1")
def test_a_footer_is_read_or_damage(place: Path, data: bytes) -> None:
    path = place / "footer.parquet"
    path.write_bytes(data)
    status = path.stat()
    with refused(DamageError):
        assert read_footer(LocalBytes(str(path), status.st_size, str(status.st_mtime_ns))).metadata.num_columns >= 0


def test_an_encrypted_shard_is_refused_by_name(place: Path) -> None:
    path = place / "encrypted.parquet"
    path.write_bytes(PLAIN[:-4] + b"PARE")
    found = read_shard(path)
    assert found is not None
    assert found[0] == 0
    assert found[1] >= 1


@fuzzed(
    "factory.corpus.readers.read_range",
    seconds=st.integers(-(2**63), 2**63 - 1),
    unit=st.sampled_from(("s", "ms", "us", "ns")),
    kind=st.sampled_from(("timestamp", "duration", "time")),
)
def test_times_of_any_age_become_text(place: Path, seconds: int, unit: str, kind: str) -> None:
    if kind == "time":
        type_ = pa.time64("us" if unit in ("s", "ms") else unit)
    else:
        type_ = getattr(pa, kind)(unit)
    values = pa.array([seconds] * N, pa.int64()).cast(type_, safe=False)
    path = place / "times.parquet"
    try:
        path.write_bytes(written({"text": TEXTS, "source": values}, coerce_timestamps=None))
    except pa.ArrowInvalid:
        return  # Parquet has no such moment
    assert read_shard(path, Columns()) == (N, 0)


def test_today_is_a_source_like_another(place: Path) -> None:
    path = place / "today.parquet"
    path.write_bytes(written({"text": TEXTS, "source": [datetime.date(2024, 5, 1)] * N}))
    assert read_shard(path, Columns()) == (N, 0)
