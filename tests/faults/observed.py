"""What a root holds at one moment, as seen from outside: commits with their bytes, attempts with their receipts.

Design: two listings, commits first. An attempt that is in the second and not in the first began after everything that
was committed in the first, whatever the clocks say. Works on a folder and on S3 alike, through the factory's own store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from factory.store.base import AbsentObjectError, ObjectInfo, Store


@dataclass(frozen=True)
class Attempt:
    """A start receipt. `requests` is what it planned to ask; 0 for steps without a model."""

    step: str
    folder: str
    unit: str
    attempt: str
    requests: int
    begun: float

    @property
    def key(self) -> str:
        return f"{self.folder}/{self.unit}.{self.attempt}"


@dataclass(frozen=True)
class Observed:
    """`commits`: (step folder, unit) -> bytes of the commit. `committed_at` and `Attempt.begun` are seconds of the
    store's clock (whole ones on S3)."""

    commits: Mapping[tuple[str, str], bytes]
    committed_at: Mapping[tuple[str, str], float]
    attempts: tuple[Attempt, ...]

    def winner(self, unit: tuple[str, str]) -> str | None:
        """The attempt that a unit's commit names; None where the unit is not committed, or its commit is torn."""
        if unit not in self.commits:
            return None
        try:
            return str(json.loads(self.commits[unit])["attempt"])
        except (ValueError, KeyError, TypeError):
            return None

    def commit(self, unit: tuple[str, str]) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.commits[unit])
        return body

    def in_flight(self) -> tuple[Attempt, ...]:
        """Attempts at units that are not committed."""
        return tuple(each for each in self.attempts if (each.folder, each.unit) not in self.commits)

    def units(self) -> dict[str, int]:
        """Committed units by step."""
        found: dict[str, int] = {}
        for folder, _ in self.commits:
            found[step_of(folder)] = found.get(step_of(folder), 0) + 1
        return found


def step_of(folder: str) -> str:
    """`question_1` of `question_1-3f9c0e…`."""
    return folder.rpartition("-")[0]


def observe(store: Store) -> Observed:
    """A snapshot. What is written while it is taken may be in it or not."""
    commits, times = {}, {}
    for info in _of_kind(store, "commits"):
        try:
            body = store.get(info.key)
        except AbsentObjectError:
            continue
        parts = info.key.split("/")
        unit = (parts[1], parts[-1].removesuffix(".json"))
        commits[unit], times[unit] = body, info.modified
    attempts = []
    for info in _of_kind(store, "attempts"):
        folder = info.key.split("/")[1]
        unit_id, attempt, _ = info.key.rsplit("/", 1)[1].split(".")
        planned = json.loads(store.get(info.key)).get("planned", {})
        requests = int(planned.get("requests", 0))
        attempts.append(Attempt(step_of(folder), folder, unit_id, attempt, requests, info.modified))
    return Observed(commits, times, tuple(attempts))


def progress(store: Store, step: str) -> tuple[int, int]:
    """(units committed, attempts begun) of a step."""
    keys = [info.key for info in store.list(f"steps/{step}-") if step_of(info.key.split("/")[1]) == step]
    return sum("/commits/" in key for key in keys), sum("/attempts/" in key for key in keys)


def attempts_begun(store: Store) -> int:
    """Attempts at units of any step."""
    return len(_of_kind(store, "attempts"))


def _of_kind(store: Store, kind: str) -> list[ObjectInfo]:
    found = (info for info in store.list("steps/") if info.key.split("/")[2:3] == [kind])
    return [info for info in found if info.key.endswith(".json")]
