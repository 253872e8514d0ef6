"""An overlay answers like a store and leaves the one below it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.store.base import AbsentObjectError
from factory.store.local import LocalStore
from factory.store.overlay import Overlay


@pytest.fixture
def below(local_store: LocalStore) -> LocalStore:
    for key in ("a/1", "a/2", "b/1"):
        local_store.put(key, key.encode())
    return local_store


def everything(store: LocalStore) -> dict[str, bytes]:
    return {info.key: store.get(info.key) for info in store.list("")}


def test_what_is_written_deleted_and_listed_stays_in_the_overlay(below: LocalStore, tmp_path: Path) -> None:
    before = everything(below)
    overlay = Overlay(below)
    (tmp_path / "file").write_bytes(b"from a file")
    overlay.put("a/1", b"replaced")
    overlay.put("a/3", b"new")
    overlay.put_file("a/4", str(tmp_path / "file"))
    overlay.delete("a/2")
    assert {info.key: info.size for info in overlay.list("a/")} == {"a/1": 8, "a/3": 3, "a/4": 11}
    assert overlay.get("a/1") == b"replaced"
    assert overlay.get_range("a/4", 2, 6) == b"om a"
    assert overlay.get("b/1") == overlay.get_range("b/1", 0, 9) == b"b/1"
    assert overlay.head("a/2") is None
    with pytest.raises(AbsentObjectError):
        overlay.get("a/2")
    assert everything(below) == before


def test_the_first_writer_wins_whether_below_or_in_the_overlay(below: LocalStore) -> None:
    overlay = Overlay(below)
    assert not overlay.put_if_absent("a/1", b"late")
    assert overlay.put_if_absent("c", b"first")
    assert not overlay.put_if_absent("c", b"second")
    overlay.delete("a/1")
    assert overlay.put_if_absent("a/1", b"again")
    assert overlay.get("a/1") == b"again"


def test_a_replacement_needs_the_tag_of_what_it_replaces(below: LocalStore) -> None:
    overlay = Overlay(below)
    _, tag = overlay.get_tagged("a/1")
    assert overlay.put_if_match("a/1", b"second", tag)
    assert not overlay.put_if_match("a/1", b"third", tag)
    data, tag = overlay.get_tagged("a/1")
    assert data == b"second"
    assert overlay.put_if_match("a/1", b"third", tag)
    assert not overlay.put_if_match("nowhere", b"x", tag)
    assert below.get("a/1") == b"a/1"
