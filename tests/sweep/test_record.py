"""The record of a sweep: found by the beginning of its id, one that was killed said to be, points noted by threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from factory.errors import ConfigError
from factory.run.root_diagnosis import examine_root
from factory.store.base import Store
from factory.store.local import LocalStore
from factory.sweep.record import Written, find_sweep, read_sweep, sweep_key, write_sweep
from tests.compare.roots import SWEEP, put_sweep, three


def test_a_sweep_is_found_by_the_beginning_of_its_id_and_the_last_by_its_name(store: Store) -> None:
    first = put_sweep(store, three(), {})
    later = first.__class__(**{**first.__dict__, "sweep": "01" + "f" * 14, "started": "2026-02-01T00:00:00+00:00"})
    write_sweep(store, later)
    assert find_sweep(store, SWEEP[:4]) == first
    assert find_sweep(store, "last") == later
    with pytest.raises(ConfigError, match=r"2 sweeps under .* begin with 01"):
        find_sweep(store, "01")
    with pytest.raises(ConfigError, match="there is no sweep zz"):
        find_sweep(store, "zz")


def test_notes_of_many_threads_are_all_kept(local_store: LocalStore) -> None:
    points = three("seed=1,2,3", "engine.max_num_seqs=8,16")
    written = Written(local_store, put_sweep(local_store, points, {}, state="running"))
    own = [point.number for point in points if point.same_as is None]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: written.point(number, state="failed", error=str(number)), own))
    written.ended("failed")
    record = read_sweep(local_store, SWEEP)
    assert record is not None
    assert record.state == "failed"
    assert [point.error for point in record.points] == [str(point.same_as or point.point) for point in record.points]


def test_an_interruption_leaves_what_was_not_begun_waiting(local_store: LocalStore) -> None:
    written = Written(local_store, put_sweep(local_store, three(), {1: "finished", 2: "running", 3: "waiting"}))
    written.ended("interrupted")
    record = read_sweep(local_store, SWEEP)
    assert record is not None
    assert [point.state for point in record.points] == ["finished", "interrupted", "waiting"]


def test_doctor_knows_sweeps_that_were_killed_or_damaged(local_store: LocalStore) -> None:
    put_sweep(local_store, three(), {2: "running", 3: "waiting"}, state="running")
    found = [finding for finding in examine_root(local_store, set()) if "sweep" in finding.about]
    assert ["2 of its 3 points were not done" in finding.what for finding in found] == [True]
    local_store.put(sweep_key(SWEEP), b"{")
    damaged = [finding for finding in examine_root(local_store, set()) if "sweep" in finding.about]
    assert [finding.remedy for finding in damaged] == [
        f"delete {sweep_key(SWEEP)}: the sweep's command writes it anew, and the runs of its points are not touched"
    ]
