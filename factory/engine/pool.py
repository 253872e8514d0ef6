"""Engines that a run starts once and keeps: a handle that spreads batches over named Ray actors.

Design: the engines of a model start side by side, once (launch.py); steps come and go, the engines stay
(docs/decisions/0002: a second step costs no second start). The handle pickles into Ray Data stages and
sends each batch to the replica with the fewest of its requests open. When a replica is lost, only the
requests it had are asked again: on its replacement, in the trials that warden.py deals out, until each has its
completion or is known to kill engines, which is a completion with the error `engine_killed`. Other replicas go on
meanwhile. Of a preempted node's batches nothing is suspected; they are sent again as they are. A replica that is
starting again, or is hunted in, is left alone until it is ready.

Cost: about 1 ms a batch; starting is the engine's own (35 s for SmolLM2 on two cores).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from factory.engine.actor import ReplicaState
from factory.engine.api import Batch, Completion, EngineInfo
from factory.engine.lost import EngineBusy, EngineLost, killer, lost_actor, lost_by
from factory.engine.start_notes import PoolStarts, forget_starts, starts_of
from factory.errors import EngineError

Sent = TypeVar("Sent")

LIFE_SIGN_S = 10.0

REVIVAL_LIMIT_S = 3600.0
"""As long as a first start may take: a replacement may wait for a node as well."""

REVIVAL_TRIES = 3
PAUSE_S, PAUSE_CAP_S = 0.5, 10.0


class EnginePool:
    """Handle to running replicas of one model. Pickles; every process that holds one balances its own load."""

    def __init__(self, name: str, actors: list[Any], warden: Any, info: EngineInfo) -> None:
        self._name, self._actors, self._warden, self._info = name, actors, warden, info
        self._begin()

    def _begin(self) -> None:
        self._open = [0] * len(self._actors)
        self._reviving: dict[int, asyncio.Task[EngineLost | None]] = {}
        self._gone: dict[int, EngineLost] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: PoolStarts | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self._name, "actors": self._actors, "warden": self._warden, "info": self._info}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._name, self._actors = state["name"], state["actors"]
        self._warden, self._info = state["warden"], state["info"]
        self._begin()

    @property
    def replicas(self) -> int:
        return len(self._actors)

    def info(self) -> EngineInfo:
        """What lineage records about the engine (all replicas are built alike)."""
        return self._info

    async def generate(self, batch: Batch) -> list[Completion]:
        """One completion a request, in order; of a request that kills engines one with the error ENGINE_KILLED.
        Raises EngineError when no engine is left, or more were lost than the engine settings allow (budget.py)."""
        self._enter()
        done: dict[str, Completion] = {}
        left = batch
        while left.requests:
            for closed in await self._warden.closed.remote():
                self._revive(closed)
            replica = await self._pick()
            outcome = await self._send(replica, left)
            if isinstance(outcome, EngineBusy):
                self._revive(replica)
            elif isinstance(outcome, EngineLost):
                self._revive(replica)
                if not outcome.preempted:
                    done |= await self._tried(replica, left, outcome)
            else:
                done |= {completion.request_id: completion for completion in outcome}
            left = replace(batch, requests=tuple(each for each in batch.requests if each.request_id not in done))
        return [done[request.request_id] for request in batch.requests]

    async def _send(
        self, replica: int, batch: Batch, trial: bool = False
    ) -> list[Completion] | EngineLost | EngineBusy:
        from ray.exceptions import RayError, RayTaskError

        self._open[replica] += len(batch.requests)
        try:
            outcome: list[Completion] | EngineLost | EngineBusy = await self._actors[replica].generate.remote(
                batch, trial
            )
            return outcome
        except RayTaskError as error:
            return lost_by(error)
        except RayError as error:
            return lost_actor(error)
        finally:
            self._open[replica] -= len(batch.requests)

    async def _tried(self, replica: int, batch: Batch, lost: EngineLost) -> dict[str, Completion]:
        """Completions of requests that were in a lost engine, as far as the trials gave any; what is missing had to be
        given up there and may be sent elsewhere. Raises EngineError when too many engines were lost."""
        ticket = uuid.uuid4().hex
        requests = {request.request_id: request for request in batch.requests}
        done: dict[str, Completion] = {}
        await self._warden.join.remote(replica, ticket, list(requests), lost.death)
        while True:
            turn = await self._warden.turn.remote(replica, ticket)
            if turn.exhausted:
                raise EngineError(
                    f"{turn.exhausted}; the last end of an engine: {lost.what}",
                    cause=lost.cause or "prompts that kill the engine, or too little memory",
                    remedy=f"{lost.remedy or 'run again'}; committed work is kept, and a new start may lose as many",
                )
            if turn.trial:
                part = replace(batch, requests=tuple(requests[name] for name in turn.trial))
                outcome = await self._alive(replica, ticket, self._trial(replica, part))
                if outcome is None:
                    await self._warden.leave.remote(replica, ticket)
                    return done
                if isinstance(outcome, list):
                    done |= {completion.request_id: completion for completion in outcome}
                    await self._warden.report.remote(replica, ticket, [])
                else:
                    lost = outcome if isinstance(outcome, EngineLost) else lost
                    self._revive(replica)
                    await self._warden.report.remote(replica, ticket, list(turn.trial), lost.death)
            elif turn.finished:
                return done | {name: killer(name, deaths, lost) for name, deaths in turn.killers.items()}

    async def _trial(self, replica: int, part: Batch) -> list[Completion] | EngineLost | EngineBusy | None:
        """What became of a trial in the replacement, which is waited for; None where there will be none."""
        while await self._ready_again(replica) is None:
            outcome = await self._send(replica, part, trial=True)
            if not (isinstance(outcome, EngineLost) and outcome.preempted):
                return outcome
        return None

    async def _ready_again(self, replica: int) -> EngineLost | None:
        """Waits for the replacement in `replica`, for a trial; None when it is there."""
        lost = await _until_ready(self._actors[replica], None, 0)
        if lost is not None:
            self._gone[replica] = lost
        return lost

    async def _alive(self, replica: int, ticket: str, work: Coroutine[Any, Any, Sent]) -> Sent:
        """What `work` gives; while it runs, the warden is told that its asker lives."""
        task = asyncio.ensure_future(work)
        while not (await asyncio.wait([task], timeout=LIFE_SIGN_S))[0]:
            await self._warden.lives.remote(replica, ticket)
        return task.result()

    def _enter(self) -> None:
        """Waits for replacements belong to the event loop they were begun in; in another one they begin anew."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            unfinished, self._loop = list(self._reviving), loop
            self._reviving, self._open = {}, [0] * len(self._actors)
            for replica in unfinished:
                self._revive(replica)

    async def _pick(self) -> int:
        """The ready replica with the fewest open requests; waits when none is ready."""
        while True:
            self._reap()
            ready = [
                replica
                for replica in range(self.replicas)
                if replica not in self._reviving and replica not in self._gone
            ]
            if ready:
                fewest = min(self._open[replica] for replica in ready)
                return random.choice([replica for replica in ready if self._open[replica] == fewest])
            if not self._reviving:
                lost = next(iter(self._gone.values()))
                raise EngineError(f"no engine is left: {lost.what}", cause=lost.cause, remedy=lost.remedy)
            await asyncio.wait(self._reviving.values(), return_when=asyncio.FIRST_COMPLETED)

    def _revive(self, replica: int) -> None:
        if replica not in self._reviving and replica not in self._gone:
            self._reviving[replica] = asyncio.ensure_future(_until_ready(self._actors[replica], self._warden, replica))

    def _reap(self) -> None:
        for replica, task in list(self._reviving.items()):
            if task.done():
                del self._reviving[replica]
                if (lost := task.result()) is not None:
                    self._gone[replica] = lost

    def states(self) -> list[ReplicaState]:
        """A look into every replica that answers within 5 s."""
        import ray

        references = [actor.state.remote() for actor in self._actors]
        answered, _ = ray.wait(references, num_returns=len(references), timeout=5)
        states = []
        for reference in answered:
            with contextlib.suppress(ray.exceptions.RayError):
                states.append(ray.get(reference))
        return sorted(states, key=lambda state: int(state.replica))

    def starts(self) -> PoolStarts:
        """Engine starts so far, also of engines that are gone."""
        if self._stopped is not None:
            return self._stopped
        return starts_of(self._name)

    def stop(self) -> None:
        """Ends engines and actors. Safe to call twice."""
        import ray

        if self._stopped is not None:
            return
        counted = self.starts()
        references = [actor.stop.remote() for actor in self._actors]
        ray.wait(references, num_returns=len(references), timeout=30)
        for actor in (*self._actors, self._warden):
            ray.kill(actor, no_restart=True)
        forget_starts(self._name)
        self._stopped = counted


async def _until_ready(actor: Any, warden: Any, replica: int) -> EngineLost | None:
    """Waits for a replacement to be ready, and for the end of the hunt in it where a warden is given: None then, else
    why there is none."""
    from ray.exceptions import RayError

    lost = EngineLost("the engine did not come back")
    failed_starts, pause = 0, PAUSE_S
    deadline = time.monotonic() + REVIVAL_LIMIT_S
    while time.monotonic() < deadline and failed_starts < REVIVAL_TRIES:
        await asyncio.sleep(pause)
        pause = min(PAUSE_CAP_S, pause * 1.5)
        try:
            outcome = await actor.ready.remote()
        except RayError as error:
            lost = lost_actor(error)
            continue
        if not isinstance(outcome, EngineLost):
            if warden is None or not await warden.hunting.remote(replica):
                return None
            failed_starts, pause = 0, PAUSE_S
            continue
        if outcome != lost:  # the old process still says why it is leaving
            lost = outcome
        failed_starts += 1
    return lost
