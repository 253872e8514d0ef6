"""A stored object as a file that is read by ranges, for readers of large Parquet files."""

from __future__ import annotations

import bisect
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from factory.store.base import AbsentObjectError, Store

HOLE_BYTES = 64 << 10
"""Bytes read along rather than asked for with a request of their own."""

PARALLEL_RANGES = 8

TAIL_BYTES = 64 << 10
"""Bytes of a large file's end read with its size: a footer of some hundred row groups fits."""


class ObjectReader(io.RawIOBase):
    """A stored object as a file: its first bytes are there already, the rest is fetched by range."""

    def __init__(self, store: Store, key: str, head: bytes) -> None:
        found = store.head(key)
        if found is None:
            raise AbsentObjectError(key, store.uri)
        self.store, self.key, self.length, self.position = store, key, found.size, 0
        start = max(len(head), self.length - TAIL_BYTES)
        # Footers of files this large take some kB to some tens of kB: one range holds them.
        self.known = [(0, head), (start, store.get_range(key, start, self.length))]

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Holds these ranges [start, stop) from now on; with less than HOLE_BYTES between them they are one request."""
        joined: list[tuple[int, int]] = []
        for start, stop in sorted(ranges):
            if joined and start - joined[-1][1] < HOLE_BYTES:
                joined[-1] = joined[-1][0], max(stop, joined[-1][1])
            else:
                joined.append((start, stop))
        with ThreadPoolExecutor(PARALLEL_RANGES) as pool:
            found = list(pool.map(lambda span: self.store.get_range(self.key, *span), joined))
        held = zip((start for start, _ in joined), found, strict=True)
        self.known = sorted([*self.known, *held], key=lambda pair: pair[0])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.length}[whence]
        return self.position

    def read(self, size: int | None = -1) -> bytes:
        start = self.position
        stop = self.length if size is None or size < 0 else min(self.length, start + size)
        self.position = max(start, stop)
        place = bisect.bisect_right(self.known, start, key=lambda pair: pair[0]) - 1
        offset, data = self.known[place]
        if stop <= offset + len(data):
            return data[start - offset : stop - offset]
        return self.store.get_range(self.key, start, stop)
