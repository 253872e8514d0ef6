"""Commits folded into indexes: whoever reads sees each commit once, whatever was killed, deleted or done at once."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.errors import StoreError
from factory.identity import make_id
from factory.store import commit_index
from factory.store.base import Store
from factory.store.commit_index import (
    each_commit,
    each_outcome,
    fold,
    index_key,
    index_rows,
    list_commits,
)
from factory.store.commits import Commit, Counts, commit_key, committed_units, put_commit
from factory.store.local import LocalStore

FOLDER = "extract-0123"
attempts = itertools.count()


def unit(number: int) -> str:
    return make_id("unit", number)


def commit(store: Store, number: int) -> None:
    """Another attempt at a unit; the first wins."""
    put_commit(
        store,
        Commit(unit(number), f"{next(attempts):012x}", FOLDER, "run", "", None, (), {}, Counts(), {}, "", "", {}),
    )


def truth(store: Store) -> dict[str, str]:
    """Unit -> attempt, from the objects of the commits alone."""
    outcomes = each_outcome(store, FOLDER, committed_units(store, FOLDER), at_least=None)
    return {unit: outcome.attempt for unit, outcome in outcomes if isinstance(outcome, Commit)}


def read(store: Store) -> list[tuple[str, str]]:
    """Unit and attempt of every commit, as a reader sees them that uses indexes."""
    found = each_commit(store, FOLDER, committed_units(store, FOLDER), at_least=0)
    return sorted((commit.unit, commit.attempt) for commit in found)


@dataclass
class Interrupted:
    """A store that lets something happen before or after a put-if-absent, such as the death of who puts."""

    below: Any
    before: list[Callable[[], None]] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)
    reads: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)

    def get(self, key: str) -> bytes:
        self.reads += 1
        data: bytes = self.below.get(key)
        return data

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if self.before:
            self.before.pop(0)()
        won: bool = self.below.put_if_absent(key, data)
        if self.after:
            self.after.pop(0)()
        return won


class KilledError(Exception):
    pass


def die() -> None:
    raise KilledError


def test_a_folded_step_is_read_from_its_index_alone(store: Store) -> None:
    for number in range(20):
        commit(store, number)
    before = truth(store)
    assert fold(store, FOLDER, at_least=1) == 20
    counted: Any = Interrupted(store)
    assert dict(read(counted)) == before
    assert counted.reads == 1, "one index instead of twenty commits"


def test_what_is_committed_after_a_fold_is_read_beside_the_index(store: Store) -> None:
    for number in range(6):
        commit(store, number)
    fold(store, FOLDER, at_least=1)
    for number in range(6, 9):
        commit(store, number)
    assert dict(read(store)) == truth(store)
    assert fold(store, FOLDER, at_least=4) == 0, "three are not worth a file of four"
    assert fold(store, FOLDER, at_least=3) == 3
    assert [key.rsplit("/")[-1] for key in list_commits(store, FOLDER).indexes] == [
        "index-0.parquet",
        "index-1.parquet",
    ]
    assert len(read(store)) == 9


def test_an_index_holds_the_very_bytes_of_its_commits(store: Store) -> None:
    for number in range(5):
        commit(store, number)
    fold(store, FOLDER, at_least=1)
    rows = list(index_rows(store, index_key(FOLDER, 0)))
    assert {row[0] for row in rows} == {unit(number) for number in range(5)}
    assert all(store.get(commit_key(FOLDER, name)) == body for name, _, body in rows)


def test_a_unit_done_again_after_its_commit_was_deleted_is_read_as_it_is_now(store: Store) -> None:
    for number in range(5):
        commit(store, number)
    fold(store, FOLDER, at_least=1)
    store.delete(commit_key(FOLDER, unit(3)))
    assert unit(3) not in dict(read(store))
    commit(store, 3)
    assert dict(read(store)) == truth(store)
    assert fold(store, FOLDER, at_least=1) == 1
    assert len(read(store)) == 5


def test_an_index_copied_to_another_root_does_not_stand_for_commits_it_never_saw(tmp_path: Path) -> None:
    here, there = LocalStore(str(tmp_path / "here")), LocalStore(str(tmp_path / "there"))
    for number in range(4):
        commit(here, number)
        commit(there, number)
    fold(here, FOLDER, at_least=1)
    there.put(index_key(FOLDER, 0), here.get(index_key(FOLDER, 0)))
    assert dict(read(there)) == truth(there) != truth(here)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"", lambda data: b"PAR1" + data[4:900]])
def test_a_torn_index_costs_time_and_nothing_else(store: Store, damage: Callable[[bytes], bytes]) -> None:
    for number in range(30):
        commit(store, number)
    fold(store, FOLDER, at_least=1)
    key = index_key(FOLDER, 0)
    store.put(key, damage(store.get(key)))
    assert dict(read(store)) == truth(store)
    passed_over: list[StoreError] = []
    assert len(list(each_outcome(store, FOLDER, committed_units(store, FOLDER), 0, passed_over))) == 30
    assert key in str(passed_over[0])
    assert fold(store, FOLDER, at_least=1) == 30, "what it held is folded again, into the next file"
    assert len(read(store)) == 30


def test_one_changed_byte_anywhere_in_an_index_never_changes_what_is_read(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    for number in range(3):
        commit(store, number)
    fold(store, FOLDER, at_least=1)
    expected, key = truth(store), index_key(FOLDER, 0)
    whole = store.get(key)
    for place in range(4, len(whole), 7):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        store.put(key, bytes(changed))
        assert dict(read(store)) == expected, place


def test_a_damaged_commit_is_left_to_whoever_reads_it(store: Store) -> None:
    for number in range(3):
        commit(store, number)
    store.put(commit_key(FOLDER, unit(1)), b"{")
    assert fold(store, FOLDER, at_least=1) == 2
    with pytest.raises(StoreError, match=unit(1)):
        read(store)


def test_a_fold_that_finds_its_number_taken_leaves_the_rest_to_the_other(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    for number in range(10):
        commit(store, number)
    slow: Any = Interrupted(store, before=[lambda: fold(store, FOLDER, at_least=1) and None])
    assert fold(slow, FOLDER, at_least=1) == 0
    assert len(list_commits(store, FOLDER).indexes) == 1
    assert dict(read(store)) == truth(store)


def test_a_commit_that_vanishes_while_it_is_read_is_an_error_and_not_a_hole(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    for number in range(3):
        commit(store, number)
    units = committed_units(store, FOLDER)
    store.delete(commit_key(FOLDER, unit(2)))
    with pytest.raises(KeyError):
        list(each_commit(store, FOLDER, units, at_least=0))


Step = tuple[str, int]
steps = st.tuples(
    st.sampled_from(
        ["commit", "commit", "commit", "delete", "fold", "killed before", "killed after", "two folds", "damage", "copy"]
    ),
    st.integers(0, 11),
)


@settings(max_examples=60)
@given(st.lists(steps, max_size=24), st.integers(1, 4))
def test_whatever_happens_readers_see_each_commit_once_and_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, happened: list[Step], rows: int
) -> None:
    """Folds at any moment, killed before or after any put, two at once; commits deleted and done again; indexes
    damaged, doubled: a reader sees exactly what the objects of the commits say."""
    store = LocalStore(str(tmp_path_factory.mktemp("root")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit_index, "INDEX_ROWS", rows)
        patch.setattr(commit_index, "GROUP_ROWS", 2)
        for what, number in happened:
            _happens(store, what, number)
            found = read(store)
            assert found == sorted(truth(store).items()), what
            assert len(found) == len(committed_units(store, FOLDER))


def _happens(store: LocalStore, what: str, number: int) -> None:
    indexes = list_commits(store, FOLDER).indexes
    puts: list[Callable[[], None]] = [lambda: None] * (number % 3)
    if what == "commit":
        commit(store, number)
    elif what == "delete":
        store.delete(commit_key(FOLDER, unit(number)))
    elif what == "fold":
        fold(store, FOLDER, at_least=number % 4)
    elif what in ("killed before", "killed after"):
        fatal = [*puts, die]
        dying: Any = Interrupted(store, **{what.removeprefix("killed "): fatal})
        with contextlib.suppress(KilledError):
            fold(dying, FOLDER, at_least=1)
    elif what == "two folds":
        other: Any = Interrupted(store, before=[*puts, lambda: fold(store, FOLDER, at_least=1) and None])
        fold(other, FOLDER, at_least=1)
    elif what == "damage" and indexes:
        key = indexes[number % len(indexes)]
        data = bytearray(store.get(key))
        data[(number * 97) % len(data)] ^= 0xFF
        store.put(key, bytes(data))
    elif what == "copy" and indexes:
        store.put(index_key(FOLDER, 100 + number), store.get(indexes[0]))


def test_a_reader_in_the_middle_of_an_index_is_not_disturbed_by_a_fold(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    for number in range(40):
        commit(store, number)
    fold(store, FOLDER, at_least=1)
    units = committed_units(store, FOLDER)
    reading = each_commit(store, FOLDER, units, at_least=0)
    first = next(reading).unit
    for number in range(40, 60):
        commit(store, number)
    fold(store, FOLDER, at_least=1)
    store.delete(index_key(FOLDER, 0))
    assert sorted([first, *(each.unit for each in reading)]) == sorted(units)


def test_an_index_is_no_commit_to_older_listings(store: Store) -> None:
    """Programs that know no index list what ends in .json."""
    commit(store, 1)
    fold(store, FOLDER, at_least=1)
    assert committed_units(store, FOLDER) == {unit(1)}
