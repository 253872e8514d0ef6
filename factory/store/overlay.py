"""A store that reads through to another and keeps what is written in memory.

Design: for finding out what a run would do without leaving a trace (run/rehearsal.py). Lives and dies in one process:
what it holds does not travel, so work that is given to others must not need it. Memory: all that was written.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from factory.identity import sha256_hex
from factory.store.base import AbsentObjectError, ObjectInfo, Store


@dataclass(eq=False)
class Overlay:
    """`below` is never written to. What is deleted here is gone for readers of the overlay only."""

    below: Store
    _own: MutableMapping[str, bytes | None] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return self.below.uri

    def get(self, key: str) -> bytes:
        if key not in self._own:
            return self.below.get(key)
        data = self._own[key]
        if data is None:
            raise AbsentObjectError(key, self.uri)
        return data

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        return self.get(key)[start:stop] if key in self._own else self.below.get_range(key, start, stop)

    def get_tagged(self, key: str) -> tuple[bytes, str]:
        if key not in self._own:
            return self.below.get_tagged(key)
        data = self.get(key)
        return data, sha256_hex(data)

    def head(self, key: str) -> ObjectInfo | None:
        if key not in self._own:
            return self.below.head(key)
        data = self._own[key]
        return None if data is None else ObjectInfo(key, len(data), sha256_hex(data), time.time())

    def put(self, key: str, data: bytes) -> None:
        self._own[key] = data

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if self.head(key) is not None:
            return False
        self._own[key] = data
        return True

    def put_if_match(self, key: str, data: bytes, etag: str) -> bool:
        found = self.head(key)
        if found is None or found.etag != etag:
            return False
        self._own[key] = data
        return True

    def put_file(self, key: str, path: str) -> None:
        self._own[key] = Path(path).read_bytes()

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        for info in self.below.list(prefix):
            if info.key not in self._own:
                yield info
        for key in [*self._own]:
            found = self.head(key) if key.startswith(prefix) else None
            if found is not None:
                yield found

    def delete(self, key: str) -> None:
        self._own[key] = None

    def clock(self) -> float:
        return self.below.clock()

    def discard_unfinished(self, prefix: str, older_than_s: float) -> int:
        return 0  # what killed writers left lies below, and nothing below is touched
