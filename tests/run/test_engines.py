"""What a record says of a run's engines, also where Ray is gone before it is closed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RpcError

from factory.engine.start_notes import PoolStarts
from factory.engine.use import ReplicaUse
from factory.run.engines import count_engine_starts

USE = ReplicaUse(0, "here", 7, 1.0, "H100", 0.0, 60.0, 50.0, 9, 900, 90, 99)


class Pool:
    instance = "p1"

    def __init__(self, gone: bool) -> None:
        self.gone = gone

    def starts(self) -> PoolStarts:
        if self.gone:
            raise RpcError("no head")
        return PoolStarts(1, 2, 30.0)

    def use(self, ask: bool) -> list[ReplicaUse]:
        return [USE]


def session(gone: bool, record: dict[str, Any]) -> Any:
    served = SimpleNamespace(key="k", model=SimpleNamespace(id="m"))
    observer = SimpleNamespace(engine_starts=lambda *_: None)
    return SimpleNamespace(served={"role": served}, pools={"k": Pool(gone)}, record=record, observer=observer)


def test_starts_and_use_of_a_pool_are_noted_anew_each_time() -> None:
    other = {"pool": "p0", "model": "m"}
    record: dict[str, Any] = {"engine_starts": {}, "engine_use": [other]}
    for _ in range(2):
        count_engine_starts(session(False, record))
    assert record["engine_starts"] == {"m": {"starts": 1, "replacements": 2, "seconds": 30.0}}
    assert [row["pool"] for row in record["engine_use"]] == ["p0", "p1"]


def test_where_ray_is_gone_a_run_that_fails_keeps_its_own_error() -> None:
    record: dict[str, Any] = {"engine_starts": {"m": "as it was"}}
    count_engine_starts(session(True, record), ask=False)
    assert record == {"engine_starts": {"m": "as it was"}}
    with pytest.raises(RpcError):
        count_engine_starts(session(True, record))
