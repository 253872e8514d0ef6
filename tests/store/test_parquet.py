from __future__ import annotations

import hashlib
import itertools
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory.errors import StoreError
from factory.store import object_reader, parquet
from factory.store.base import Store
from factory.store.local import LocalStore
from factory.store.parquet import (
    ROW_GROUP_ROWS,
    Layout,
    parquet_metadata,
    read_columns,
    read_parquet,
    read_range,
    read_rows,
    read_scattered,
    read_values,
    to_parquet,
)
from factory.tables import DOCUMENT


def documents(rows: int, characters: int = 400) -> pa.Table:
    randomness = random.Random(rows)
    return pa.Table.from_pylist(
        [
            {
                "chunk_id": f"{row:032x}",
                "doc_id": f"{row // 3:032x}",
                "text": f"row {row}: {randomness.randbytes(characters // 2).hex()}",
                "url": None if row % 5 else f"https://example.org/{row}",
                "shard_row": row,
            }
            for row in range(rows)
        ],
        schema=DOCUMENT,
    )


def test_a_table_comes_back_as_it_was_with_its_metadata(store: Store) -> None:
    table = documents(300)
    data = to_parquet(table, {"step": "select", "unit": "größe"})
    store.put("a.parquet", data)
    back = read_parquet(store, "a.parquet")
    assert back.schema.equals(DOCUMENT)
    assert back.to_pylist() == table.to_pylist()
    assert parquet_metadata(data) == {"step": "select", "unit": "größe"}
    assert read_parquet(store, "a.parquet", ["url", "chunk_id"]).column_names == ["url", "chunk_id"]


def test_equal_tables_give_equal_bytes_however_they_are_cut_or_named() -> None:
    table = documents(700)
    cut = pa.concat_tables([table.slice(0, 13), table.slice(13, 400), table.slice(413)])
    whole = to_parquet(table, {"a": "1", "b": "2"})
    assert to_parquet(cut, {"b": "2", "a": "1"}) == whole
    assert to_parquet(table.replace_schema_metadata({"b": "2", "a": "0"}), {"a": "1"}) == whole
    assert to_parquet(pa.Table.from_pylist(table.to_pylist(), schema=DOCUMENT), {"a": "1", "b": "2"}) == whole


def test_another_process_writes_the_same_bytes() -> None:
    code = (
        "import hashlib; from tests.store.test_parquet import documents; from factory.store.parquet import to_parquet;"
        "print(hashlib.sha256(to_parquet(documents(300), {'a': '1'})).hexdigest())"
    )
    digests = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in "ab"
    }
    assert digests == {hashlib.sha256(to_parquet(documents(300), {"a": "1"})).hexdigest() + "\n"}


@given(cuts=st.lists(st.integers(0, 60), max_size=4), rows=st.integers(0, 60))
@settings(max_examples=40)
def test_bytes_do_not_depend_on_chunks(cuts: list[int], rows: int) -> None:
    table = documents(rows, 8)
    edges = [0, *sorted(min(cut, rows) for cut in cuts), rows]
    pieces = pa.concat_tables([table.slice(start, stop - start) for start, stop in itertools.pairwise(edges)])
    assert to_parquet(pieces, {}) == to_parquet(table, {})


@pytest.fixture(scope="module")
def large() -> pa.Table:
    """12 MB of text that does not compress: read by ranges, not whole."""
    return documents(3000, 8000)


@given(rows=st.lists(st.integers(0, 299), max_size=12))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_come_in_the_order_asked_for_repeats_included(local_store: LocalStore, rows: list[int]) -> None:
    if local_store.head("a.parquet") is None:
        local_store.put("a.parquet", to_parquet(documents(300), {}, Layout(32)))
    table = read_rows(local_store, "a.parquet", rows, ["shard_row", "text"])
    assert table.column("shard_row").to_pylist() == rows
    assert [text.split(":")[0] for text in table.column("text").to_pylist()] == [f"row {row}" for row in rows]


@dataclass(frozen=True)
class Counting(LocalStore):
    """Counts the bytes that are read."""

    read: list[int] = field(default_factory=list, compare=False)

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        data = super().get_range(key, start, stop)
        self.read.append(len(data))
        return data

    def get(self, key: str) -> bytes:
        raise AssertionError("a point lookup read the whole object")


