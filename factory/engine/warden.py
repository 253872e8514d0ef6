"""Who goes back into an engine that died, and with whom: one small Ray actor a pool.

Design: batches come from many processes, and each knows only that its own was lost. The warden gathers all that were in
one engine (`join`), and deals out the trials of the hunt (suspects.py) to those that asked (`turn`), one trial at a
time a replica; they run their part and say what came of it (`report`). While a replica is hunted in, its actor answers
everybody else that it is busy, so other batches go to other replicas or wait: who kills is tried alone, and nobody
becomes a suspect by standing near. The warden sits in no engine, so it outlives them.

An asker that is silent for `SILENT_S` is taken for dead: its requests leave the hunt, and come again, if at all, with a
new attempt at their unit. What deaths cost the pool is in budget.py. Cost: one message a batch without a loss; then a
few a trial.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.engine.budget import Allowance, Budget, Death, OnTrial
from factory.engine.suspects import Hunt

GATHER_S = 1.0
"""After a loss was reported, until its hunt begins: the other askers learn of it at the same moment, and who comes
later is tried with the rest."""

POLL_S = 10.0
"""How long `turn` keeps an asker waiting before it has to ask again, which shows that it lives."""

SILENT_S = 60.0


@dataclass(frozen=True)
class Turn:
    """What an asker does next. `trial`: these of its requests, now. `finished`: nothing more; `killers` says of each of
    its requests that killed engines how many deaths led to it. Neither: ask again. `exhausted`: the pool has lost more
    engines than it may, and of which kind."""

    trial: tuple[str, ...] = ()
    finished: bool = False
    killers: Mapping[str, int] = field(default_factory=dict)
    exhausted: str = ""


@dataclass
class _Case:
    """The hunt in one replica."""

    begin_at: float
    asked: dict[str, set[str]] = field(default_factory=dict)  # ticket -> its suspects
    seen: dict[str, float] = field(default_factory=dict)
    hunt: Hunt | None = None
    waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)  # ticket -> its part of the trial, not yet taken
    running: set[str] = field(default_factory=set)
    died: set[str] = field(default_factory=set)
    on_trial: OnTrial = field(default_factory=OnTrial)

    def open(self, now: float) -> bool:
        return now < self.begin_at if self.hunt is None else not self.hunt.finished


class Warden:
    """`allowed`: what a pool may lose before its run is told to stop. Times are of this process's clock."""

    def __init__(self, allowed: Allowance) -> None:
        self._budget = Budget(allowed)
        self._cases: dict[int, _Case] = {}
        self._changed = asyncio.Condition()

    async def join(self, replica: int, ticket: str, ids: Sequence[str], death: Death = "loss") -> None:
        """The requests `ids` were in the engine of `replica` when it died; `death` is what that looked like."""
        async with self._changed:
            now = time.monotonic()
            case = self._cases.get(replica)
            if case is None:
                case = self._cases[replica] = _Case(now + GATHER_S)
                case.on_trial.deaths.append(death)
            elif not case.open(now):  # cleared requests whose askers did not come back yet, and another death
                case.on_trial.deaths.append(death)
            case.asked[ticket] = set(ids)
            case.seen[ticket] = now
            case.on_trial.suspects = max(case.on_trial.suspects, sum(map(len, case.asked.values())))
            if case.hunt is not None:
                case.hunt.add(ids)

    async def turn(self, replica: int, ticket: str) -> Turn:
        until = time.monotonic() + POLL_S
        async with self._changed:
            while True:
                now = time.monotonic()
                case = self._cases.get(replica)
                if passed := self._budget.overdrawn(each.on_trial for each in self._cases.values()):
                    return Turn(exhausted=passed)
                if case is None or ticket not in case.asked:
                    return Turn(finished=True)
                case.seen[ticket] = now
                self._forget_silent(case, now)
                self._advance(case, now)
                if (found := self._for(replica, case, ticket)) is not None:
                    return found
                if now >= until:
                    return Turn()
                await self._wait(min(until, case.begin_at if case.hunt is None else until) - now)

    async def report(self, replica: int, ticket: str, died: Sequence[str], death: Death = "loss") -> None:
        """A part of a trial is over; `died` are its requests without a completion, none where the engine lived."""
        async with self._changed:
            case = self._cases.get(replica)
            if case is None or ticket not in case.running:
                return
            case.running.discard(ticket)
            case.seen[ticket] = time.monotonic()
            if died and not case.died:
                case.on_trial.deaths.append(death)
            case.died.update(died)
            self._settle(case)
            self._changed.notify_all()

    async def lives(self, replica: int, ticket: str) -> None:
        """A sign of life from an asker that runs a trial."""
        case = self._cases.get(replica)
        if case is not None and ticket in case.seen:
            case.seen[ticket] = time.monotonic()

    async def leave(self, replica: int, ticket: str) -> None:
        """The asker gives up its suspects."""
        async with self._changed:
            if (case := self._cases.get(replica)) is not None:
                self._withdraw(case, ticket)
                self._close(replica, case)
            self._changed.notify_all()

    async def hunting(self, replica: int) -> bool:
        """Whether `replica` is for trials alone now."""
        async with self._changed:
            case = self._cases.get(replica)
            if case is None:
                return False
            now = time.monotonic()
            self._forget_silent(case, now)
            self._advance(case, now)
            return case.open(now)

    async def closed(self) -> list[int]:
        """The replicas in which a hunt is on."""
        return [replica for replica in list(self._cases) if await self.hunting(replica)]

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), max(0.01, seconds))
        except TimeoutError:
            return

    def _advance(self, case: _Case, now: float) -> None:
        """Begins the hunt when its suspects had time to come, and the next trial when none is running."""
        if case.hunt is None:
            if now < case.begin_at:
                return
            case.hunt = Hunt.after_a_death([name for ids in case.asked.values() for name in sorted(ids)])
        if case.waiting or case.running:
            return
        trial = case.hunt.next_trial()
        held = set(trial)
        for ticket, ids in case.asked.items():
            if part := tuple(name for name in trial if name in ids & held):
                case.waiting[ticket] = part
        self._changed.notify_all()

    def _for(self, replica: int, case: _Case, ticket: str) -> Turn | None:
        if ticket in case.waiting:
            case.running.add(ticket)
            return Turn(trial=case.waiting.pop(ticket))
        hunt = case.hunt
        if hunt is None or not all(name in hunt.cleared or name in hunt.killers for name in case.asked[ticket]):
            return None
        killers = {name: hunt.killers[name] for name in case.asked.pop(ticket) if name in hunt.killers}
        case.seen.pop(ticket, None)
        self._close(replica, case)
        return Turn(finished=True, killers=killers)

    def _settle(self, case: _Case) -> None:
        if case.hunt is not None and not case.waiting and not case.running:
            known = len(case.hunt.killers)
            case.hunt.settle(case.died)
            case.died = set()
            if len(case.hunt.killers) > known:
                self._budget.killer_found(case.on_trial)
            if case.hunt.finished:
                self._budget.hunt_over(case.on_trial)

    def _forget_silent(self, case: _Case, now: float) -> None:
        for ticket in [each for each, seen in case.seen.items() if now - seen > SILENT_S]:
            self._withdraw(case, ticket)

    def _withdraw(self, case: _Case, ticket: str) -> None:
        ids = case.asked.pop(ticket, set())
        case.seen.pop(ticket, None)
        in_trial = case.waiting.pop(ticket, None) is not None or ticket in case.running
        case.running.discard(ticket)
        if case.hunt is None:
            return
        case.hunt.withdraw(ids)
        if in_trial and not case.hunt.resting:
            self._settle(case)

    def _close(self, replica: int, case: _Case) -> None:
        if not case.asked:
            self._budget.hunt_over(case.on_trial)
            self._cases.pop(replica, None)


def start_warden(name: str, namespace: str, allowed: Allowance) -> Any:
    """A warden as a named actor that takes no core."""
    import ray

    return (
        ray.remote(Warden)
        .options(name=name, namespace=namespace, num_cpus=0, max_concurrency=10_000, max_restarts=-1)
        .remote(allowed)
    )
