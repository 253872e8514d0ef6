"""One engine inside a Ray actor: the half of the pool that runs beside the model.

Design: an asynchronous actor, so that many batches are in the engine at once. A batch that the engine could
not finish is answered with `EngineLost`, not an exception: it carries the reason through Ray unwrapped.
After that the process leaves, and Ray starts the actor again, with a fresh engine, wherever there is room.
A watchdog looks at the engine's progress, not at whether it answers: under load and without a new token for
`stall_s` it counts as hung, and the process leaves likewise, and takes its children with it: an engine core
that is stopped answers no signal but SIGKILL, and would keep its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from dataclasses import dataclass
from typing import Any

from factory.engine.api import Batch, Completion, EngineInfo
from factory.engine.build import WatchedEngine, build_engine
from factory.engine.config import EngineConfig
from factory.engine.lost import EngineBusy, EngineLost, lost_by
from factory.engine.models import ResolvedModel
from factory.engine.start_notes import note_start
from factory.engine.use import Hardware, UseMeter, hardware_of
from factory.observe.config import UNOBSERVED, OnWorkers
from factory.observe.logs import Level, write

NAMESPACE = "factory"

GOODBYE_S = 0.2
"""Between the last answers and the end of the process, so that they reach their callers."""

STOP_LIMIT_S = 15.0


@dataclass(frozen=True)
class EngineSpec:
    """All that is needed to build the same engine again on another machine."""

    pool: str
    config: EngineConfig
    model: ResolvedModel
    max_model_len: int
    dtype: str
    seed: int
    stall_s: float
    run: str = ""
    observed: OnWorkers = UNOBSERVED


@dataclass(frozen=True)
class ReplicaState:
    """A look into a live replica; `open_requests` are in the engine now, `progress` is the engine's counter."""

    replica: int
    host: str
    pid: int
    open_requests: int
    progress: int
    open_batches: int = 0


