"""Engines of a run as its record tells: tokens a second, prefix-cache hits and idle time, by model and replica.

Design: every process of a replica noted what it was used for (engine/use.py); the run record keeps the notes of its
last execution by process, those of earlier ones summed by model and kind of hardware. An engine is idle while no
request is open in it: while it starts, while steps without a model are worked, at the end. An execution that was killed
outright left the notes of its finished steps only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SUMMED = ("alive_seconds", "busy_seconds", "requests", "prompt_tokens", "cached_tokens", "generated_tokens")


@dataclass(frozen=True)
class EngineUse:
    """Seconds are those of replicas: two replicas for a minute are 120. `replica` is None for a sum over several,
    `hardware` "2 x H100", "8 cores" or "" (a client of a server)."""

    model: str
    replica: int | None
    host: str
    hardware: str
    alive_seconds: float
    busy_seconds: float
    requests: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int

    @property
    def idle_share(self) -> float | None:
        """Of the time it was alive: without a request."""
        return 1 - self.busy_seconds / self.alive_seconds if self.alive_seconds else None

    @property
    def hit_share(self) -> float | None:
        """Of the prompt tokens: served by a prefix cache."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else None

    @property
    def prompt_per_second(self) -> float | None:
        """A second with requests open."""
        return self.prompt_tokens / self.busy_seconds if self.busy_seconds else None

    @property
    def generated_per_second(self) -> float | None:
        return self.generated_tokens / self.busy_seconds if self.busy_seconds else None


def engine_uses(rows: Any) -> tuple[EngineUse, ...]:
    """From `engine_use` of a run record; what is no row of it is left out."""
    return tuple(_use(row) for row in _whole(rows))


def _whole(rows: Any) -> list[Mapping[str, Any]]:
    """The rows that are what engine/use.py notes."""
    found = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return [row for row in found if all(isinstance(row.get(name), int | float) for name in NUMBERS)]


NUMBERS = (*SUMMED, "gpus", "cores")


def by_model(uses: Iterable[EngineUse]) -> tuple[EngineUse, ...]:
    """One line a model and kind of hardware."""
    sums: dict[tuple[str, str], EngineUse] = {}
    for use in uses:
        key = (use.model, use.hardware)
        sums[key] = _added(sums[key], use) if key in sums else _added(use, None)
    return tuple(sums[key] for key in sorted(sums))


def folded_use(rows: Any) -> list[dict[str, Any]]:
    """Rows of executions that are over, summed by model and hardware: a record of a thousand replicas that was gone on
    with ten times stays as small as one."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in _whole(rows):
        held = {name: row.get(name) for name in ("model", "gpus", "gpu_kind", "cores")}
        kept = sums.setdefault(tuple(held.values()), {"pool": "", "replica": None, "host": "", **held})
        for name in SUMMED:
            kept[name] = round(kept.get(name, 0) + row[name], 3)
    return list(sums.values())


def _use(row: Mapping[str, Any]) -> EngineUse:
    replica = row.get("replica")
    return EngineUse(
        model=str(row.get("model", "")),
        replica=replica if isinstance(replica, int) else None,
        host=str(row.get("host", "")),
        hardware=hardware_in_words(row),
        alive_seconds=float(row["alive_seconds"]),
        busy_seconds=float(row.get("busy_seconds", 0)),
        requests=int(row.get("requests", 0)),
        prompt_tokens=int(row.get("prompt_tokens", 0)),
        cached_tokens=int(row.get("cached_tokens", 0)),
        generated_tokens=int(row.get("generated_tokens", 0)),
    )


def hardware_in_words(row: Mapping[str, Any]) -> str:
    if gpus := row.get("gpus"):
        return f"{gpus:g} x {row.get('gpu_kind') or 'GPU'}"
    if cores := row.get("cores"):
        return f"{cores:g} core{'' if cores == 1 else 's'}"
    return ""


def _added(first: EngineUse, second: EngineUse | None) -> EngineUse:
    sums = {name: getattr(first, name) + (getattr(second, name) if second else 0) for name in SUMMED}
    return EngineUse(model=first.model, replica=None, host="", hardware=first.hardware, **sums)
