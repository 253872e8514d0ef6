"""Who goes back into an engine that died, and with whom: without engines, in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from factory.engine import warden
from factory.engine.budget import Allowance
from factory.engine.warden import Turn, Warden

PLENTY = Allowance(killers=100, hangs=100, losses=100)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warden, "GATHER_S", 0.05)
    monkeypatch.setattr(warden, "POLL_S", 0.2)
    monkeypatch.setattr(warden, "SILENT_S", 2.0)


async def ask(guard: Warden, ticket: str, ids: Sequence[str], killers: set[str], slow_s: float = 0) -> dict[str, str]:
    """What became of the requests of one asker, whose engine dies of `killers`."""
    done: dict[str, str] = {}
    await guard.join(0, ticket, ids)
    while True:
        turn = await guard.turn(0, ticket)
        if turn.finished or turn.exhausted:
            return done | {name: f"killed after {deaths}" for name, deaths in turn.killers.items()}
        if turn.trial:
            until = time.monotonic() + slow_s
            while time.monotonic() < until:
                await asyncio.sleep(0.1)
                await guard.lives(0, ticket)
            died = list(turn.trial) if set(turn.trial) & killers else []
            done |= dict.fromkeys(() if died else turn.trial, "answered")
            await guard.report(0, ticket, died)


def test_several_askers_find_the_one_request_that_kills() -> None:
    async def run() -> list[dict[str, str]]:
        guard = Warden(PLENTY)
        names = [[f"{ticket}{number}" for number in range(6)] for ticket in "abc"]
        asked = (ask(guard, ticket, ids, {"b4"}) for ticket, ids in zip("abc", names, strict=True))
        found = await asyncio.gather(*asked)
        assert not await guard.hunting(0)
        return list(found)

    found = asyncio.run(run())
    assert {name for each in found for name in each} == {f"{ticket}{number}" for ticket in "abc" for number in range(6)}
    assert [name for each in found for name, said in each.items() if said != "answered"] == ["b4"]


def test_a_trial_that_takes_longer_than_the_silence_allowed_is_no_silence() -> None:
    found = asyncio.run(ask(Warden(PLENTY), "a", ["a0", "a1"], {"a1"}, slow_s=2.5))
    assert found["a0"] == "answered"
    assert found["a1"].startswith("killed")


def test_an_asker_that_died_holds_up_nobody() -> None:
    async def run() -> dict[str, str]:
        guard = Warden(PLENTY)
        await guard.join(0, "dead", ["d0", "d1"])
        living = asyncio.create_task(ask(guard, "a", ["a0", "a1"], set()))
        turn = Turn()
        while not turn.trial:
            turn = await guard.turn(0, "dead")
        # It took its part and is heard of no more.
        found = await asyncio.wait_for(living, 20)
        assert not await guard.hunting(0)
        return found

    assert asyncio.run(run()) == {"a0": "answered", "a1": "answered"}


def test_losses_beyond_what_is_allowed_end_the_hunt_for_all() -> None:
    async def run() -> Turn:
        guard = Warden(Allowance(killers=9, hangs=9, losses=0))
        await guard.join(0, "a", ["a0"])
        for _ in range(9):
            turn = await guard.turn(0, "a")
            if turn.trial:
                await guard.report(0, "a", [])
            if turn.exhausted or turn.finished:
                return turn
        raise AssertionError("no end")

    assert "losses_allowed=0" in asyncio.run(run()).exhausted


def test_a_replica_without_a_hunt_is_open() -> None:
    async def run() -> list[int]:
        guard = Warden(PLENTY)
        await guard.join(3, "a", ["a0"])
        return await guard.closed()

    assert asyncio.run(run()) == [3]
    assert asyncio.run(Warden(PLENTY).closed()) == []


def test_who_waits_for_a_place_gets_one_when_another_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warden, "DEAL_S", 600.0)  # what is given back is dealt out at once, not at the next deal

    async def run() -> tuple[int, int]:
        guard = Warden(PLENTY, replicas=2, slots=2)
        held = list(await guard.place("first", 100, (), 1.0))
        assert {place.replica for place in held} == {0, 1}
        waiting = asyncio.ensure_future(guard.place("second", 5, (), 60.0))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await guard.give_back(held[0].number, 10, False)
        (place,) = await waiting
        return place.replica, held[0].replica

    replica, given_back = asyncio.run(run())
    assert replica == given_back


def test_who_was_not_served_in_time_asks_again_and_holds_nothing() -> None:
    async def run() -> None:
        guard = Warden(PLENTY, replicas=2, slots=1)
        held = list(await guard.place("first", 100, (), 1.0))
        assert await guard.place("second", 1, (), 0.05) == ()
        for place in held:
            await guard.give_back(place.number, 7, False)
        assert [(await guard.pressure()).open, (await guard.pressure()).waiting] == [0, 0]
        assert (await guard.pressure()).tokens == 7 * len(held)

    asyncio.run(run())


def test_while_a_replica_is_hunted_in_all_places_are_in_the_others() -> None:
    async def run() -> set[int]:
        guard = Warden(PLENTY, replicas=3, slots=8)
        await guard.join(1, "bad", ["b0"])
        places = await guard.place("good", 30, (), 1.0)
        return {place.replica for place in places}

    assert asyncio.run(run()) == {0, 2}
