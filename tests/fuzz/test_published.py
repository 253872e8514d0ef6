"""A published dataset of somebody else: its manifest forged with care, its shards damaged. It is verified or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example
from hypothesis import strategies as st

from factory.errors import FactoryError
from factory.publish.manifest import seal
from factory.publish.verify import verify_bytes
from factory.store.local import LocalStore
from factory.store.parquet import (
    parquet_metadata,
    read_columns,
    read_groups,
    read_parquet,
    read_range,
    read_rows,
    read_scattered,
    to_parquet,
)
from tests.fuzz.breaking import HOSTILE_LEAVES, broken_bytes
from tests.fuzz.harness import fuzzed, refused
from tests.fuzz.test_corpus_parquet import STRANGE, VALID
from tests.publish.world import make_world


class Dataset:
    """A copy of one dataset whose manifest is forged again and again."""

    def __init__(self, folder: Path) -> None:
        self.store = LocalStore(str(folder))
        self.prefix = make_world(self.store, documents=6).publish().prefix
        self.key = f"{self.prefix}/manifest.json"
        self.manifest: dict[str, Any] = orjson.loads(self.store.get(self.key))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(tmp_path_factory.mktemp("published"))


def places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


@fuzzed("factory.publish.verify.verify_bytes", "factory.publish.manifest.unseal", share=0.4, draw=st.data())
def test_a_forged_manifest_is_not_verified_and_nothing_is_raised(dataset: Dataset, draw: st.DataObject) -> None:
    forged = orjson.loads(orjson.dumps(dataset.manifest))
    path = draw.draw(st.sampled_from(list(places(forged))))
    inner = forged
    for key in path[:-1]:
        inner = inner[key]
    before = inner[path[-1]]
    leaf = draw.draw(st.sampled_from(HOSTILE_LEAVES))
    if draw.draw(st.booleans()):
        del inner[path[-1]]
    else:
        inner[path[-1]] = leaf
    dataset.store.put(dataset.key, seal(forged))
    try:
        found = verify_bytes(dataset.store, dataset.prefix)
        assert found.checks
        assert all(isinstance(check.ok, bool) for check in found.checks)
        str(found.checks).encode()
    finally:
        dataset.store.put(dataset.key, seal(dataset.manifest))
    assert before is not Ellipsis


def test_the_dataset_itself_is_verified(dataset: Dataset) -> None:
    assert verify_bytes(dataset.store, dataset.prefix).ok


@pytest.fixture(scope="module")
def store(place: Path) -> LocalStore:
    return LocalStore(str(place))


def numbers() -> bytes:
    import pyarrow as pa

    table = pa.table({"key": pa.array(range(50), pa.uint64()), "name": [f"n{number}" for number in range(50)]})
    return to_parquet(table, {"run": "r", "unit": "u"})


@fuzzed(
    "factory.store.parquet.read_parquet",
    "factory.store.parquet.read_rows",
    "factory.store.parquet.read_range",
    "factory.store.parquet.read_scattered",
    "factory.store.parquet.read_groups",
    "factory.store.parquet.read_columns",
    "factory.store.parquet.parquet_metadata",
    share=2,
    data=broken_bytes([numbers(), *VALID]),
)
@example(data=STRANGE["view"])
def test_a_table_of_a_root_is_read_or_refused(store: LocalStore, data: bytes) -> None:
    store.put("steps/s/data/u.a.0.parquet", data)
    key = "steps/s/data/u.a.0.parquet"
    with refused(FactoryError):
        read_parquet(store, key)
    with refused(FactoryError):
        assert read_parquet(store, key, ["key"]).column_names == ["key"]
    with refused(FactoryError):
        assert read_rows(store, key, [3, 1]).num_rows == 2
    with refused(FactoryError):
        assert read_scattered(store, key, [1, 3], ["name"]).num_rows == 2
    with refused(FactoryError):
        assert read_columns(store, key, ["name"], ["name"]).column_names == ["name"]
    with refused(FactoryError):
        read_range(store, key, "key", 3, 9)
    with refused(FactoryError):
        for values in read_groups(store, key, "key", (3, 9)):
            assert len(values) >= 0
    with refused(FactoryError):
        parquet_metadata(data)
