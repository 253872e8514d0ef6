"""What the processes of a machine share of a content, and what becomes of it when they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from factory.store.scratch import Arrays, shared, sweep

MIB = 1 << 20


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"factory-scratch-{os.getuid()}"


def numbers() -> Arrays:
    return np.arange(1000), np.zeros(0, np.uint32), np.linspace(0, 1, 50)


def never() -> Arrays:
    raise AssertionError("made again")


def test_arrays_are_made_once_and_mapped_as_they_were() -> None:
    with shared("a", MIB) as scratch:
        assert scratch is not None
        made, lasting = scratch.arrays("first", numbers)
        again, _ = scratch.arrays("first", never)
    assert lasting
    with shared("a", MIB) as scratch:
        assert scratch is not None
        later, _ = scratch.arrays("first", never)
    for found in (made, again, later):
        for array, expected in zip(found, numbers(), strict=True):
            assert array.dtype == expected.dtype
            assert array.tolist() == expected.tolist()
            assert not array.flags.writeable


def test_beyond_the_limit_arrays_are_given_as_made_and_not_kept(own_folder: Path) -> None:
    with shared("a", 10_000) as scratch:
        assert scratch is not None
        assert scratch.arrays("first", numbers)[1]
        more, lasting = scratch.arrays("second", numbers)
    assert not lasting
    assert more[0].tolist() == list(range(1000))
    assert not (own_folder / "a" / "second").exists()


def test_a_limit_of_nothing_is_no_folder(own_folder: Path) -> None:
    with shared("a", 0) as scratch:
        assert scratch is None
    assert not own_folder.exists()


def test_a_folder_that_others_may_write_to_is_not_used(own_folder: Path) -> None:
    own_folder.mkdir(mode=0o777)
    own_folder.chmod(0o777)
    with shared("a", MIB) as scratch:
        assert scratch is None


def test_what_nobody_holds_is_swept_and_what_somebody_holds_stays(own_folder: Path) -> None:
    for content in ("left", "held"):
        with shared(content, MIB) as scratch:
            assert scratch is not None
            scratch.arrays("first", numbers)
    with shared("held", MIB) as scratch:
        assert scratch is not None
        sweep()
        assert not (own_folder / "left").exists()
        scratch.arrays("first", never)
    sweep()
    assert list(own_folder.iterdir()) == []


def hold(folder: str, said: Connection) -> None:
    tempfile.tempdir = folder
    with shared("other", MIB) as scratch:
        assert scratch is not None
        scratch.arrays("first", numbers)
        said.send("held")
        signal.pause()


def test_a_killed_process_holds_nothing_any_more(own_folder: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(str(tmp_path), there))
    process.start()
    assert here.recv() == "held"
    with shared("mine", MIB):
        assert (own_folder / "other" / "first").exists(), "swept while another process held it"
    process.kill()
    process.join()
    with shared("mine", MIB):
        assert not (own_folder / "other").exists()


def test_where_the_folder_cannot_be_made_nothing_is_shared_and_nothing_fails(own_folder: Path) -> None:
    own_folder.mkdir(mode=0o700)
    (own_folder / "a").write_text("a file where the folder should be")
    with shared("a", MIB) as scratch:
        assert scratch is None
