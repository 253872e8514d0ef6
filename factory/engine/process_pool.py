"""The engines of one model without Ray: processes of this machine, behind the same handle as a pool of actors.

Design: `EnginePool` asks its actors and its warden by `actor.method.remote(…)` and awaits the answer; here these are
objects of one event loop, in a thread of its own, and `remote` hands a call over to it. So what becomes of lost
engines, of prompts that kill them and of what a run may lose is the pool's own code, unchanged. On GPUs each replica
sees the `engine.tensor_parallel` x `engine.pipeline_parallel` devices that are its own, on CPUs all share the cores.

Cost: the engines' own start, side by side; a call adds two hops between threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any

from factory.engine.actor import EngineSpec, ReplicaState
from factory.engine.api import EngineInfo
from factory.engine.build import allowance_of, longest_silence_s, slots_of
from factory.engine.config import EngineConfig
from factory.engine.lost import EngineLost, lost_at_start
from factory.engine.models import ResolvedModel
from factory.engine.pool import EnginePool
from factory.engine.replica_process import GPU_VARIABLE, STOP_S, ReplicaProcess, visible_gpus
from factory.engine.start_notes import PoolStarts
from factory.engine.use import ReplicaUse
from factory.engine.warden import Warden
from factory.errors import ConfigError

LOOK_S = 5.0


def start_process_pool(config: EngineConfig, model: ResolvedModel, *, seed: int, run: str = "run") -> ProcessPool:
    """Starts `config.replicas` engines of `model` side by side and waits until all are ready.

    Raises ConfigError when this machine has too few GPUs for them and EngineError (with cause and remedy) when one
    cannot be started; then none is left running.
    """
    environments = devices_of(config, visible_gpus())
    max_model_len, dtype = model.config.max_model_len, model.config.dtype
    spec = EngineSpec(run, config, model, max_model_len, dtype, seed, stall_s=longest_silence_s(config))
    loop = _Loop()
    warden = Warden(allowance_of(config), replicas=config.replicas, slots=slots_of(config))
    replicas = [ReplicaProcess(spec, number, each, warden) for number, each in enumerate(environments)]
    try:
        infos = loop.run(_all_ready(replicas)).result()
    except BaseException:
        _stop(loop, replicas)
        raise
    return ProcessPool(run, replicas, warden, infos[0], loop)


def devices_of(config: EngineConfig, gpus: list[str]) -> list[dict[str, str]]:
    """What each replica's process has in its environment. Raises ConfigError where there are too few GPUs."""
    if config.kind != "vllm" or not gpus:
        return [{} for _ in range(config.replicas)]
    world = config.tensor_parallel * config.pipeline_parallel
    if world * config.replicas > len(gpus):
        raise ConfigError(
            f"{config.replicas} replicas of {world} GPUs need {world * config.replicas}, this machine has {len(gpus)}",
            cause="engine.replicas x engine.tensor_parallel x engine.pipeline_parallel counts GPUs of one machine or "
            "pod where cluster.executor=processes",
            remedy="lower one of them, ask for more GPUs a pod, or use a Ray cluster for engines that span machines",
        )
    return [{GPU_VARIABLE: ",".join(gpus[number * world : (number + 1) * world])} for number in range(config.replicas)]


async def _all_ready(replicas: list[ReplicaProcess]) -> list[EngineInfo]:
    """Waits for every engine; the first that cannot be started ends the wait."""
    from ray.exceptions import RayError

    waiting = {asyncio.ensure_future(replica.ready()): number for number, replica in enumerate(replicas)}
    infos: dict[int, EngineInfo] = {}
    while len(infos) < len(replicas):
        left = [task for task, number in waiting.items() if number not in infos]
        done, _ = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            number = waiting[task]
            try:
                outcome = task.result()
            except RayError as error:
                outcome = lost_at_start(number, error)
            if isinstance(outcome, EngineLost):
                raise outcome.as_error()
            infos[number] = outcome
    return [infos[number] for number in range(len(replicas))]


class ProcessPool(EnginePool):
    """A pool whose engines are processes below this one. Does not pickle: it is used in this process alone."""

    def __init__(
        self, name: str, replicas: list[ReplicaProcess], warden: Warden, info: EngineInfo, loop: _Loop
    ) -> None:
        super().__init__(name, [_Remote(loop, each) for each in replicas], _Remote(loop, warden), info)
        self._processes, self._own_loop = replicas, loop
        self._used: dict[tuple[int, int], ReplicaUse] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "processes": self._processes, "own_loop": self._own_loop, "used": self._used}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._processes, self._own_loop, self._used = state["processes"], state["own_loop"], state["used"]

    def use(self, ask: bool = True) -> list[ReplicaUse]:
        """What each process was used for when it was last asked; `ask`: those that answer within 5 s say it now."""
        if self._stopped is not None:
            return []
        for found in self._answers(each.use() for each in self._processes) if ask else ():
            if found is not None:
                self._used[found.replica, found.pid] = found
        return [self._used[key] for key in sorted(self._used)]

    def states(self, at_most: int | None = None) -> list[ReplicaState]:
        """A look into every replica, or the first `at_most`, that answers within 5 s."""
        if self._stopped is not None:
            return []
        return self._answers(each.state() for each in self._processes[:at_most])

    def _answers(self, calls: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Those that come within LOOK_S from processes that live, in the order of the calls."""
        from ray.exceptions import RayError

        asked = [self._own_loop.run(each) for each in calls]
        answered, _ = wait(asked, LOOK_S)
        return [each.result() for each in asked if each in answered and not isinstance(each.exception(), RayError)]

    def metrics(self, at_most: int | None = None) -> dict[int, str]:
        """Nothing: what vLLM counts in processes of this executor is not forwarded."""
        return {}

    def starts(self) -> PoolStarts:
        """Engine starts so far, also of engines that are gone."""
        first = sum(1 for each in self._processes if each.starts)
        again = sum(len(each.starts) for each in self._processes) - first
        return PoolStarts(first, again, round(sum(sum(each.starts) for each in self._processes), 3))

    def stop(self) -> None:
        """Ends engines and processes. Safe to call twice."""
        if self._stopped is None:
            self._stopped = self.starts()
            _stop(self._own_loop, self._processes)


def _stop(loop: _Loop, replicas: list[ReplicaProcess]) -> None:
    stopping = [loop.run(each.stop()) for each in replicas]
    for each in stopping:
        with suppress(Exception):  # nobody is left to whom it could matter how a process ended
            each.result(2 * STOP_S)
    loop.close()


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, name="engines", daemon=True).start()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(_all_cancelled())
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


async def _all_cancelled() -> None:
    """The warden deals for as long as its loop runs, and so may others."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class _Remote:
    """`remote.method.remote(…)` calls a method of an object that lives in another event loop; to be awaited."""

    def __init__(self, loop: _Loop, target: Any) -> None:
        self._loop, self._target = loop, target

    def __getattr__(self, name: str) -> _Method:
        return _Method(self._loop, getattr(self._target, name))


class _Method:
    def __init__(self, loop: _Loop, method: Any) -> None:
        self._loop, self._method = loop, method

    def remote(self, *arguments: Any) -> asyncio.Future[Any]:
        return asyncio.wrap_future(self._loop.run(self._method(*arguments)))
