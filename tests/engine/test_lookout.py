"""What Ray's tables say of lost engines, asked once however many ask: without Ray."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from factory.engine import lookout
from factory.engine.lookout import Lookout
from factory.engine.start_notes import EngineStart


class Tables:
    """Ray's tables as a test sets them, and how often each was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: Counter[str] = Counter()
        self.starts: dict[int, list[EngineStart]] = {}
        self.nodes = {"head", "a", "b"}
        self.ended: set[int] = set()
        for name in ("started_replicas", "noted_starts", "_living_nodes", "_has_left"):
            monkeypatch.setattr(lookout, name, self._counted(name))
        monkeypatch.setattr(lookout, "_own_node", lambda: "head")
        monkeypatch.setattr(lookout, "LOOK_S", 0.02)
        monkeypatch.setattr(lookout, "SETTLE_S", 0.05)

    def start(self, replica: int, node: str) -> None:
        known = self.starts.setdefault(replica, [])
        number = len(known)
        pid = 100 * replica + number
        known.append(EngineStart(replica, number > 0, 1.0, node, pid, number, f"actor-{replica}", (node,)))

    def _counted(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.asked[name] += 1
            return getattr(self, name.removeprefix("_"))(*arguments)

        return call

    def started_replicas(self, _pool: str) -> set[int]:
        return set(self.starts)

    def noted_starts(self, _pool: str, replica: int) -> list[EngineStart]:
        return list(self.starts.get(replica, []))

    def living_nodes(self) -> set[str]:
        return set(self.nodes)

    def has_left(self, start: EngineStart) -> bool:
        return start.pid in self.ended


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    return Tables(monkeypatch)


def test_all_parts_of_a_lost_engine_wait_together_for_the_end_of_its_node(tables: Tables) -> None:
    tables.start(0, "a")

    async def run() -> list[bool]:
        looks = Lookout("pool", 1)
        asking = asyncio.gather(*(looks.went_with_its_node(0) for _ in range(100)))
        while tables.asked["_living_nodes"] < 3:
            await asyncio.sleep(0.01)
        tables.nodes.discard("a")
        return list(await asking)

    assert asyncio.run(run()) == [True] * 100
    assert tables.asked["_has_left"] < 100, "one wait, not one for each"


def test_engines_of_one_node_share_the_listing_of_nodes(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "LOOK_S", 60.0)
    for replica in range(50):
        tables.start(replica, "a")
    tables.nodes.discard("a")

    async def run() -> list[bool]:
        looks = Lookout("pool", 50)
        return list(await asyncio.gather(*(looks.went_with_its_node(replica) for replica in range(50))))

    assert asyncio.run(run()) == [True] * 50
    assert tables.asked["_living_nodes"] == 1


def test_an_engine_that_died_on_a_living_node_did_not_go_with_it_nor_does_its_replacement(tables: Tables) -> None:
    tables.start(0, "a")
    tables.ended = {0}

    async def run() -> list[bool]:
        looks = Lookout("pool", 1)
        first = await looks.went_with_its_node(0)
        tables.start(0, "b")
        return [first, await looks.went_with_its_node(0)]

    assert asyncio.run(run()) == [False, False]


def test_nothing_is_waited_for_on_the_drivers_own_node_or_of_an_engine_that_never_was(tables: Tables) -> None:
    tables.start(0, "head")

    async def run() -> list[bool]:
        looks = Lookout("pool", 2)
        return [await looks.went_with_its_node(replica) for replica in range(2)]

    assert asyncio.run(run()) == [False, False]
    assert not tables.asked["_living_nodes"]


def test_replicas_are_absent_until_they_have_started_once(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "ABSENT_LOOK_S", 0.0)
    tables.start(1, "a")

    async def run() -> None:
        looks = Lookout("pool", 3)
        assert await looks.absent() == [0, 2]
        tables.start(0, "a"), tables.start(2, "b")
        assert await looks.absent() == []
        asked = tables.asked["started_replicas"]
        tables.starts.clear()
        assert await looks.absent() == []
        assert tables.asked["started_replicas"] == asked, "once all were there nobody is asked"

    asyncio.run(run())
