"""Which steps of a run are finished, as its record has them now."""

from __future__ import annotations

import pytest

from factory.cost.told import run_costs
from factory.errors import StoreError
from factory.run.record import done_key, finished_steps, read_record, section_of
from factory.store.local import LocalStore
from tests.compare.roots import run_name, whole_sweep

RUN = run_name(1)


def test_a_record_of_another_folder_is_of_an_earlier_execution_and_costs_this_one_nothing(
    local_store: LocalStore,
) -> None:
    whole_sweep(local_store)
    record = read_record(local_store, RUN)
    assert record is not None
    dones = finished_steps(local_store, record)
    assert list(dones) == list(record["steps"])
    record["steps"]["answer"] = "answer-of-a-grown-corpus"
    now = finished_steps(local_store, record)
    assert dones.keys() - now.keys() == {"answer"}
    whole, less = (run_costs(local_store, record, each).cost.all.amounts.requests for each in (dones, now))
    assert whole - less == dones["answer"]["ledger"]["requests"] > 0


def test_a_damaged_record_is_named_or_raised(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    record = read_record(local_store, RUN)
    assert record is not None
    local_store.put(done_key(RUN, "extract"), b"{")
    problems: list[str] = []
    assert "extract" not in finished_steps(local_store, record, problems)
    assert f"step extract of run {RUN}" in problems[0]
    with pytest.raises(StoreError, match="extract"):
        finished_steps(local_store, record)


@pytest.mark.parametrize("config", [None, 3, {}, {"publish": 3}, {"publish": None}])
def test_a_section_that_is_none_is_empty(config: object) -> None:
    assert section_of(config, "publish") == {}
