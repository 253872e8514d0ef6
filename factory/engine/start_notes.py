"""Notes of engine starts in Ray's cluster-wide key-value store, which outlives the actors that write them.

A replica that finds a note of itself replaces an engine that is gone.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import asdict, dataclass

import orjson

STARTS_KEY = "factory:engine-start:"


@dataclass(frozen=True)
class EngineStart:
    """One start of one replica. `replacement`: an engine had run there before. Seconds until it was ready."""

    replica: int
    replacement: bool
    seconds: float
    host: str
    pid: int


@dataclass(frozen=True)
class PoolStarts:
    """Engine starts of a pool: `first` ones (one a replica), and `replacements` of lost engines."""

    first: int
    replacements: int
    seconds: float


def note_start(pool: str, replica: int, seconds: float) -> EngineStart:
    """Notes that this process's engine is ready after `seconds`."""
    from ray.experimental import internal_kv

    prefix = f"{STARTS_KEY}{pool}:{replica}:"
    replacement = bool(internal_kv._internal_kv_list(prefix))
    start = EngineStart(replica, replacement, seconds, socket.gethostname(), os.getpid())
    internal_kv._internal_kv_put(f"{prefix}{uuid.uuid4().hex}", orjson.dumps(asdict(start)))
    return start


def starts_of(pool: str) -> PoolStarts:
    """All starts of a pool so far, also of engines that are gone."""
    from ray.experimental import internal_kv

    noted = []
    for key in internal_kv._internal_kv_list(f"{STARTS_KEY}{pool}:"):
        if (value := internal_kv._internal_kv_get(key)) is not None:
            noted.append(EngineStart(**orjson.loads(value)))
    again = sum(start.replacement for start in noted)
    return PoolStarts(len(noted) - again, again, round(sum(start.seconds for start in noted), 3))


def forget_starts(pool: str) -> None:
    from ray.experimental import internal_kv

    internal_kv._internal_kv_del(f"{STARTS_KEY}{pool}:", del_by_prefix=True)
