"""Engines that a run starts once and keeps: a handle that spreads batches over named Ray actors.

Design: the engines of a model start side by side, once (launch.py); steps come and go, the engines stay
(docs/decisions/0002: a second step costs no second start). The handle pickles into Ray Data stages. A batch goes to the
engines in an order that suits them (order.py), in parts, each to a replica that has room now (places.py): replicas are
one queue's servers, whichever unit the requests are of. When a replica is lost, only the requests it had are asked
again: on its replacement, in the trials that warden.py deals out, until each has its completion or is known to kill
engines, which is a completion with the error `engine_killed`. Other replicas go on meanwhile. Of the requests of an
engine that went with its node nothing is suspected; they go elsewhere as they are. A replica that is starting again
(lost_replicas.py), is hunted in, or has not come yet, is left alone until it is ready.

Cost: three messages a part; starting is the engine's own (35 s for SmolLM2 on two cores).
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from factory.engine.actor import ReplicaState
from factory.engine.api import Batch, Completion, EngineInfo, Request
from factory.engine.lost import EngineBusy, EngineLost, killer, lost_actor, lost_by
from factory.engine.lost_replicas import LostReplicas
from factory.engine.memory import memory_left
from factory.engine.order import engine_order
from factory.engine.places import Place, Pressure
from factory.engine.room import give_back
from factory.engine.start_notes import PoolStarts, forget_starts, started_replicas, starts_of
from factory.engine.use import ReplicaUse, forget_use, use_of
from factory.errors import EngineError

Sent = TypeVar("Sent")

LIFE_SIGN_S = 10.0

PATIENCE_S, SOON_S = 10.0, 1.0
"""How long a unit waits for a place before it asks again; soon where it knows of a lost replica that may be back."""

SIGN_S = 20.0
"""A third of the silence after which the warden gives an asker up (places.py)."""

ANSWER_S = 2.0
"""What replicas that live take milliseconds for; one that waits for a node does not answer at all."""

PRESSURE_LIMIT_S = 60.0
"""What a busy machine may take to start the warden; an answer takes milliseconds."""


@dataclass(frozen=True)
class _Answered:
    """What came of a part: completions by request, and the requests without one."""

    done: dict[str, Completion]
    left: list[Request]


class EnginePool:
    """Handle to running replicas of one model. Pickles; every process that holds one balances its own load."""

    def __init__(self, name: str, actors: list[Any], warden: Any, info: EngineInfo, groups: Sequence[Any] = ()) -> None:
        """`groups`: the placement groups of the replicas, where each is on several nodes. `stop` gives them back; only
        who started them has them."""
        self._name, self._actors, self._warden, self._info = name, actors, warden, info
        self.instance = uuid.uuid4().hex[:12]
        self._groups, self._wide = groups, bool(groups)
        self._begin()

    def _begin(self) -> None:
        self._ticket = uuid.uuid4().hex
        self._lost = LostReplicas(self._actors, self._warden)
        self._stopped: PoolStarts | None = None
        self._asked: dict[tuple[str, int], Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        state = {"name": self._name, "actors": self._actors, "warden": self._warden, "info": self._info}
        return {**state, "wide": self._wide}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._name, self._actors = state["name"], state["actors"]
        self._warden, self._info = state["warden"], state["info"]
        self._groups, self._wide = (), state["wide"]
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
        self._lost.enter()
        done: dict[str, Completion] = {}
        left = deque(batch.requests[position] for position in engine_order(batch.requests))
        asking: asyncio.Task[Sequence[Place]] | None = None
        parts: set[asyncio.Task[_Answered]] = set()
        sign = asyncio.ensure_future(self._keep_signing())
        try:
            while left or parts:
                if left and asking is None:
                    asking = asyncio.ensure_future(self._place(len(left)))
                waited: set[asyncio.Task[Any]] = {*parts, asking} if asking is not None else {*parts}
                ended, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if asking is not None and asking in ended:
                    places, asking = asking.result(), None
                    for place in places:
                        part = tuple(left.popleft() for _ in range(place.requests))
                        parts.add(asyncio.ensure_future(self._part(place, replace(batch, requests=part))))
                for answered in [each for each in parts if each in ended]:
                    parts.discard(answered)
                    done |= answered.result().done
                    left.extendleft(reversed(answered.result().left))
        finally:
            for task in (sign, *parts, *([asking] if asking is not None else [])):
                task.cancel()
        return [done[request.request_id] for request in batch.requests]

    async def _place(self, want: int) -> Sequence[Place]:
        """Room for up to `want` requests in replicas that are ready as far as is known here."""
        while True:
            avoid = await self._lost.known()
            patience_s = SOON_S if avoid else PATIENCE_S
            places: Sequence[Place] = await self._warden.place.remote(self._ticket, want, avoid, patience_s)
            if places:
                return places

    async def _part(self, place: Place, part: Batch) -> _Answered:
        """What came of the requests that have this place; those in `left` look for another."""
        outcome: list[Completion] | EngineLost | EngineBusy | None = None
        tokens = 0
        try:
            outcome = await self._send(place.replica, part)
            if isinstance(outcome, list):
                tokens = sum(each.prompt_tokens + sum(each.generated_tokens) for each in outcome)
        finally:
            self._warden.give_back.remote(place.number, tokens, isinstance(outcome, EngineLost))
        done: dict[str, Completion] = {}
        if isinstance(outcome, list):
            done = {completion.request_id: completion for completion in outcome}
        else:
            self._lost.wait_for(place.replica)
            if isinstance(outcome, EngineLost) and not await self._was_preempted(place.replica, outcome):
                done = await self._tried(place.replica, part, outcome)
        return _Answered(done, [each for each in part.requests if each.request_id not in done])

    async def _keep_signing(self) -> None:
        """Tells the warden that this asker lives, and how its node does: what it holds would be given away."""
        while True:
            self._warden.works.remote(self._ticket, memory_left())
            await asyncio.sleep(SIGN_S)

    def pressure(self) -> Pressure:
        """What waits for replicas now, from all units together. Raises RayError when the pool is gone."""
        import ray

        found: Pressure = ray.get(self._warden.pressure.remote(), timeout=PRESSURE_LIMIT_S)
        return found

    async def _send(
        self, replica: int, batch: Batch, trial: bool = False
    ) -> list[Completion] | EngineLost | EngineBusy:
        from ray.exceptions import RayError, RayTaskError

        try:
            outcome: list[Completion] | EngineLost | EngineBusy = await self._actors[replica].generate.remote(
                batch, trial
            )
            return outcome
        except RayTaskError as error:
            return lost_by(error)
        except RayError as error:
            return lost_actor(error)

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
                    self._lost.wait_for(replica)
                    await self._warden.report.remote(replica, ticket, list(turn.trial), lost.death)
            elif turn.finished:
                return done | {name: killer(name, deaths, lost) for name, deaths in turn.killers.items()}

    async def _trial(self, replica: int, part: Batch) -> list[Completion] | EngineLost | EngineBusy | None:
        """What became of a trial in the replacement, which is waited for; None where there will be none."""
        while await self._lost.ready_for_a_trial(replica) is None:
            outcome = await self._send(replica, part, trial=True)
            if not (isinstance(outcome, EngineLost) and await self._was_preempted(replica, outcome)):
                return outcome
        return None

    async def _was_preempted(self, replica: int, lost: EngineLost) -> bool:
        """Whether the engine went with a node of its. One that could still answer on a node of its own did not."""
        if lost.preempted or not (lost.gone or self._wide):
            return lost.preempted
        found: bool = await self._warden.went_with_its_node.remote(replica)
        return found

    async def _alive(self, replica: int, ticket: str, work: Coroutine[Any, Any, Sent]) -> Sent:
        """What `work` gives; while it runs, the warden is told that its asker lives."""
        task = asyncio.ensure_future(work)
        while not (await asyncio.wait([task], timeout=LIFE_SIGN_S))[0]:
            await self._warden.lives.remote(replica, ticket)
        return task.result()

    def states(self, at_most: int | None = None) -> list[ReplicaState]:
        """A look into every replica, or the first `at_most`, that answers within 5 s."""
        return list(self._looked("state", at_most).values())

    def metrics(self, at_most: int | None = None) -> dict[int, str]:
        """What vLLM has counted in every replica, or the first `at_most`, that answers within 5 s, by replica."""
        return self._looked("metrics", at_most)

    def _looked(self, what: str, at_most: int | None) -> dict[int, Any]:
        import ray

        if self._stopped is not None:
            return {}
        # A replica that waits for a node answers when it is there: it is asked once, and not again at every look.
        asked = {
            self._asked.pop((what, replica), None) or getattr(actor, what).remote(): replica
            for replica, actor in enumerate(self._actors[:at_most])
        }
        answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=5)
        self._asked |= {(what, asked[reference]): reference for reference in silent}
        looks = {}
        for reference in sorted(answered, key=asked.__getitem__):
            with contextlib.suppress(ray.exceptions.RayError):
                looks[asked[reference]] = ray.get(reference)
        return looks

    def starts(self) -> PoolStarts:
        """Engine starts so far, also of engines that are gone."""
        if self._stopped is not None:
            return self._stopped
        return starts_of(self._name)

    def use(self, ask: bool = True) -> list[ReplicaUse]:
        """What the replicas were used for so far, one each process of them, also of those that are gone. `ask`: those
        that answer within ANSWER_S say how it is now, else it is as they noted it (engine/use.py)."""
        import ray

        if self._stopped is not None:
            return []
        if ask:
            references = [actor.note_use.remote() for actor in self._actors]
            ray.wait(references, num_returns=len(references), timeout=ANSWER_S)
        return use_of(self._name)

    def stop(self) -> None:
        """Ends engines and actors. Safe to call twice."""
        import ray

        if self._stopped is not None:
            return
        counted = self.starts()
        came = started_replicas(self._name)  # the others have no process that could answer
        references = [actor.stop.remote() for replica, actor in enumerate(self._actors) if replica in came]
        ray.wait(references, num_returns=len(references), timeout=30)
        for actor in (*self._actors, self._warden):
            ray.kill(actor, no_restart=True)
        give_back(self._groups)
        forget_starts(self._name)
        forget_use(self._name)
        self._stopped = counted
