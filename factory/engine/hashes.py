"""SHA-256 of a model's files, kept beside the cache so that a run that starts again reads no weights."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from factory.engine import smollm2
from factory.identity import sha256_hex


@dataclass(frozen=True)
class _Stamp:
    """What tells that a file is the one that was hashed; ctime catches an edit that put the mtime back."""

    size: int
    mtime_ns: int
    ctime_ns: int


def file_hashes(folder: Path, names: list[str]) -> dict[str, str]:
    """SHA-256 of files in `folder`, from the sidecar under the cache where their stamps still hold."""
    import hashlib

    sidecar = smollm2.cache_root() / "hashes" / f"{sha256_hex(str(folder).encode())[:32]}.json"
    try:
        known: Any = orjson.loads(sidecar.read_bytes())
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    hashes: dict[str, str] = {}
    entries: dict[str, Any] = {}
    for name in names:
        status = (folder / name).stat()
        stamp = asdict(_Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        entry = known.get(name)
        if not (isinstance(entry, dict) and entry.get("stamp") == stamp and isinstance(entry.get("sha256"), str)):
            with (folder / name).open("rb") as stream:
                entry = {"stamp": stamp, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}
        entries[name] = entry
        hashes[name] = entry["sha256"]
    if entries != known:
        _keep(sidecar, entries)
    return hashes


def _keep(sidecar: Path, entries: dict[str, Any]) -> None:
    """Writes the sidecar in one rename; a cache that cannot be written only costs hashing again."""
    try:
        sidecar.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=sidecar.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(orjson.dumps(entries))
        Path(temporary).replace(sidecar)
    except OSError:
        return
