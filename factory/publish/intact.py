"""Whether the files of a dataset are those that its manifest names: there, of that size, with those bytes.

Design: what somebody answers for by name (an approval, a signature) is held against its bytes first; what the rows say
is for `factory verify`. Of a file with another size the bytes are not read. Cost: one read of every byte; SHA-256 takes
1.3 GB a second and core, so the store decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from factory.store.base import AbsentObjectError, Store

BLOCK = 16 << 20


@dataclass(frozen=True)
class Data:
    """Where the files of a dataset lie: below `prefix` of a store, "" for a store that is the dataset itself."""

    store: Store
    prefix: str = ""

    def key(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path


def faults_of_files(data: Data, files: Iterable[tuple[str, int, str]]) -> list[str]:
    """What is wrong with each of these files, as (path, bytes, SHA-256). Raises StoreError where the store fails."""
    return [fault for each in sorted(files) if (fault := _fault(data, *each))]


def listed(manifest: Any) -> list[tuple[str, int, str]] | None:
    """The files that a manifest lists, for `faults_of_files`; None where it lists none as a manifest does."""
    try:
        return [(str(each["path"]), int(each["bytes"]), str(each["sha256"])) for each in manifest["files"]]
    except (KeyError, TypeError, ValueError):
        return None


def _fault(data: Data, path: str, size: int, sha256: str) -> str:
    info = data.store.head(data.key(path))
    if info is None:
        return f"{path} is gone"
    if info.size != size:
        return f"{path} has {info.size:,} bytes, and {size:,} were published"
    hasher = hashlib.sha256()
    try:
        for start in range(0, size, BLOCK):
            hasher.update(data.store.get_range(data.key(path), start, min(start + BLOCK, size)))
    except AbsentObjectError:
        return f"{path} is gone"
    return "" if hasher.hexdigest() == sha256 else f"{path} has other bytes than were published"
