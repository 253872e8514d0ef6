"""A folder as an object store: atomic, durable puts, first writer wins, no server.

Design: an object is written to a temporary file in its own folder, synced, and then given its name by
`rename` (put) or by `link`, which fails when the name is taken (put_if_absent); the folder is synced last.
O_EXCL on the name itself would leave a torn winner when its writer is killed. Compare-and-swap takes an
exclusive flock chosen by the key, plain puts and deletes a shared one around their rename only.
An entity tag is (inode, modification time in nanoseconds, size): every write is a new inode and stamps the
time itself, so tags never repeat, and neither `list` nor `head` has to read contents, as a content hash would.
Cost: two fsyncs an object (0.3-0.5 ms for 100 kB on a cloud disk), a few system calls beside them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from factory.store.base import AbsentObjectError, ObjectInfo
from factory.store.keys import HIDDEN, check_key, check_prefix
from factory.store.local_files import TEMPORARY, explained, key_lock, sync_folder, temporary, write_all

COPY_BYTES = 1 << 20
"""Bytes a read of `put_file`: past 1 MiB copying no longer gets faster."""

_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


@dataclass(frozen=True)
class LocalStore:
    """Objects as files below `root` (made absolute at once: workers have other working directories)."""

    root: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", str(Path(self.root).expanduser().absolute()))

    @property
    def uri(self) -> str:
        return self.root

    def get(self, key: str) -> bytes:
        return self.get_tagged(key)[0]

    def get_tagged(self, key: str) -> tuple[bytes, str]:
        with explained("read", self.root, key), self._open(key) as file:
            return file.read(), _etag(os.fstat(file.fileno()))

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        with explained("read", self.root, key), self._open(key) as file:
            file.seek(start)
            return file.read(max(0, stop - start))

    def head(self, key: str) -> ObjectInfo | None:
        with explained("look at", self.root, key):
            try:
                found = self._path(key).stat()
            except _ABSENT:
                return None
        return _info(key, found) if stat.S_ISREG(found.st_mode) else None

    def put(self, key: str, data: bytes) -> None:
        self._replace(key, write_all(data))

    def put_file(self, key: str, path: str) -> None:
        with Path(path).open("rb") as source:
            self._replace(key, lambda file: shutil.copyfileobj(source, file, COPY_BYTES))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        with explained("write", self.root, key), temporary(path, write_all(data)) as temp:
            try:
                os.link(temp, path)
                won = True
            except FileExistsError:
                # NFS may carry out a link, lose the answer, try again and find its own name taken.
                try:
                    won = temp.samefile(path)
                except FileNotFoundError:
                    won = False
            temp.unlink()
            sync_folder(path.parent)
            return won

    def put_if_match(self, key: str, data: bytes, etag: str) -> bool:
        path = self._path(key)
        if not path.is_file():
            return False
        with explained("replace", self.root, key), temporary(path, write_all(data)) as temp:
            with key_lock(self.root, key, fcntl.LOCK_EX):
                try:
                    old = path.stat()
                except FileNotFoundError:
                    return False
                if _etag(old) != etag:
                    return False
                if temp.stat().st_mtime_ns <= old.st_mtime_ns:  # the wall clock was set back
                    os.utime(temp, ns=(old.st_mtime_ns + 1, old.st_mtime_ns + 1))
                temp.replace(path)
            sync_folder(path.parent)
            return True

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        for key, entry in self._walk(check_prefix(prefix)):
            if not entry.name.startswith(HIDDEN):
                with contextlib.suppress(FileNotFoundError):  # deleted between the scan and here
                    yield _info(key, entry.stat())

    def delete(self, key: str) -> None:
        path = self._path(key)
        if not path.exists():
            return
        with explained("delete", self.root, key), contextlib.suppress(*_ABSENT):
            with key_lock(self.root, key, fcntl.LOCK_SH):
                path.unlink()
            sync_folder(path.parent)

    def clock(self) -> float:
        with explained("ask the time of", self.root), temporary(Path(self.root, "clock"), write_all(b"")) as temp:
            return temp.stat().st_ctime

    def discard_unfinished(self, prefix: str, older_than_s: float) -> int:
        before = self.clock() - older_than_s
        gone = 0
        for _, entry in self._walk(check_prefix(prefix)):
            if entry.name.startswith(TEMPORARY):
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_ctime <= before:
                        Path(entry.path).unlink()
                        gone += 1
        return gone

    def _path(self, key: str) -> Path:
        return Path(self.root, check_key(key))

    def _open(self, key: str) -> IO[bytes]:
        try:
            return self._path(key).open("rb")
        except _ABSENT:
            raise AbsentObjectError(key, self.root) from None

    def _replace(self, key: str, fill: Callable[[IO[bytes]], None]) -> None:
        path = self._path(key)
        with explained("write", self.root, key), temporary(path, fill) as temp:
            with key_lock(self.root, key, fcntl.LOCK_SH):
                temp.replace(path)
            sync_folder(path.parent)

    def _walk(self, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Files whose key starts with `prefix`, and temporary files beside them. Opens only folders that can
        hold one; those that vanish meanwhile count as empty."""
        folder, _, stem = prefix.rpartition("/")
        pending = [(folder, stem)]
        while pending:
            folder, stem = pending.pop()
            with explained("list", self.root, folder):
                try:
                    scan = os.scandir(Path(self.root, folder))
                except (FileNotFoundError, NotADirectoryError):
                    continue
                with scan:
                    for entry in scan:
                        if entry.name.startswith((stem, TEMPORARY)):
                            key = f"{folder}/{entry.name}" if folder else entry.name
                            if not entry.is_dir():
                                yield key, entry
                            elif not entry.name.startswith(HIDDEN):
                                pending.append((key, ""))


def _etag(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"


def _info(key: str, found: os.stat_result) -> ObjectInfo:
    # The change time is set by the file system when the name appears; no writer's clock can shift it.
    return ObjectInfo(key, found.st_size, _etag(found), found.st_ctime)
