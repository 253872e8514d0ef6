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

from factory.config import EngineConfig
from factory.engine.api import Batch, Completion, EngineInfo
from factory.engine.build import WatchedEngine, build_engine
from factory.engine.lost import EngineBusy, EngineLost, lost_by
from factory.engine.models import ResolvedModel
from factory.engine.start_notes import note_start

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


@dataclass(frozen=True)
class ReplicaState:
    """A look into a live replica; `open_requests` are in the engine now, `progress` is the engine's counter."""

    replica: int
    host: str
    pid: int
    open_requests: int
    progress: int


class EngineActor:
    def __init__(self, spec: EngineSpec, replica: int) -> None:
        self._spec, self._replica = spec, replica
        self._engine: WatchedEngine | None = None
        self._info: EngineInfo | None = None
        self._lost: EngineLost | None = None
        self._starting = asyncio.Lock()
        self._open = 0
        self._watchdog: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._replacement = False
        self._warden: Any = None

    async def ready(self) -> EngineInfo | EngineLost:
        """Starts the engine, once; answers when it is ready or could not be started."""
        async with self._starting:
            if self._lost is not None:
                return self._lost
            if self._info is None:
                started = time.monotonic()
                try:
                    spec = self._spec
                    self._engine = build_engine(spec.config, spec.model, spec.max_model_len, spec.dtype, spec.seed)
                    self._info = await self._engine.start()
                except Exception as error:
                    return self._leave(lost_by(error))
                note = note_start(self._spec.pool, self._replica, time.monotonic() - started)
                self._replacement = note.replacement
                self._watchdog = asyncio.create_task(self._watch(self._engine))
            return self._info

    async def generate(self, batch: Batch, trial: bool = False) -> list[Completion] | EngineLost | EngineBusy:
        """`trial`: asked for by the warden; nothing else is taken while a hunt is on in this replica."""
        ready = await self.ready()
        if isinstance(ready, EngineLost):
            return ready
        if self._replacement and not trial and await self._hunted():
            return EngineBusy()
        assert self._engine is not None
        self._open += len(batch.requests)
        try:
            work = asyncio.ensure_future(self._engine.generate(batch))
            while self._lost is None:
                done, _ = await asyncio.wait([work], timeout=1.0)
                if done:
                    return work.result()
            work.cancel()
            return self._lost
        except Exception as error:
            return self._leave(lost_by(error))
        finally:
            self._open -= len(batch.requests)

    async def _hunted(self) -> bool:
        import ray

        self._warden = self._warden or ray.get_actor(warden_name(self._spec.pool), NAMESPACE)
        found: bool = await self._warden.hunting.remote(self._replica)
        self._replacement = found  # once a hunt is over, the next one begins with the end of this process
        return found

    async def state(self) -> ReplicaState:
        progress = self._engine.progress() if self._engine is not None else 0
        return ReplicaState(self._replica, socket.gethostname(), os.getpid(), self._open, progress)

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
            self._leaving = asyncio.create_task(self._exit())
        return self._lost

    async def _exit(self) -> None:
        if self._lost is not None and self._lost.death == "hang":
            _end_children()  # the engine would wait 15 s for a process that is stopped
        await self.stop()
        await asyncio.sleep(GOODBYE_S)
        _end_children()
        os._exit(1)  # not ray.actor.exit_actor: Ray restarts only actors that end without meaning to

    async def _watch(self, engine: WatchedEngine) -> None:
        seen, since = engine.progress(), time.monotonic()
        while True:
            await asyncio.sleep(min(1.0, self._spec.stall_s / 4))
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


def _end_children() -> None:
    """SIGKILL to every process below this one."""
    import psutil  # type: ignore[import-untyped]

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
