"""Engines that a run starts once and keeps: named Ray actors, and a handle that spreads batches over them.

Design: `start_pool` starts all replicas of a model side by side, once; steps come and go, the engines stay
(docs/decisions/0002: a second step costs no second start). The handle pickles into Ray Data stages and
sends each batch to the replica with the fewest of its requests open. When a replica is lost, only the
batches it had are sent again, to another one or to its replacement, at most `MAX_LOSSES` times each;
preempted nodes do not count. A replica that is starting again is left alone until it is ready.

Cost: about 1 ms a batch; starting is the engine's own (35 s for SmolLM2 on two cores).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from typing import Any

import orjson

from factory.config import EngineConfig
from factory.engine.actor import STARTS_KEY, EngineActor, EngineLost, EngineSpec, EngineStart, ReplicaState
from factory.engine.api import Batch, Completion, EngineInfo
from factory.engine.models import ResolvedModel
from factory.engine.placement import Placement, place
from factory.errors import EngineError
from factory.identity import fingerprint

NAMESPACE = "factory"

MAX_LOSSES = 3
"""Engines one batch may lose. A batch that lost three is more likely the killer than unlucky."""

START_LIMIT_S = 3600.0
"""Waiting for nodes, download and load of the largest models together."""

REVIVAL_TRIES = 3
PAUSE_S, PAUSE_CAP_S = 0.5, 10.0


@dataclass(frozen=True)
class PoolStarts:
    """Engine starts of a pool: `first` ones (one a replica), and `replacements` of lost engines."""

    first: int
    replacements: int
    seconds: float


class EnginePool:
    """Handle to running replicas of one model. Pickles; every process that holds one balances its own load."""

    def __init__(self, name: str, actors: list[Any], info: EngineInfo) -> None:
        self._name, self._actors, self._info = name, actors, info
        self._begin()

    def _begin(self) -> None:
        self._open = [0] * len(self._actors)
        self._reviving: dict[int, asyncio.Task[EngineLost | None]] = {}
        self._gone: dict[int, EngineLost] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: PoolStarts | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self._name, "actors": self._actors, "info": self._info}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._name, self._actors, self._info = state["name"], state["actors"], state["info"]
        self._begin()

    @property
    def replicas(self) -> int:
        return len(self._actors)

    def info(self) -> EngineInfo:
        """What lineage records about the engine (all replicas are built alike)."""
        return self._info

    async def generate(self, batch: Batch) -> list[Completion]:
        """One completion a request, in order. Raises EngineError when engines keep dying under the batch."""
        from ray.exceptions import RayActorError, RayTaskError

        self._enter()
        losses: list[EngineLost] = []
        while len(losses) < MAX_LOSSES:
            replica = await self._pick()
            self._open[replica] += len(batch.requests)
            try:
                outcome = await self._actors[replica].generate.remote(batch)
            except RayActorError as error:
                outcome = _lost_actor(error)
                if error.preempted:
                    self._revive(replica)
                    continue
            except RayTaskError as error:
                outcome = EngineLost(f"the engine actor failed: {error}"[:1000])
            finally:
                self._open[replica] -= len(batch.requests)
            if not isinstance(outcome, EngineLost):
                return list(outcome)
            losses.append(outcome)
            self._revive(replica)
        raise EngineError(
            f"{len(losses)} engines were lost under the same batch of {len(batch.requests)} requests; the last: "
            f"{losses[-1].what}",
            cause=losses[-1].cause or "a prompt that kills the engine, or too little memory",
            remedy=losses[-1].remedy or "run again: committed work is kept",
        )

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
            self._reviving[replica] = asyncio.ensure_future(_until_ready(self._actors[replica]))

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
        noted = [noted_start for noted_start, _ in _noted_starts(self._name)]
        again = sum(start.replacement for start in noted)
        return PoolStarts(len(noted) - again, again, round(sum(start.seconds for start in noted), 3))

    def stop(self) -> None:
        """Ends engines and actors. Safe to call twice."""
        import ray

        if self._stopped is not None:
            return
        counted = self.starts()
        references = [actor.stop.remote() for actor in self._actors]
        ray.wait(references, num_returns=len(references), timeout=30)
        for actor in self._actors:
            ray.kill(actor, no_restart=True)
        _forget_starts(self._name)
        self._stopped = counted


def start_pool(config: EngineConfig, model: ResolvedModel, *, seed: int, run: str = "run") -> EnginePool:
    """Starts `config.replicas` engines of `model` side by side and waits until all are ready.

    Ray must be connected. Raises ConfigError when the cluster cannot hold them and EngineError (with cause
    and remedy) when one cannot be started; then none is left running.
    """
    import ray

    max_model_len, dtype = model.config.max_model_len, model.config.dtype
    name = f"{run}-{fingerprint([model.id, model.identity(), max_model_len, dtype, seed])[:12]}"
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    placement = place(config, nodes)
    settled = config.model_copy(update={"extra": {**placement.engine_extra, **config.extra}})
    spec = EngineSpec(name, settled, model, max_model_len, dtype, seed, stall_s=config.timeout_s)
    _forget_starts(name)
    actors = [_actor(spec, replica, placement) for replica in range(config.replicas)]
    try:
        infos = _all_ready(actors, config)
    except BaseException:
        for actor in actors:
            ray.kill(actor, no_restart=True)
        raise
    return EnginePool(name, actors, infos[0])


def _actor(spec: EngineSpec, replica: int, placement: Placement) -> Any:
    import ray

    options: dict[str, Any] = {
        "name": f"{spec.pool}-{replica}",
        "namespace": NAMESPACE,
        "num_cpus": placement.num_cpus,
        "num_gpus": placement.num_gpus,
        "resources": placement.resources,
        "max_restarts": -1,  # what bounds restarts is the number of engines a batch may lose
        "max_task_retries": 0,
        "max_concurrency": 10_000,
    }
    if placement.bundles:
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        group = placement_group(list(placement.bundles), strategy="PACK", name=f"{spec.pool}-{replica}")
        options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(
            group, placement_group_bundle_index=0, placement_group_capture_child_tasks=True
        )
    return ray.remote(EngineActor).options(**options).remote(spec, replica)


def _all_ready(actors: list[Any], config: EngineConfig) -> list[EngineInfo]:
    """Waits for every actor's engine; the first that cannot be started ends the wait."""
    import ray

    waiting = {actor.ready.remote(): number for number, actor in enumerate(actors)}
    infos: dict[int, EngineInfo] = {}
    deadline = time.monotonic() + START_LIMIT_S
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=max(0.0, deadline - time.monotonic()))
        if not done:
            raise EngineError(
                f"{len(waiting)} of {len(actors)} engines were not ready within {START_LIMIT_S:g} s",
                cause="the cluster never had room for them, or loading hangs",
                remedy=f"look at `ray status`; engine.replicas is {config.replicas}",
            )
        number = waiting.pop(done[0])
        try:
            outcome = ray.get(done[0])
        except ray.exceptions.RayError as error:
            outcome = EngineLost(
                f"the actor of engine {number} died while it started: {str(error).splitlines()[0]}",
                cause="the machine ran out of memory, or the process was killed",
                remedy="give engines more memory, or lower engine.replicas and engine.kv_cache_gib",
            )
        if isinstance(outcome, EngineLost):
            raise EngineError(outcome.what, cause=outcome.cause, remedy=outcome.remedy)
        infos[number] = outcome
    return [infos[number] for number in range(len(actors))]


