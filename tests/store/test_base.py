"""What both stores promise; every test runs on a local folder and on a real S3 server."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from factory.errors import StoreError
from factory.store.base import Store

WRITERS = 16
ROUNDS = 3
"""SeaweedFS lets the losers of a race wait for seconds."""


def keys(store: Store, prefix: str = "") -> set[str]:
    return {info.key for info in store.list(prefix)}


def test_what_was_put_is_read_back_whole_and_by_range(store: Store) -> None:
    data = os.urandom(100_000)
    store.put("steps/a/data.bin", data)
    assert store.get("steps/a/data.bin") == data
    assert store.get_range("steps/a/data.bin", 10, 20) == data[10:20]
    assert store.get_range("steps/a/data.bin", 99_990, 200_000) == data[99_990:]
    assert store.get_range("steps/a/data.bin", 100_000, 100_001) == b""
    assert store.get_range("steps/a/data.bin", 5, 5) == b""
    found = store.head("steps/a/data.bin")
    assert found is not None
    assert found.size == 100_000
    assert abs(found.modified - store.clock()) < 10


def test_an_empty_object_is_an_object(store: Store) -> None:
    store.put("empty", b"")
    assert store.get("empty") == b""
    assert store.get_range("empty", 0, 10) == b""
    assert [info.size for info in store.list("")] == [0]


def test_a_put_replaces(store: Store) -> None:
    store.put("a", b"1")
    store.put("a", b"22")
    assert store.get("a") == b"22"


def test_what_is_absent_is_a_key_error_or_none(store: Store) -> None:
    store.put("a/b", b"x")
    for key in ("no", "a", "a/b/c", "a/no"):
        assert store.head(key) is None
        for read in (store.get, store.get_tagged, lambda key: store.get_range(key, 0, 1)):
            with pytest.raises(KeyError):
                read(key)
        store.delete(key)
    assert store.get("a/b") == b"x"


def test_a_deleted_object_is_gone_and_may_be_created_again(store: Store) -> None:
    store.put("a/b", b"1")
    store.delete("a/b")
    assert store.head("a/b") is None
    assert keys(store) == set()
    assert store.put_if_absent("a/b", b"2")


def test_the_second_put_if_absent_is_refused_even_with_the_same_bytes(store: Store) -> None:
    assert store.put_if_absent("commits/u.json", b"first")
    assert not store.put_if_absent("commits/u.json", b"second")
    assert not store.put_if_absent("commits/u.json", b"first")
    assert store.get("commits/u.json") == b"first"


def test_one_of_sixteen_racing_threads_wins(store: Store) -> None:
    start = threading.Barrier(WRITERS)

    def race(writer: int) -> list[bool]:
        won = []
        for index in range(ROUNDS):
            start.wait()
            won.append(store.put_if_absent(f"race/{index}", b"writer %d" % writer))
        return won

    with ThreadPoolExecutor(WRITERS) as pool:
        results = list(pool.map(race, range(WRITERS)))
    for index in range(ROUNDS):
        winners = [writer for writer in range(WRITERS) if results[writer][index]]
        assert len(winners) == 1
        assert store.get(f"race/{index}") == b"writer %d" % winners[0]
    assert len(keys(store, "race/")) == ROUNDS


_start: Any = None


def _join(barrier: Any) -> None:
    global _start
    _start = barrier


def _race_in_process(store: Store, process: int, threads: int) -> list[list[bool]]:
    def race(thread: int) -> list[bool]:
        won = []
        for index in range(ROUNDS):
            _start.wait()
            won.append(store.put_if_absent(f"race/{index}", b"writer %d" % (process * threads + thread)))
        return won

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(race, range(threads)))


def test_one_of_sixteen_racing_writers_in_four_processes_wins(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, context, _join, (context.Barrier(WRITERS, timeout=120),)) as pool:
        waiting = [pool.submit(_race_in_process, store, process, WRITERS // 4) for process in range(4)]
        results = [won for future in waiting for won in future.result()]
    for index in range(ROUNDS):
        winners = [writer for writer in range(WRITERS) if results[writer][index]]
        assert len(winners) == 1
        assert store.get(f"race/{index}") == b"writer %d" % winners[0]


def test_put_if_match_replaces_only_the_version_it_was_given(store: Store) -> None:
    assert not store.put_if_match("lease", b"x", '"0123456789abcdef0123456789abcdef"')
    store.put("lease", b"1")
    _, first = store.get_tagged("lease")
    assert store.put_if_match("lease", b"2", first)
    assert not store.put_if_match("lease", b"3", first)
    data, second = store.get_tagged("lease")
    assert data == b"2"
    store.put("lease", b"4")
    assert not store.put_if_match("lease", b"5", second)
    store.delete("lease")
    assert not store.put_if_match("lease", b"6", second)
    assert store.head("lease") is None


def test_tags_agree_between_head_list_and_get(store: Store) -> None:
    store.put("a", b"1")
    _, tag = store.get_tagged("a")
    found = store.head("a")
    assert found is not None
    assert {info.etag for info in store.list("")} == {tag, found.etag}
    assert store.put_if_match("a", b"2", found.etag)


def test_a_counter_raised_by_many_with_put_if_match_loses_no_step(store: Store) -> None:
    store.put("counter", b"0")

    def raise_it(_: int) -> None:
        while True:
            data, tag = store.get_tagged("counter")
            if store.put_if_match("counter", b"%d" % (int(data) + 1), tag):
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(raise_it, range(40)))
    assert store.get("counter") == b"40"


def test_a_listing_of_many_is_complete_and_keeps_to_its_prefix(store: Store) -> None:
    """1,100 objects: more than one page of S3's 1,000."""
    expected = {f"steps/extract-1/commits/{index % 16:02x}/unit-{index:05d}.json" for index in range(1100)}
    others = {"steps/extract-10/commits/x.json", "steps/extract-1.json", "runs/a.json"}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: store.put(key, b"{}"), expected | others))
    found = [info.key for info in store.list("steps/extract-1/")]
    assert len(found) == len(expected)
    assert set(found) == expected
    assert keys(store) == expected | others
    assert keys(store, "steps/extract-1") == expected | others - {"runs/a.json"}
    assert keys(store, "steps/extract-1/commits/0a/unit-0001") == {"steps/extract-1/commits/0a/unit-00010.json"}
    assert keys(store, "nothing/") == set()


