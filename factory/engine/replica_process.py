"""One engine in a process of its own, without Ray: the process, and the handle that asks it.

Design: the process runs the very half that a Ray actor runs (actor.py: start, batches side by side, watchdog, leaving
when the engine is lost), reached over a pipe: a call is (number, method, arguments), an answer (number, worked, value),
and None tells it to leave. When the process ends, whatever ended it, all calls that are open fail, and the next one
starts another process: what Ray does for its actors. When its parent ends, the pipe closes, and the process takes the
engine's own children with it. Everything on the parent's side happens in one event loop (process_pool.py).

Cost: starting Python and the engine; then the pickling of a batch, about 10 microseconds a request.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from factory.child_signals import held_back, ignored
from factory.engine.actor import EngineActor, EngineSpec, end_children
from factory.engine.api import Batch, Completion, EngineInfo
from factory.engine.lost import EngineBusy, EngineLost
from factory.engine.use import Hardware, ReplicaUse, on_cores
from factory.engine.warden import Warden

STOP_S = 30.0

GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus() -> list[str]:
    """Numbers or names of the NVIDIA GPUs that this process may use."""
    if GPU_VARIABLE in os.environ:
        return [each.strip() for each in os.environ[GPU_VARIABLE].split(",") if each.strip()]
    return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def ended_error(what: str) -> Exception:
    """What open calls fail with when the process ends; of the kind that a pool takes for a lost actor."""
    from ray.exceptions import RayError

    error: Exception = RayError(what)
    return error


class ReplicaProcess:
    """Handle to replica `number` of a pool; used in one event loop. Methods are those of EngineActor."""

    def __init__(self, spec: EngineSpec, number: int, environment: Mapping[str, str], warden: Warden) -> None:
        self._spec, self._number, self._environment, self._warden = spec, number, dict(environment), warden
        self._process: Any = None
        self._pipe: Connection | None = None
        self._listener: threading.Thread | None = None
        self._open: dict[int, asyncio.Future[Any]] = {}
        self._calls = 0
        self._noted = False
        self._stopped = False
        self.starts: list[float] = []
        """Seconds that each engine took until it was ready."""

    async def ready(self) -> EngineInfo | EngineLost:
        began = time.monotonic()
        outcome: EngineInfo | EngineLost = await self._call("ready")
        if isinstance(outcome, EngineInfo) and not self._noted:
            self._noted = True
            self.starts.append(time.monotonic() - began)
        return outcome

    async def generate(self, batch: Batch, trial: bool = False) -> list[Completion] | EngineLost | EngineBusy:
        if isinstance(found := await self.ready(), EngineLost):
            return found
        if len(self.starts) > 1 and not trial and await self._warden.hunting(self._number):
            return EngineBusy()
        outcome: list[Completion] | EngineLost | EngineBusy = await self._call("generate", batch, True)
        return outcome

    async def state(self) -> Any:
        return await self._call("state")

    async def use(self) -> ReplicaUse | None:
        """What the process that is there now was used for; None where there is none."""
        if self._process is None:
            return None
        found: ReplicaUse = await self._call("use")
        return found

    async def stop(self) -> None:
        """Ends engine and process. Safe to call twice."""
        self._stopped = True
        process, pipe, listener = self._process, self._pipe, self._listener
        if process is None:
            return
        with suppress(Exception):  # one that does not answer is killed below
            await asyncio.wait_for(self._call("stop"), STOP_S)
        if pipe is not None and listener is not None:
            with suppress(OSError):
                pipe.send(None)  # closing it would not reach the process: the listener reads, which holds it open
            await asyncio.to_thread(listener.join, STOP_S)
        if process.is_alive():
            process.kill()

    async def _call(self, method: str, *arguments: Any) -> Any:
        if self._process is None:
            if self._stopped:
                raise ended_error("the engine was stopped")
            self._start()
        self._calls += 1
        number, answer = self._calls, asyncio.get_running_loop().create_future()
        self._open[number] = answer
        pipe = self._pipe
        assert pipe is not None
        try:
            pipe.send((number, method, arguments))
        except (OSError, ValueError):
            self._open.pop(number, None)
            raise ended_error("an engine process ended before it could be asked") from None
        return await answer

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._noted = False
        self._process = context.Process(
            target=serve, args=(theirs, self._spec, self._number, self._environment), name=f"engine-{self._number}"
        )
        with held_back():
            self._process.start()
        theirs.close()
        self._listener = threading.Thread(
            target=self._listen,
            args=(self._pipe, self._process, asyncio.get_running_loop()),
            name="engine-answers",
            daemon=True,
        )
        self._listener.start()

    def _listen(self, pipe: Connection, process: Any, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(OSError, EOFError):
            while True:
                number, worked, value = pipe.recv()
                loop.call_soon_threadsafe(self._answered, number, worked, value)
        process.join()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._gone, process, process.exitcode)

    def _answered(self, number: int, worked: bool, value: Any) -> None:
        answer = self._open.pop(number, None)
        if answer is None or answer.done():
            return
        if worked:
            answer.set_result(value)
        else:
            answer.set_exception(ended_error(str(value)))

    def _gone(self, process: Any, code: int | None) -> None:
        if self._process is not process:
            return
        self._process = self._pipe = None
        waiting, self._open = self._open, {}
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(ended_error(f"its process ended ({how})"))


class _Alone(EngineActor):
    """The half beside the engine where there is no Ray: its parent counts starts and asks the warden."""

    async def _placed(self) -> None: ...

    def _hardware(self) -> Hardware:
        """GPUs as the process was given them (process_pool.devices_of); their kind nobody says here."""
        config, gpus = self._spec.config, visible_gpus()
        return Hardware(float(len(gpus)), "GPU") if config.kind == "vllm" and gpus else on_cores(config)

    async def _note_now_and_then(self) -> None: ...

    async def use(self) -> ReplicaUse:
        return self._meter.use(self._replica)

    def _note(self, seconds: float) -> bool:
        return False


def serve(pipe: Connection, spec: EngineSpec, number: int, environment: Mapping[str, str]) -> None:
    """The process: answers calls until it is sent None or the pipe closes."""
    ignored()  # its parent says when, by the pipe
    os.environ.update(environment)
    asyncio.run(_serve(pipe, _Alone(spec, number)))


async def _serve(pipe: Connection, actor: EngineActor) -> None:
    loop = asyncio.get_running_loop()
    sending = threading.Lock()
    calls: set[asyncio.Task[None]] = set()

    def send(answer: tuple[int, bool, Any]) -> None:
        with sending, suppress(OSError):
            pipe.send(answer)

    async def answer(number: int, method: str, arguments: tuple[Any, ...]) -> None:
        try:
            value = await getattr(actor, method)(*arguments)
        except Exception as error:
            await asyncio.to_thread(send, (number, False, f"{type(error).__name__}: {error}"))
        else:
            await asyncio.to_thread(send, (number, True, value))

    def begin(call: tuple[int, str, tuple[Any, ...]]) -> None:
        task = loop.create_task(answer(*call))
        calls.add(task)
        task.add_done_callback(calls.discard)

    def listen() -> None:
        with suppress(OSError, EOFError):
            while (call := pipe.recv()) is not None:
                loop.call_soon_threadsafe(begin, call)
        # The parent is gone, or done with this engine. Nothing may keep the process then, a stuck loop neither.
        end_children()
        os._exit(0)

    threading.Thread(target=listen, name="calls", daemon=True).start()
    await asyncio.Event().wait()
