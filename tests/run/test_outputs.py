"""The index of what a step gave: one object where it is small, a Parquet file beside it where it is large."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.errors import StoreError
from factory.run import outputs as outputs_module
from factory.run.outputs import Output, outputs_key, read_outputs, write_outputs
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.local import LocalStore

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
files = st.builds(FileRef, texts, texts, texts, texts, st.integers(0, 2**40), texts)
anything = st.lists(st.builds(Output, texts, texts, files), max_size=12)


def some(count: int) -> list[Output]:
    return [
        Output(f"u{number}", "", FileRef(f"f/u{number}/0", f"k{number}", "s", "c", number)) for number in range(count)
    ]


@settings(max_examples=40)
@given(anything, st.integers(0, 6), st.integers(1, 4))
def test_what_is_read_is_what_was_written_in_its_order_however_large(
    tmp_path_factory: pytest.TempPathFactory, written: list[Output], bound: int, batch: int
) -> None:
    store = LocalStore(str(tmp_path_factory.mktemp("root")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outputs_module, "OUTPUTS_IN_JSON", bound)
        patch.setattr(outputs_module, "BATCH", batch)
        key = write_outputs(store, "run", "step", iter(written))
        assert key == outputs_key("run", "step")
        assert read_outputs(store, key) == written


def test_a_small_index_is_plain_json_and_a_large_one_is_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs_module, "OUTPUTS_IN_JSON", 5)
    write_outputs(store, "run", "step", some(5))
    assert [info.key for info in store.list("runs/")] == ["runs/run/step.outputs.json"]
    write_outputs(store, "run", "step", some(6))
    assert len([info.key for info in store.list("runs/")]) == 2
    assert read_outputs(store, outputs_key("run", "step")) == some(6)
    write_outputs(store, "run", "step", some(2))
    assert read_outputs(store, outputs_key("run", "step")) == some(2)


def test_a_reader_never_meets_half_of_a_new_list(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between its two objects, a larger list has not replaced the one before."""
    monkeypatch.setattr(outputs_module, "OUTPUTS_IN_JSON", 5)
    write_outputs(store, "run", "step", some(6))
    pointer = store.get(outputs_key("run", "step"))
    write_outputs(store, "run", "step", some(9))
    store.put(outputs_key("run", "step"), pointer)
    assert read_outputs(store, outputs_key("run", "step")) == some(6)


def test_a_damaged_list_is_named(local_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs_module, "OUTPUTS_IN_JSON", 5)
    write_outputs(local_store, "run", "step", some(6))
    beside = next(info.key for info in local_store.list("runs/") if info.key.endswith(".parquet"))
    local_store.put(beside, local_store.get(beside)[:-3])
    with pytest.raises(StoreError, match=beside):
        read_outputs(local_store, outputs_key("run", "step"))