def test_a_few_rows_of_a_large_file_are_read_by_ranges(store: Store, large: pa.Table, tmp_path: object) -> None:
    data = to_parquet(large, {"a": "b"})
    store.put("large.parquet", data)
    rows = [2999, 5, 1700, 5]
    table = read_rows(store, "large.parquet", rows, ["text", "shard_row"])
    assert table.column("shard_row").to_pylist() == rows
    assert table.column("text").to_pylist() == [large.column("text")[row].as_py() for row in rows]
    counting = Counting(str(tmp_path))
    counting.put("large.parquet", data)
    read_rows(counting, "large.parquet", [1700], ["text"])
    group_bytes = len(data) * ROW_GROUP_ROWS // 3000
    assert sum(counting.read) < parquet.WHOLE_BYTES + object_reader.TAIL_BYTES + 1.2 * group_bytes
    assert read_rows(store, "large.parquet", list(range(3000))).equals(large)


def test_row_groups_and_encodings_are_as_laid_out(local_store: LocalStore) -> None:
    table = pa.table({"id": pa.array(range(100), pa.uint64()), "lists": [[row, row] for row in range(100)]})
    layout = Layout((60, 0, 40), {"id": "DELTA_BINARY_PACKED", "lists.list.element": "BYTE_STREAM_SPLIT"})
    file = pq.ParquetFile(pa.BufferReader(to_parquet(table, {}, layout)))
    assert file.read().equals(table)
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    assert [group.num_rows for group in groups if group.num_rows] == [60, 40]
    assert ["DELTA_BINARY_PACKED" in group.column(0).encodings for group in groups if group.num_rows] == [True, True]
    assert "BYTE_STREAM_SPLIT" in groups[0].column(1).encodings
    with pytest.raises(ValueError, match="99 rows for a table of 100"):
        to_parquet(table, {}, Layout((99,)))


