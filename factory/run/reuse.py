"""What of a run's steps was worked before the run took them up, and since when.

Design: a commit names the run that made it and no time; times of files change when a root is copied or rows are erased.
What is known for good is when the runs that made the reused units started, which is the earliest that those units can
be from. Cost: one small read a distinct run that units were reused from, at most RUNS_LOOKED_UP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.errors import StoreError
from factory.run.record import read_record
from factory.store.base import Store

RUNS_LOOKED_UP = 100
"""Of more runs than this nobody waits to hear when they started."""


def reused_units(store: Store, run: str, dones: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Step -> units that were committed before this run took it up, how many other runs made some of them, and the
    earliest they can be from, ISO 8601 in UTC; `since` is None where it is not known. Steps without any are left
    out."""
    started: dict[str, str | None] = {}
    found: dict[str, dict[str, Any]] = {}
    for name, done in dones.items():
        units = int(done.get("units_reused", 0))
        if not units:
            continue
        makers = sorted(done.get("paid") or {})
        for maker in makers:
            if maker not in started:
                started[maker] = _started(store, maker) if len(started) < RUNS_LOOKED_UP else None
        times = [started[maker] for maker in makers]
        known = [time for time in times if time is not None]
        since = min(known) if known and len(known) == len(times) else None
        found[name] = {"units": units, "runs": len({*makers} - {run}), "since": since}
    return found


def _started(store: Store, run: str) -> str | None:
    try:
        record = read_record(store, run)
    except StoreError:  # what a run before left damaged does not keep this one from publishing
        return None
    time = record.get("started") if record is not None else None
    return time if isinstance(time, str) else None