def test_names_with_spaces_percent_signs_and_other_alphabets(store: Store) -> None:
    odd = {"a b/c%20d+e&f=g.json", "größe/文書.parquet", "x'y\"z;#?.txt"}
    for key in odd:
        assert store.put_if_absent(key, key.encode())
    assert keys(store) == odd
    for key in odd:
        assert store.get(key) == key.encode()


@pytest.mark.parametrize(
    "key", ["", "/a", "a//b", "../a", "a/../b", "./a", "a/", "a\nb", ".~tmp.1", "a/.~lock", "x" * 300, "\ud800"]
)
def test_names_that_could_leave_the_root_or_that_some_store_cannot_hold_are_refused(store: Store, key: str) -> None:
    writes = (lambda key: store.put(key, b""), lambda key: store.put_if_absent(key, b""))
    for call in (store.get, store.head, store.delete, *writes):
        with pytest.raises(StoreError, match="cannot name an object"):
            call(key)


def test_a_listing_cannot_leave_the_root(store: Store) -> None:
    for prefix in ("../", "..", "a/../../b", "/etc"):
        with pytest.raises(StoreError):
            list(store.list(prefix))


def test_a_file_of_several_parts_arrives_whole(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    data = os.urandom(1 << 20) * 40
    path.write_bytes(data)
    store.put_file("shards/big.bin", str(path))
    assert store.get("shards/big.bin") == data
    small = tmp_path / "small.bin"
    small.write_bytes(b"small")
    store.put_file("shards/big.bin", str(small))
    assert store.get("shards/big.bin") == b"small"
    assert store.discard_unfinished("", 0) == 0


def test_a_store_travels_to_another_process(store: Store) -> None:
    store.put("a", b"1")  # a connection is open now and must not travel
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store
    assert copy.get("a") == b"1"
    assert len(pickle.dumps(store)) < 1000


def test_a_forked_child_uses_a_connection_of_its_own(store: Store) -> None:
    store.put("a", b"1")
    child = os.fork()
    if child == 0:
        os._exit(0 if store.get("a") == b"1" and store.put_if_absent("b", b"2") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get("b") == b"2"
