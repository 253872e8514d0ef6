"""A root as it will be: what an erasure would write and delete, worked out without touching the root.

Design: all editing happens on a draft, so that the record can name every file with its old and new hash before the
first is switched, and `--dry-run` is the same work without the last act. Cost: what is written waits on local disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from factory.store.base import Store
from factory.store.overlay import Overlay


class Spool(MutableMapping[str, bytes | None]):
    """Bytes by key in files of a folder; None for what was deleted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, Path | None] = {}
        self._names = count()

    def __getitem__(self, key: str) -> bytes | None:
        path = self._paths[key]
        return None if path is None else path.read_bytes()

    def __setitem__(self, key: str, data: bytes | None) -> None:
        path = None
        if data is not None:
            path = self._paths.get(key) or self._folder / f"{next(self._names):08d}"
            path.write_bytes(data)
        self._paths[key] = path

    def __delitem__(self, key: str) -> None:
        del self._paths[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, key: object) -> bool:
        return key in self._paths


@contextmanager
def drafted(store: Store) -> Iterator[tuple[Overlay, Spool]]:
    """The draft of a root, and what is written and deleted in it; both end with the body."""
    with tempfile.TemporaryDirectory(prefix="factory-erasure-") as folder:
        spool = Spool(Path(folder))
        yield Overlay(store, spool), spool
