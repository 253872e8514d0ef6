"""What the factory asks of storage: whole objects, two conditional puts, listings.

Design: keys are '/'-separated and relative to a root; an object is written whole or not at all; nothing
depends on rename or on directories. Correctness rests on `put_if_absent` alone: the first writer of a key
wins and every later one is told so. Data objects are written under attempt-unique names with plain `put`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object: key relative to the root, size in bytes, entity tag, seconds since the epoch by
    the store's own clock.

    The entity tag is opaque: it differs after every write and is what `put_if_match` takes, whether it came
    from `head`, `list` or `get_tagged`. It is no content hash (S3's differs for multipart uploads).
    """

    key: str
    size: int
    etag: str
    modified: float


class AbsentObjectError(KeyError):
    """No object of a store has this key."""

    def __init__(self, key: str, uri: str) -> None:
        super().__init__(key, uri)

    @property
    def key(self) -> str:
        return str(self.args[0])

    @property
    def uri(self) -> str:
        return str(self.args[1])

    def __str__(self) -> str:
        return f"{self.key} is not in {self.uri}"


class Store(Hashable, Protocol):
    """A root under which objects live. Implementations pickle cheaply (no open connection travels).

    Calls may come from many threads and processes at once. Every call retries what may pass (5xx, SlowDown,
    connections, time-outs) before it raises TransientStoreError, and raises StoreError for what will not.
    AbsentObjectError is a KeyError.
    """

    @property
    def uri(self) -> str:
        """Where the root is, for people and for lineage; never holds credentials."""
        ...

    def get(self, key: str) -> bytes:
        """Whole object. Raises AbsentObjectError when absent, StoreError otherwise."""
        ...

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """Bytes [start, stop) of an object, cut at its end. Raises AbsentObjectError when absent."""
        ...

    def get_tagged(self, key: str) -> tuple[bytes, str]:
        """Whole object and the entity tag to pass to `put_if_match`. Raises AbsentObjectError when absent."""
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """What `list` would say of one object, or None when it is absent."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Writes or replaces an object, atomically and durably."""
        ...

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """True when this call created the object, False when one was there already (whatever its bytes).

        An answer lost on the way is settled by reading back who created the object. Where a store cannot
        tell (it drops user metadata), identical bytes count as ours after a lost answer: callers therefore
        put something attempt-unique into `data`.
        """
        ...

    def put_if_match(self, key: str, data: bytes, etag: str) -> bool:
        """Replaces the object only while it still carries `etag`; False when it does not, or is gone."""
        ...

    def put_file(self, key: str, path: str) -> None:
        """Uploads a local file of any size (multipart where the store has it); atomic like `put`."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key starts with `prefix`, in no promised order."""
        ...

    def delete(self, key: str) -> None:
        """Removes an object; no error when it is already gone."""
        ...

    def clock(self) -> float:
        """Seconds since the epoch now, by the clock that `ObjectInfo.modified` is written with."""
        ...

    def discard_unfinished(self, prefix: str, older_than_s: float) -> int:
        """Removes what killed writers left under `prefix` and nobody can see (temporary files, unfinished
        multipart uploads), where older than `older_than_s` seconds by the store's clock; how many."""
        ...


def in_a_hurry(store: Store, patience_s: float) -> Store:
    """The same store, whose calls try again for at most so many seconds; a store that never waits is returned as it
    is."""
    patient: Any = store
    if not hasattr(patient, "patience_s"):
        return store
    hurried: Store = replace(patient, patience_s=min(patient.patience_s, patience_s))
    return hurried