class EngineActor:
    def __init__(self, spec: EngineSpec, replica: int) -> None:
        self._spec, self._replica = spec, replica
        self._engine: WatchedEngine | None = None
        self._info: EngineInfo | None = None
        self._lost: EngineLost | None = None
        self._starting = asyncio.Lock()
        self._open = self._batches = 0
        self._watchdog: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._replacement = False
        self._warden: Any = None
        self._meter = UseMeter()

    async def ready(self) -> EngineInfo | EngineLost:
        """Starts the engine, once; answers when it is ready or could not be started."""
        async with self._starting:
            if self._lost is not None:
                return self._lost
            if self._info is None:
                await self._placed()
                started = time.monotonic()
                self._event("engine_starting")
                try:
                    spec = self._spec
                    self._meter.hardware = self._hardware()
                    self._engine = build_engine(spec.config, spec.model, spec.max_model_len, spec.dtype, spec.seed)
                    self._info = await self._engine.start()
                except Exception as error:
                    return self._leave(lost_by(error))
                seconds = time.monotonic() - started
                self._replacement = self._note(seconds)
                self._event("engine_ready", seconds=round(seconds, 3), replacement=self._replacement)
                self._watchdog = asyncio.create_task(self._watch(self._engine))
            return self._info

    async def _placed(self) -> None:
        """Waits until all that the engine's resources lie on is there."""
        await _group_is_whole()

    def _hardware(self) -> Hardware:
        return hardware_of(self._spec.config)

    async def _note_now_and_then(self) -> None:
        if self._meter.note_is_due:
            with contextlib.suppress(Exception):  # a head that is gone must not end the watch, nor hold up answers
                await self.note_use()

    def _note(self, seconds: float) -> bool:
        """Notes a start of so many seconds; whether another engine ran in this replica before."""
        return note_start(self._spec.pool, self._replica, seconds).replacement

    async def generate(self, batch: Batch, trial: bool = False) -> list[Completion] | EngineLost | EngineBusy:
        """`trial`: asked for by the warden; nothing else is taken while a hunt is on in this replica."""
        ready = await self.ready()
        if isinstance(ready, EngineLost):
            return ready
        if self._replacement and not trial and await self._hunted():
            return EngineBusy()
        assert self._engine is not None
        self._open += len(batch.requests)
        self._batches += 1
        opened = self._meter.begin(len(batch.requests))
        busy: float | None = None
        try:
            work = asyncio.ensure_future(self._engine.generate(batch))
            while self._lost is None:
                done, _ = await asyncio.wait([work], timeout=1.0)
                if done:
                    completions = work.result()
                    busy = self._meter.end(opened)
                    return self._meter.answered(opened, busy, completions)
            work.cancel()
            return self._lost
        except Exception as error:
            return self._leave(lost_by(error))
        finally:
            self._open -= len(batch.requests)
            self._batches -= 1
            if busy is None:
                self._meter.end(opened)

    async def _hunted(self) -> bool:
        import ray

        self._warden = self._warden or ray.get_actor(warden_name(self._spec.pool), NAMESPACE)
        found: bool = await self._warden.hunting.remote(self._replica)
        self._replacement = found  # once a hunt is over, the next one begins with the end of this process
        return found

    async def state(self) -> ReplicaState:
        progress = self._engine.progress() if self._engine is not None else 0
        return ReplicaState(self._replica, socket.gethostname(), os.getpid(), self._open, progress, self._batches)

    async def metrics(self) -> str:
        """What vLLM has counted, where it counts (factory/observe/forwarded.py)."""
        from factory.observe.forwarded import exposition

        return exposition() if self._spec.config.kind == "vllm" else ""

    def _event(self, name: str, level: Level = "info", **fields: Any) -> None:
        if self._spec.observed.json_logs:
            about = {"run": self._spec.run, "model": self._spec.model.id, "replica": self._replica}
            write(name, level, **about, pid=os.getpid(), **fields)

    async def note_use(self) -> None:
        """Leaves what this replica was used for where the run reads it."""
        await asyncio.to_thread(self._meter.note(self._spec.pool, self._replica))

    async def stop(self) -> None:
        """Ends the engine and its processes; the actor can then be killed without leaving any behind."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self._engine is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._engine.stop(), STOP_LIMIT_S)

    def _leave(self, lost: EngineLost) -> EngineLost:
        """From here on every batch is lost; the process ends and Ray starts the actor again."""
        if self._lost is None:
            self._lost = lost
            self._event("engine_lost", "error", message=lost.what, cause=lost.cause, death=lost.death)
            self._leaving = asyncio.create_task(self._exit())
        return self._lost

    async def _exit(self) -> None:
        if self._lost is not None and self._lost.death == "hang":
            end_children()  # the engine would wait 15 s for a process that is stopped
        await self.stop()
        await asyncio.sleep(GOODBYE_S)
        end_children()
        os._exit(1)  # not ray.actor.exit_actor: Ray restarts only actors that end without meaning to

    async def _watch(self, engine: WatchedEngine) -> None:
        seen, since = engine.progress(), time.monotonic()
        while True:
            await asyncio.sleep(min(1.0, self._spec.stall_s / 4))
            await self._note_now_and_then()
            if (now := engine.progress()) != seen or not self._open:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > self._spec.stall_s:
                self._leave(
                    EngineLost(
                        f"the engine made no progress for {self._spec.stall_s:g} s with {self._open} requests open",
                        cause="it hangs, or one request takes longer than that without a token",
                        remedy="raise engine.timeout_s if the model is that slow",
                        death="hang",
                    )
                )
                return


def warden_name(pool: str) -> str:
    return f"{pool}-warden"


async def _group_is_whole() -> None:
    """Waits until every bundle of this actor's placement group has a node: one that lost a node is given others, while
    the actor in its first bundle starts again already."""
    import ray

    group = ray.util.get_current_placement_group()
    if group is not None:
        await group.ready()


def end_children() -> None:
    """SIGKILL to every process below this one."""
    import psutil  # type: ignore[import-untyped]

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
