"""A step that is being worked, seen from its folder alone, with bounded listings: `factory top` on a store.

Design: units have hashes for ids, and commits and attempts lie below their first two digits. A step of up to
`LISTED_AT_MOST` units is listed whole at each look. A larger one is listed a few of its 256 prefixes at a time, in
turn: what was seen is then as old as one round of them, and numbers are scaled from the prefixes seen, which are a fair
sample of it. Commits themselves are read a few at a look, newest first; what they say (rows, tokens, reasons) is exact
once all are read, and is otherwise scaled by units. Times are the store's: no clock of this machine is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from factory.errors import StoreError
from factory.store.base import AbsentObjectError, ObjectInfo, Store
from factory.store.commits import Commit, Counts, ahead, read_commit

LISTED_AT_MOST = 5000
"""Keys listed at a look, for commits and for attempts: 5 requests each on S3."""

PREFIXES_AT_MOST = 16
"""Of 256, at a look, in a larger step: as many requests, and a round of them in 16 looks."""

READ_AT_MOST = 64
"""Commits read at a look."""

PREFIXES = tuple(f"{number:02x}" for number in range(256))


@dataclass(frozen=True)
class Seen:
    """`scale`: by what to multiply the numbers of units to have the step's. 1 where all was seen."""

    planned: int
    committed: int
    in_flight: int
    lost: int
    scale: float
    commits: tuple[float, ...]
    """When units were committed in this execution, by the store's clock, in order."""
    began: float
    """When the first attempt of this execution began."""


@dataclass
class Details:
    """Sums of the commits that were read."""

    units: int = 0
    counts: Counts = field(default_factory=Counts)
    reasons: Counter[str] = field(default_factory=Counter)
    ledger: Counter[str] = field(default_factory=Counter)
    models: set[str] = field(default_factory=set)


class StepView:
    """What is known of one step's folder; looks add to it. Mutable: a look reads only what is new."""

    def __init__(self, store: Store, folder: str) -> None:
        self._store, self.folder = store, folder
        self._planned: dict[str, list[str]] = {}
        self._units = 0
        self._commits: dict[str, dict[str, float]] = {}
        self._attempts: dict[str, dict[str, list[float]]] = {}
        self._turn = 0
        self._read: set[str] = set()
        self.details = Details()

    def plan(self, units: Collection[str]) -> None:
        """The units that count; others in the folder belong to other runs."""
        self._planned = {}
        for unit in units:
            self._planned.setdefault(unit[:2], []).append(unit)
        self._units = len(units)

    def look(self, since: float, alive: bool) -> Seen:
        """Lists and reads what is new. `since`: when this execution began; attempts from before it are lost."""
        for prefix in self._next():
            self._list(prefix)
        self._read_some()
        return self._seen(since, alive)

    def _next(self) -> tuple[str, ...]:
        if self._units <= LISTED_AT_MOST:
            return ("",)
        turn = tuple(PREFIXES[(self._turn + number) % len(PREFIXES)] for number in range(PREFIXES_AT_MOST))
        self._turn += len(turn)
        return turn

    def _list(self, prefix: str) -> None:
        """`prefix` is two digits, or empty for all of them."""
        wanted = (prefix,) if prefix else PREFIXES
        for kind in wanted:
            self._commits[kind], self._attempts[kind] = {}, {}
        planned = {kind: set(self._planned.get(kind, ())) for kind in wanted}
        below = f"steps/{self.folder}/commits/{prefix}" + ("/" if prefix else "")
        for unit, info in _named(self._store.list(below)):
            if unit in planned.get(unit[:2], ()):
                self._commits[unit[:2]][unit] = info.modified
        for unit, info in _named(self._store.list(f"steps/{self.folder}/attempts/{prefix}")):
            if unit in planned.get(unit[:2], ()):
                self._attempts[unit[:2]].setdefault(unit, []).append(info.modified)

    def _read_some(self) -> None:
        fresh = [
            (modified, unit)
            for units in self._commits.values()
            for unit, modified in units.items()
            if unit not in self._read
        ]
        chosen = [unit for _, unit in sorted(fresh, reverse=True)[:READ_AT_MOST]]
        details = self.details

        def read(unit: str) -> Commit | None:
            with suppress(AbsentObjectError, StoreError):
                return read_commit(self._store, self.folder, unit)
            return None

        for unit, commit in zip(chosen, ahead(chosen, read), strict=True):
            self._read.add(unit)
            if commit is None:  # gone, or damaged: `factory doctor` says which
                continue
            details.units += 1
            details.counts += commit.counts
            details.ledger.update(commit.ledger)
            for reasons in commit.reasons.values():
                details.reasons.update(reasons)
            if commit.engine and commit.engine.get("model"):
                details.models.add(str(commit.engine["model"]))

    def _seen(self, since: float, alive: bool) -> Seen:
        planned = sum(len(self._planned.get(prefix, ())) for prefix in self._commits)
        times, starts, in_flight, lost, committed = [], [], 0, 0, 0
        for prefix, commits in self._commits.items():
            committed += len(commits)
            times += [modified for modified in commits.values() if modified >= since]
            for unit, attempts in self._attempts.get(prefix, {}).items():
                lost += len(attempts) - 1
                starts += [begun for begun in attempts if begun >= since]
                if unit not in commits:
                    works = alive and max(attempts) >= since
                    in_flight += works
                    lost += not works
        scale = self._units / planned if planned else 1.0
        began = min(starts, default=since)
        return Seen(self._units, committed, in_flight, lost, scale, tuple(sorted(times)), began)


def _named(infos: Iterator[ObjectInfo]) -> Iterator[tuple[str, ObjectInfo]]:
    for info in infos:
        if info.key.endswith(".json"):
            yield info.key.rsplit("/", 1)[1].split(".")[0], info


RATE_UNITS = 64
"""Last units a rate rests on, or a quarter of those of this execution if that is more: several times what is in
flight, and so little that a run which became slower says so."""

UNITS_FOR_A_TIME = 8
"""Units of this execution before a time is guessed: the first few say when the engine was warm, not how fast it is."""


def rate_of(seen: Seen, now: float) -> float | None:
    """Units a second by the last commits, up to `now`, so that a run that stalls gets slower; None before there are
    enough to go by. `now` by the store's clock."""
    commits = seen.commits
    if len(commits) < UNITS_FOR_A_TIME:
        return None
    last = max(len(commits) // 4, RATE_UNITS)
    # Units come in bursts of as many as are in flight: the time before a burst belongs to it.
    start = seen.began if len(commits) <= last else commits[-last - 1]
    return min(last, len(commits)) / max(now - start, 1e-3) * seen.scale
