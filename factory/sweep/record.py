"""The record of a sweep: `sweeps/<id>.json`, which points it has, which runs they are, and how far each got.

Design: as with a run, the record is convenience and not truth: what a point's run did is in the run's own record and in
the commits of its steps. Only the process that works the sweep writes it, under a lease; others read. The id is a hash
of what the points are, so the same command finds its sweep again on any machine.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import orjson

from factory.errors import ConfigError
from factory.run.record import now
from factory.store.base import AbsentObjectError, Store
from factory.store.lease import is_held
from factory.store.objects import names_below, read_mapping, typed_in

State = Literal["waiting", "running", "finished", "failed", "interrupted"]


@dataclass(frozen=True)
class PointRecord:
    """`identity` is what the point is (points.py), by which its run is found while `run` is not known yet.

    `same_as`: the point that is the same run and was worked for this one too. `job` is the id of its Ray job, `error`
    what ended it, `seconds` how long it took this time."""

    point: int
    name: str
    overrides: tuple[str, ...]
    differs: Mapping[str, Any]
    identity: str
    run: str | None
    state: State
    same_as: int | None = None
    job: str | None = None
    exit_code: int | None = None
    error: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class SweepRecord:
    """`launcher` is how points are worked: in the command's own process, a process each, or a Ray job each. Times are
    ISO 8601."""

    sweep: str
    state: State
    launcher: Literal["here", "processes", "jobs"]
    at_once: int
    started: str
    command: tuple[str, ...]
    points: tuple[PointRecord, ...]
    finished: str | None = None
    resumed: tuple[str, ...] = field(default_factory=tuple)


def sweep_key(sweep: str) -> str:
    return f"sweeps/{sweep}.json"


def lease_of(sweep: str) -> str:
    return f"sweep-{sweep}"


def read_sweep(store: Store, sweep: str) -> SweepRecord | None:
    """Raises StoreError when it is damaged."""
    key = sweep_key(sweep)
    try:
        found = read_mapping(store, key, ("sweep", "points"))
    except AbsentObjectError:
        return None
    return typed_in(SweepRecord, found, store.uri, key)


def write_sweep(store: Store, record: SweepRecord) -> None:
    store.put(sweep_key(record.sweep), orjson.dumps(asdict(record), option=orjson.OPT_INDENT_2))


def sweep_ids(store: Store) -> list[str]:
    """Ids of the sweeps below a root."""
    return names_below(store, "sweeps/")


def is_worked(store: Store, record: SweepRecord) -> bool:
    """Whether a sweep that is recorded as running gave a sign of life lately."""
    return record.state == "running" and is_held(store, lease_of(record.sweep))


LAST = "last"


def find_sweep(store: Store, wanted: str) -> SweepRecord:
    """The sweep whose id is, or alone begins with, `wanted`; the one started last for "last".

    Raises ConfigError where there is none, or more than one; StoreError where its record is damaged.
    """
    ids = sweep_ids(store)
    if not ids:
        raise ConfigError(
            f"there is no sweep under {store.uri}",
            cause="a mistyped root, or no sweep was started there: `python -m jobs.run -m KEY=A,B`",
            remedy="`factory compare ROOT` without --sweep compares the runs of a root",
        )
    if wanted == LAST:
        records = [record for each in ids if (record := read_sweep(store, each)) is not None]
        return max(records, key=lambda record: (record.resumed or (record.started,))[-1])
    found = [each for each in ids if each == wanted] or [each for each in ids if wanted and each.startswith(wanted)]
    record = read_sweep(store, found[0]) if len(found) == 1 else None
    if record is None:
        listed = ", ".join((found or ids)[:SHOWN]) + (" …" if (found or ids)[SHOWN:] else "")
        raise ConfigError(
            f"{len(found)} sweeps under {store.uri} begin with {wanted}"
            if found
            else f"there is no sweep {wanted} under {store.uri}",
            cause="too few digits" if found else "a mistyped id or root",
            remedy=f"choose one of: {listed}; or `last`",
        )
    return record


SHOWN = 8


class Written:
    """The record of a sweep that is being worked: threads change its points, every change is written."""

    def __init__(self, store: Store, record: SweepRecord) -> None:
        self._store, self._lock, self.record = store, threading.Lock(), record
        write_sweep(store, record)

    def point(self, number: int, **changes: Any) -> None:
        with self._lock:
            points = tuple(
                replace(each, **changes) if number in (each.point, each.same_as) else each
                for each in self.record.points
            )
            self.record = replace(self.record, points=points)
            write_sweep(self._store, self.record)

    def ended(self, state: State) -> None:
        """With an interruption, points that were at work are interrupted too; those not begun still wait."""
        with self._lock:
            points = self.record.points
            if state == "interrupted":
                points = tuple(
                    replace(each, state="interrupted") if each.state == "running" else each for each in points
                )
            self.record = replace(self.record, state=state, finished=now(), points=points)
            write_sweep(self._store, self.record)
