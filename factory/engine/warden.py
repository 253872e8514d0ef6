"""Who goes back into an engine that died, and with whom: one small Ray actor a pool.

Design: batches come from many processes, and each knows only that its own was lost. The warden gathers all that were in
one engine (`join`), and deals out the trials of the hunt (suspects.py) to those that asked (`turn`), one trial at a
time a replica; they run their part and say what came of it (`report`). While a replica is hunted in, its actor answers
everybody else that it is busy, so other batches go to other replicas or wait: who kills is tried alone, and nobody
becomes a suspect by standing near. The warden sits in no engine, so it outlives them.

It also knows, of its lookout, which replicas have not come yet and whether an engine went with its node: then nothing
is suspected, and nothing is charged.

An asker that is silent for `SILENT_S` is taken for dead: its requests leave the hunt, and come again, if at all, with a
new attempt at their unit. What deaths cost the pool is in budget.py. The warden also deals out the replicas to all
units (places.py), for it alone knows of all of them. Cost: two messages a part of a batch without a loss; then a few a
trial.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.engine.budget import Allowance, Budget, Death, OnTrial
from factory.engine.lookout import Lookout
from factory.engine.places import SILENT_S, Place, Places, Pressure
from factory.engine.suspects import Hunt

GATHER_S = 1.0
"""After a loss was reported, until its hunt begins: the other askers learn of it at the same moment, and who comes
later is tried with the rest."""

POLL_S = 10.0
"""How long `turn` keeps an asker waiting before it has to ask again, which shows that it lives."""

DEAL_S = 1.0
"""Between two deals that nobody asked for: hunts end and lost replicas come back without a word to the queue."""


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
    """`allowed`: what a pool may lose before its run is told to stop. `slots`: requests that each of its replicas runs
    at once, None where nobody knows. Times are of this process's clock."""

    def __init__(
        self, allowed: Allowance, lookout: Lookout | None = None, replicas: int = 1, slots: int | None = None
    ) -> None:
        self._budget = Budget(allowed)
        self._lookout = lookout
        self._places = Places(replicas, slots)
        self._placed: dict[int, asyncio.Future[Sequence[Place]]] = {}
        self._dealing: asyncio.Task[None] | None = None
        self._cases: dict[int, _Case] = {}
        self._changed = asyncio.Condition()

    async def place(self, ticket: str, want: int, avoid: Sequence[int], patience_s: float) -> Sequence[Place]:
        """Room for some of `want` requests, as soon as there is any; none after `patience_s`: ask again."""
        if self._dealing is None:
            self._dealing = asyncio.create_task(self._keep_dealing())
        number = self._places.ask(ticket, want, avoid, time.monotonic())
        waiting = self._placed[number] = asyncio.get_running_loop().create_future()
        try:
            self._deal(await self._shut())
            await asyncio.wait([waiting], timeout=patience_s)
            return waiting.result() if waiting.done() else ()
        finally:
            self._placed.pop(number, None)
            self._places.withdraw(number)

    async def give_back(self, number: int, tokens: int, lost: bool) -> None:
        """What was placed by that number is answered, with so many tokens, or its replica was `lost`."""
        self._places.give_back(number, tokens, lost, time.monotonic())
        self._deal(await self._shut())

    async def works(self, ticket: str, memory_left: float) -> None:
        """A sign of life from an asker with requests open or waiting; memory in shares of what its node has."""
        self._places.lives(ticket, memory_left, time.monotonic())

    async def pressure(self) -> Pressure:
        return self._places.pressure(await self._shut(), time.monotonic())

    async def _keep_dealing(self) -> None:
        while True:
            await asyncio.sleep(DEAL_S)
            self._places.forget_silent(time.monotonic())
            self._deal(await self._shut())

    def _deal(self, shut: Sequence[int]) -> None:
        for number, places in self._places.deal(shut, time.monotonic()):
            self._placed[number].set_result(places)

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

    async def _shut(self) -> list[int]:
        """The replicas that nobody is sent to: hunts are on in some, others have not come yet."""
        absent = await self._lookout.absent() if self._lookout is not None else []
        return [*await self.closed(), *absent]

    async def went_with_its_node(self, replica: int) -> bool:
        """Whether the engine that a caller lost in `replica` was on a node that is gone (lookout.py)."""
        return self._lookout is not None and await self._lookout.went_with_its_node(replica)

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


def start_warden(
    name: str, namespace: str, allowed: Allowance, lookout: Lookout, replicas: int, slots: int | None
) -> Any:
    """A warden as a named actor that takes no core, on the node of whoever starts it: a run that loses that node is
    over, and every other node may go."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options: dict[str, Any] = {"name": name, "namespace": namespace, "scheduling_strategy": here}
    options |= {"num_cpus": 0, "max_concurrency": 10_000, "max_restarts": -1, "max_task_retries": -1}
    return ray.remote(Warden).options(**options).remote(allowed, lookout, replicas, slots)
