"""Arrays that the processes of one machine share: made by the first that wants them, mapped by all.

Design: a folder of this user's in the machine's temporary folder, in it one for each content that is shared, and in
that a folder of `.npy` files for each group of arrays, put there by renaming a finished one. What is read lies in the
page cache once, however many workers read it, and beyond memory the system lets it go. A group is made under a lock of
its own, so that two processes do not make it at the same time. Whoever uses a content holds a shared lock on it, which
ends with its process whatever ends that; `sweep` removes what nobody holds. Files are never trusted beyond that: after
a crash nobody holds them, so they go before they are read.

A driver sweeps its own machine when its run ends; on the other machines of a cluster the last content stays until the
next one is shared there.

Cost: writing the arrays once a machine, mapping them once a process. Disk: the arrays' bytes, up to the limit.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

LOCK = "lock"

SPARE_SHARE = 0.1
"""Of the file system stays free: others write there as well."""

Arrays = tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True)
class Scratch:
    """A content's folder, which the process that has this holds; all of it takes `limit` bytes at most."""

    folder: Path
    limit: int

    def arrays(self, name: str, make: Callable[[], Arrays]) -> tuple[Arrays, bool]:
        """The arrays `name`, mapped read-only, made by `make` where nobody did. Where there is no room for them as they
        were made, and False."""
        there = self.folder / name
        with _locked(self.folder / f"{name}.{LOCK}", fcntl.LOCK_EX):
            if not there.exists():
                made = make()
                if not self._has_room(sum(array.nbytes for array in made)) or not self._put(there, made):
                    return made, False
        return tuple(np.load(path, mmap_mode="r", allow_pickle=False) for path in sorted(there.iterdir())), True

    def _has_room(self, wanted: int) -> bool:
        taken = sum(entry.stat().st_size for entry in self.folder.rglob("*.npy"))
        disk = shutil.disk_usage(self.folder)
        return taken + wanted <= self.limit and wanted <= disk.free - SPARE_SHARE * disk.total

    def _put(self, there: Path, made: Sequence[npt.NDArray[Any]]) -> bool:
        building = self.folder / f"making-{uuid.uuid4().hex}"
        try:
            building.mkdir()
            for number, array in enumerate(made):
                np.save(building / f"{number:02d}.npy", array, allow_pickle=False)
            building.rename(there)
        except OSError:  # the disk is full after all
            shutil.rmtree(building, ignore_errors=True)
            return False
        return True


@contextmanager
def shared(content: str, limit: int) -> Iterator[Scratch | None]:
    """The folder of `content`, held while the body runs; None where the limit is 0 or no folder can be had. What other
    contents left behind and nobody holds is removed."""
    base = _base() if limit else None
    if base is None:
        yield None
        return
    sweep(but=content)
    with contextlib.ExitStack() as stack:
        folder = None
        with contextlib.suppress(OSError):  # a full disk: what is shared saves work and decides nothing
            folder = stack.enter_context(_held(base / content))
        yield Scratch(folder, limit) if folder is not None else None


def sweep(but: str = "") -> None:
    """Removes every content that no process of this machine holds, except `but`."""
    base = _base()
    for folder in sorted(base.iterdir()) if base is not None else []:
        if folder.name == but:
            continue
        with contextlib.suppress(OSError), _locked(folder / LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)


def _base() -> Path | None:
    """This user's folder; None where it cannot be made, or is somebody else's."""
    base = Path(tempfile.gettempdir()) / f"factory-scratch-{os.getuid()}"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        found = base.lstat()
    except OSError:
        return None
    mine = found.st_uid == os.getuid() and not found.st_mode & 0o077 and base.is_dir() and not base.is_symlink()
    return base if mine else None


@contextmanager
def _held(folder: Path) -> Iterator[Path]:
    """The folder, with a shared lock on it: it was there when the lock was got, so nobody removes it."""
    with contextlib.ExitStack() as stack:
        while True:
            folder.mkdir(mode=0o700, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                stack.enter_context(_locked(folder / LOCK, fcntl.LOCK_SH))
                break
        yield folder


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    """The body with a lock on the file. Raises BlockingIOError where it is not to wait and another process holds it,
    FileNotFoundError where the file was removed meanwhile."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, kind)
        if os.fstat(handle).st_ino != path.stat().st_ino:
            raise FileNotFoundError(path)
        yield
    finally:
        os.close(handle)
