from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.identity import ids_digest
from factory.publish.samples import KEYED_SAMPLE
from factory.publish.shards import ShardStep, plan_shards, read_slice
from factory.run.outputs import outputs_key
from factory.store.base import Store
from factory.store.parquet import Layout, read_parquet, to_parquet
from tests.publish.world import RUN, make_world

sizes = st.dictionaries(
    st.sampled_from(["train", "validation", "test"]), st.tuples(st.integers(0, 10**7), st.integers(0, 2**40))
)


@given(sizes, st.integers(1, 4096))
def test_ranges_of_a_split_cover_every_key_once(sizes: dict[str, tuple[int, int]], shard_mib: int) -> None:
    facts: dict[str, int] = {}
    for split, (rows, size) in sizes.items():
        facts |= {f"{split}_rows": rows, f"{split}_bytes": size}
    plans = plan_shards(facts, shard_mib)
    for split, (rows, size) in sizes.items():
        own = [plan for plan in plans if plan.split == split]
        assert bool(own) == bool(rows)
        if own:
            assert own[0].lo == "0" * 16
            assert own[-1].hi == "f" * 16
            assert all(int(a.hi, 16) + 1 == int(b.lo, 16) for a, b in pairwise(own))
            assert len(own) <= max(1, -(-size // (shard_mib * 2**20)))
            assert {plan.count for plan in own} == {len(own)}


def test_larger_shards_mean_fewer_of_them() -> None:
    facts = {"train_rows": 10_000_000, "train_bytes": 10 * 2**30}
    assert len(plan_shards(facts, 128)) == 80
    assert len(plan_shards(facts, 1024)) == 10
    assert len({plan.unit("index").unit_id for plan in plan_shards(facts, 128)}) == 80


def test_shards_hold_every_sample_once_in_order(store: Store) -> None:
    world = make_world(store)
    samples = [row for o in world.outputs("samples") for row in read_parquet(store, o.file.key).to_pylist()]
    shards = [read_parquet(store, output.file.key) for output in world.outputs("shards")]
    assert len(shards) >= 4
    for shard in shards:
        assert shard.schema.remove_metadata().equals(KEYED_SAMPLE)
        assert len(set(shard.column("split").to_pylist())) == 1
        keys = shard.column("key").to_pylist()
        assert keys == sorted(keys)
    rows = [row for shard in shards for row in shard.to_pylist()]
    by_id = {row["sample_id"]: row for row in samples}
    assert len(rows) == len(samples)
    assert all(by_id[row["sample_id"]] == row for row in rows)
    assert world.dones["shards"]["accepted_digest"] == world.dones["samples"]["accepted_digest"]


def test_a_range_nobody_falls_into_gives_no_file(store: Store) -> None:
    world = make_world(store, documents=4)
    unit = plan_shards({"train_rows": 1, "train_bytes": 1}, 1)[0].unit(outputs_key(RUN, "samples"))
    result = ShardStep().work(world.store, type(unit)("u", None, None, {**unit.parameters, "hi": "0" * 16}))
    assert (result.inputs, result.tables, result.input_ids_digest) == (0, (), ids_digest(()))


@pytest.mark.parametrize("row_group_rows", [1, 3, 64])
def test_row_groups_outside_the_range_do_not_change_the_answer(row_group_rows: int) -> None:
    keys = [0, 5, 2**63, 2**64 - 1, 1, 2**63 + 1]
    rows = [
        {"sample_id": str(number), "split": "train" if number < 4 else "validation", "key": key}
        for number, key in enumerate(keys)
    ]
    data = to_parquet(pa.Table.from_pylist(rows, schema=KEYED_SAMPLE), {}, Layout(row_group_rows))
    assert read_slice(data, "train", 5, 2**63).column("sample_id").to_pylist() == ["1", "2"]
    assert read_slice(data, "train", 2**63 + 1, 2**64 - 1).column("sample_id").to_pylist() == ["3"]
    assert read_slice(data, "validation", 0, 2**64 - 1).column("sample_id").to_pylist() == ["4", "5"]
    assert read_slice(data, "test", 0, 2**64 - 1).num_rows == 0
