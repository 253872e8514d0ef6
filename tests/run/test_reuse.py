from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.run import reuse
from factory.run.record import record_key
from factory.run.reuse import reused_units
from factory.store.local import LocalStore

FIRST, OWN = "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(str(tmp_path))
    for run, started in (("aaaa", FIRST), ("own", OWN)):
        store.put(record_key(run), orjson.dumps({"run": run, "started": started}))
    return store


def done(reused: int, *makers: str) -> dict[str, Any]:
    return {"units_reused": reused, "paid": {maker: {"units": 1} for maker in makers}}


def test_units_of_another_run_are_not_older_than_that_run(store: LocalStore) -> None:
    dones = {"select": done(5, "aaaa"), "merge": done(2, "aaaa", "own"), "gate": done(0, "own")}
    assert reused_units(store, "own", dones) == {
        "select": {"units": 5, "runs": 1, "since": FIRST},
        "merge": {"units": 2, "runs": 1, "since": FIRST},
    }


def test_units_of_an_earlier_execution_of_the_same_run_are_not_older_than_its_first(store: LocalStore) -> None:
    assert reused_units(store, "own", {"select": done(3, "own")}) == {"select": {"units": 3, "runs": 0, "since": OWN}}


def test_where_the_record_of_a_run_is_gone_or_damaged_no_time_is_told(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(record_key("torn"), b"{")
    for maker in ("gone", "torn"):
        assert reused_units(store, "own", {"select": done(1, "aaaa", maker)})["select"]["since"] is None
    assert reused_units(store, "own", {"select": {"units_reused": 1}})["select"]["since"] is None
    monkeypatch.setattr(reuse, "RUNS_LOOKED_UP", 1)
    assert reused_units(store, "own", {"select": done(1, "aaaa", "own")})["select"]["since"] is None