@given(first=st.integers(-5, 120), span=st.integers(0, 60), rows=st.sampled_from([1, 7, 100]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_range_of_a_sorted_file_is_what_filtering_gives(
    local_store: LocalStore, first: int, span: int, rows: int
) -> None:
    table = pa.table({"id": pa.array([row // 3 for row in range(300)], pa.uint64()), "row": range(300)})
    key = f"sorted-{rows}.parquet"
    if local_store.head(key) is None:
        local_store.put(key, to_parquet(table, {}, Layout(rows)))
    first = max(first, 0)
    found = read_range(local_store, key, "id", first, first + span, ["row"])
    assert found.column("row").to_pylist() == [row for row in range(300) if first <= row // 3 <= first + span]


@pytest.mark.parametrize("base", [2**62, 2**63, 2**64 - 4])
def test_ranges_of_64_bit_ids_are_exact(local_store: LocalStore, base: int) -> None:
    table = pa.table({"id": pa.array([base, base + 1, base + 2], pa.uint64())})
    local_store.put("ids.parquet", to_parquet(table, {}))
    assert read_range(local_store, "ids.parquet", "id", base + 1, base + 1).column("id").to_pylist() == [base + 1]


def test_row_groups_are_chosen_by_the_values_they_may_hold(local_store: LocalStore) -> None:
    table = pa.table({"id": pa.array(range(0, 100, 2), pa.uint64())})
    local_store.put("even.parquet", to_parquet(table, {}, Layout(5)))
    found = read_values(local_store, "even.parquet", "id", (12, 15), np.array([55, 90], np.uint64))
    assert found.column("id").to_pylist() == [10, 12, 14, 16, 18, 50, 52, 54, 56, 58, 90, 92, 94, 96, 98]


def test_a_range_fetches_its_row_groups_and_not_the_file(large: pa.Table, tmp_path: object) -> None:
    counting = Counting(str(tmp_path))
    data = to_parquet(large.append_column("id", pa.array(range(large.num_rows))), {})
    counting.put("large.parquet", data)
    found = read_range(counting, "large.parquet", "id", 700, 720)
    assert found.column("id").to_pylist() == list(range(700, 721))
    assert sum(counting.read) < object_reader.TAIL_BYTES + 1.5 * len(data) * ROW_GROUP_ROWS / large.num_rows


def test_a_range_keeps_no_more_than_itself_in_memory(local_store: LocalStore) -> None:
    table = pa.table({"id": range(40_000), "value": range(40_000)})
    local_store.put("wide.parquet", to_parquet(table, {}, Layout(20_000)))
    few = read_range(local_store, "wide.parquet", "id", 18_000, 21_999)
    assert few.equals(table.slice(18_000, 4_000))
    assert few.get_total_buffer_size() < 1.1 * few.nbytes == 1.1 * 4_000 * 16
    # What shows most of what it holds is not copied: that would double the memory while it lasts.
    most = read_range(local_store, "wide.parquet", "id", 1_000, 19_999)
    assert most.get_total_buffer_size() >= 20_000 * 16


def test_a_unit_file_is_read_with_one_request(tmp_path: object) -> None:
    counting = Counting(str(tmp_path))
    counting.put("a.parquet", to_parquet(documents(256), {}))
    assert read_rows(counting, "a.parquet", [3, 200], ["chunk_id"]).num_rows == 2
    assert len(counting.read) == 1


def test_rows_that_do_not_exist_and_columns_that_do_not_are_named(store: Store) -> None:
    store.put("a.parquet", to_parquet(documents(10), {}))
    for rows in ([10], [-1], [0, 99]):
        with pytest.raises(StoreError, match="does not exist: it has 10 rows"):
            read_rows(store, "a.parquet", rows)
    with pytest.raises(StoreError, match="no column 'answer'"):
        read_rows(store, "a.parquet", [1], ["answer"])
    with pytest.raises(StoreError, match="no column 'answer'"):
        read_parquet(store, "a.parquet", ["answer"])
    assert read_rows(store, "a.parquet", [], ["text"]).num_rows == 0


def test_an_absent_object_is_a_key_error_and_a_damaged_one_is_explained(store: Store) -> None:
    reads: tuple[Callable[[str], object], ...] = (
        lambda key: read_parquet(store, key),
        lambda key: read_rows(store, key, [0]),
    )
    for read in reads:
        with pytest.raises(KeyError):
            read("absent")
        data = to_parquet(documents(50), {})
        for damaged in (b"", b"PAR1", data[:-10], data[: len(data) // 2], b"x" * 5000):
            store.put("damaged", damaged)
            with pytest.raises(StoreError, match="factory verify"):
                read("damaged")


def test_an_empty_table_keeps_its_columns(store: Store) -> None:
    store.put("empty.parquet", to_parquet(DOCUMENT.empty_table(), {"step": "select"}))
    assert read_parquet(store, "empty.parquet").schema.equals(DOCUMENT)
    assert read_rows(store, "empty.parquet", []).num_rows == 0


def test_pages_are_compressed_and_groups_are_as_large_as_said() -> None:
    file = pq.ParquetFile(pa.BufferReader(to_parquet(documents(600), {})))
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [256, 256, 88]
    assert file.metadata.row_group(0).column(2).compression == "ZSTD"


@given(rows=st.lists(st.integers(0, 999), max_size=40), group=st.integers(1, 200), hole=st.sampled_from([1, 4096]))
@settings(max_examples=20)
def test_scattered_rows_are_those_of_the_table(rows: list[int], group: int, hole: int) -> None:
    table = pa.table({"a": [f"row {number}" for number in range(1000)], "b": list(range(1000)), "c": ["same"] * 1000})
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_reader, "HOLE_BYTES", hole)
        store = LocalStore(folder)
        store.put("t", to_parquet(table, {}, Layout(group, {"b": "PLAIN"}, "none")))
        found = read_scattered(store, "t", rows, ["c", "b"])
        assert found.to_pydict() == table.select(["c", "b"]).take(pa.array(rows, pa.int64())).to_pydict()
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(folder)
        store.put("t", to_parquet(table, {}))
        with pytest.raises(StoreError, match="1000 rows do not have"):
            read_scattered(store, "t", [1000], ["a"])


def test_leaves_of_a_large_file_are_read_without_the_others(tmp_path: Path) -> None:
    rows = 3 * ROW_GROUP_ROWS + 7
    table = pa.table(
        {
            "text": [random.Random(row).randbytes(400).hex() for row in range(rows)],
            "kind": [f"kind {row % 3}" for row in range(rows)],
            "ids": [[f"id {row}", f"id {row % 5}"] for row in range(rows)],
            "place": [{"file": f"f{row}", "row": row} for row in range(rows)],
        }
    )
    data = to_parquet(table, {})
    store = Counting(str(tmp_path))
    store.put("large.parquet", data)
    found = read_columns(store, "large.parquet", ["kind", "ids.list.element", "place.row"], ["kind"])
    assert pa.types.is_dictionary(found.schema.field("kind").type)
    assert found.column("kind").to_pylist() == table.column("kind").to_pylist()
    assert found.column("ids").equals(table.column("ids"))
    assert found.column("place").to_pylist() == [{"row": row} for row in range(rows)]
    assert sum(store.read) < len(data) / 2
    for missing in ("ids", "nothing"):
        with pytest.raises(StoreError, match=f"it has no column {missing}"):
            read_columns(store, "large.parquet", [missing])