async def _until_ready(actor: Any) -> EngineLost | None:
    """Waits for a replacement to be ready: None then, else why there is none."""
    from ray.exceptions import RayActorError

    lost = EngineLost("the engine did not come back")
    failed_starts, pause = 0, PAUSE_S
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and failed_starts < REVIVAL_TRIES:
        await asyncio.sleep(pause)
        pause = min(PAUSE_CAP_S, pause * 1.5)
        try:
            outcome = await actor.ready.remote()
        except RayActorError as error:
            lost = _lost_actor(error)
            continue
        if not isinstance(outcome, EngineLost):
            return None
        if outcome != lost:  # the old process still says why it is leaving
            lost = outcome
        failed_starts += 1
    return lost


def _lost_actor(error: Any) -> EngineLost:
    return EngineLost(
        f"an engine actor died: {str(error).splitlines()[0]}",
        cause="its process was killed (out of memory, or somebody), or its node went away",
        remedy="committed work is kept, run again; give engines more memory if it comes back",
    )


def _noted_starts(pool: str) -> list[tuple[EngineStart, bytes]]:
    from ray.experimental import internal_kv

    noted = []
    for key in internal_kv._internal_kv_list(f"{STARTS_KEY}{pool}:"):
        if (value := internal_kv._internal_kv_get(key)) is not None:
            noted.append((EngineStart(**orjson.loads(value)), key))
    return noted


def _forget_starts(pool: str) -> None:
    from ray.experimental import internal_kv

    internal_kv._internal_kv_del(f"{STARTS_KEY}{pool}:", del_by_prefix=True)
