"""Shares of a step: every unit is worked, by one pod, whoever comes, goes or is late."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.cluster.config import ClusterConfig
from factory.errors import ConfigError, StoreError
from factory.run.sharing import (
    Member,
    Offer,
    Shares,
    by_share,
    clear_away,
    member_of,
    offer_key,
    put_offer,
    read_offer,
)
from factory.run.units import FileRef, Unit
from factory.store.base import ObjectInfo, Store
from factory.store.lease import lease_key

RUN = "abc"
SHORT_S = 1.0


def units(count: int) -> list[Unit]:
    return [Unit(f"{number:032x}") for number in range(count)]


def offer(shares: int) -> Offer:
    return Offer("extract", "extract-1", "d" * 64, shares, 3)


def shares_of(store: Store, count: int, member: Member, *, leads: bool, shares: int = 6) -> Shares:
    planned = units(count)
    shared = by_share(planned, [unit.unit_id for unit in planned], shares)
    return Shares(store, offer(shares), shared, member, all_of_them=leads, length_s=SHORT_S)


@given(st.integers(0, 60), st.integers(1, 9), st.data())
def test_every_unit_of_the_plan_is_in_one_share_whatever_is_pending(
    count: int, shares: int, data: st.DataObject
) -> None:
    plan = units(count)
    pending = [unit for unit in plan if data.draw(st.booleans())]
    found = by_share([*pending, Unit("f" * 32)], [unit.unit_id for unit in plan], shares)
    assert sorted(unit.unit_id for share in found for unit in share) == sorted(unit.unit_id for unit in pending)
    whole = by_share(plan, [unit.unit_id for unit in plan], shares)
    for some, all_of_them in zip(found, whole, strict=True):
        assert {unit.unit_id for unit in some} <= {unit.unit_id for unit in all_of_them}, "a unit never changes shares"


def test_pods_that_work_at_once_work_each_unit_once_and_the_leader_hears_of_all(store: Store) -> None:
    worked: Counter[str] = Counter()
    heard: set[str] = set()
    lock = threading.Lock()

    def pod(index: int) -> None:
        shares = shares_of(store, 20, Member(index, 3), leads=index == 0)
        while (taken := shares.take()) is not None:
            share, unit = taken
            with lock:
                fresh = store.put_if_absent(f"commits/{unit.unit_id}", b"")
                worked[unit.unit_id] += fresh
                if index == 0:
                    heard.add(unit.unit_id)
            shares.settled(share)

    pods = [threading.Thread(target=pod, args=(index,)) for index in range(3)]
    for each in pods:
        each.start()
    for each in pods:
        each.join()
    everything = {unit.unit_id for unit in units(20)}
    assert set(worked) == heard == everything
    assert set(worked.values()) == {1}
    clear_away(store, offer(6))
    assert not list(store.list("leases/"))


def test_a_pod_begins_with_shares_of_its_own_index(local_store: Store) -> None:
    for index in range(3):
        taken = shares_of(local_store, 6, Member(index, 3), leads=False).take()
        assert taken is not None
        assert taken[0] == index


def test_what_a_pod_gives_back_is_taken_at_once_and_from_the_dead_after_a_while(local_store: Store) -> None:
    first = shares_of(local_store, 4, Member(0, 2), leads=False, shares=2)
    assert first.take() is not None
    other = shares_of(local_store, 4, Member(1, 2), leads=False, shares=2)
    assert {other.take()[0] for _ in range(2)} == {1}  # type: ignore[index]
    assert other.take() is None, "the rest is in the hands of a pod that lives"
    first.stop()
    assert first.take() is None
    taken = other.take()
    assert taken is not None
    assert taken[0] == 0


def test_the_share_of_a_pod_that_died_is_taken_over(local_store: Store) -> None:
    dead = shares_of(local_store, 2, Member(0, 2), leads=False, shares=1)
    assert dead.take() is not None
    key = lease_key(f"{offer(1).leases}0")
    foreign = (
        local_store.get(key).replace(b'"machine":"', b'"machine":"elsewhere-').replace(b'"nonce":"', b'"nonce":"x')
    )
    local_store.put(key, foreign)  # nobody renews it any more, and nobody knows its process
    leader = shares_of(local_store, 2, Member(1, 2), leads=True, shares=1)
    assert not leader.free()
    taken = leader.take()  # waits until the lease has been silent for its length
    assert taken is not None
    assert taken[0] == 0


def test_threads_that_wait_look_at_the_store_as_one(local_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    other = shares_of(local_store, 2, Member(0, 2), leads=False, shares=1)
    assert other.take() is not None
    looks: list[float] = []
    plain = type(local_store).list

    def counted(store: Store, prefix: str) -> Iterator[ObjectInfo]:
        looks.append(time.monotonic())
        return plain(store, prefix)

    monkeypatch.setattr(type(local_store), "list", counted)
    leader = shares_of(local_store, 2, Member(1, 2), leads=True, shares=1)
    waiting = [threading.Thread(target=leader.take, daemon=True) for _ in range(8)]
    for each in waiting:
        each.start()
    while len(looks) < 3:
        time.sleep(0.01)
    leader.stop()
    for each in waiting:
        each.join()
    assert looks[2] - looks[0] >= 1.9, "look_s apart, however many wait"


def test_a_pod_that_helps_passes_over_what_is_done_and_leaves_nothing_to_wait_for(local_store: Store) -> None:
    first = shares_of(local_store, 4, Member(0, 2), leads=False, shares=2)
    while (taken := first.take()) is not None:
        first.settled(taken[0])
    late = shares_of(local_store, 4, Member(1, 2), leads=False, shares=2)
    assert not late.free()
    assert late.take() is None


def test_an_offer_comes_back_as_it_was_put(store: Store) -> None:
    assert read_offer(store, RUN) is None
    visits = (None, FileRef("a/b/0", "steps/a/data/b.parquet", "1" * 64, "2" * 64, 7, "3"))
    put = Offer("walk", "walk-1", "d" * 64, 4, 2, (64, 128), visits)
    put_offer(store, RUN, put)
    assert read_offer(store, RUN) == put
    put_offer(store, RUN, None)
    assert read_offer(store, RUN) is None


@pytest.mark.parametrize("data", [b"", b"[]", b'{"stage": 3}', b"{torn"])
def test_a_damaged_offer_is_named(local_store: Store, data: bytes) -> None:
    local_store.put(offer_key(RUN), data)
    with pytest.raises(StoreError, match=offer_key(RUN)):
        read_offer(local_store, RUN)


@pytest.mark.parametrize(
    ("index", "completions", "given", "expected"),
    [
        (None, None, {}, Member(0, 1)),
        ("2", "4", {}, Member(2, 4)),
        ("2", "4", {"index": 1, "completions": 3}, Member(1, 3)),
        (None, "4", {"index": 3}, Member(3, 4)),
    ],
)
def test_who_a_pod_is(
    index: str | None, completions: str | None, given: dict[str, int], expected: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("JOB_COMPLETION_INDEX", index), ("JOB_COMPLETIONS", completions)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert member_of(ClusterConfig(executor="processes", **given)) == expected


@pytest.mark.parametrize(("index", "completions"), [("1", None), ("4", "4"), ("zero", "4"), ("0", "-1"), ("0", "0")])
def test_numbers_that_cannot_be_are_refused(
    index: str, completions: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_COMPLETION_INDEX", index)
    monkeypatch.delenv("JOB_COMPLETIONS", raising=False)
    if completions is not None:
        monkeypatch.setenv("JOB_COMPLETIONS", completions)
    with pytest.raises(ConfigError, match="JOB_COMPLETION"):
        member_of(ClusterConfig(executor="processes"))
