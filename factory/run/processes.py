"""Units without Ray: in worker processes of this machine, for a laptop's dry run and for pods of an Indexed Job.

Design: `cluster.executor=processes`. Work without a model goes to a pool of processes, one a core, each a fork of a
server that has imported what they need; units of an LLM step are threads of this process, because they wait for the
engine, which is a process of its own (factory/engine/process_pool.py). What a unit does, from reading to its commit, is
the same code as under Ray (execute.py), and so are its promises. A worker that dies takes its unit along, no more: the
pool is made anew and the unit done again, as often as a late one. Worker processes end with this one, whatever ends it.

Cost: a second or two until the first worker has imported what it needs; then about a millisecond a unit.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Protocol, TypeVar

from factory.child_signals import held_back, ignored
from factory.cluster.config import ClusterConfig
from factory.errors import ClusterError
from factory.run.attempt import Receipt
from factory.run.folding import Folding
from factory.run.units import Unit
from factory.store.base import AbsentObjectError
from factory.store.commit_index import fold
from factory.store.objects import absent

Item = TypeVar("Item")
Result = TypeVar("Result")

PRELOADED = ["pyarrow.parquet", "pandas", "factory.run.execute", "factory.run.steps", "factory.evaluate.report"]

POOL_DEATHS = 3
"""Times the pool may lose a worker during one unit until the run stops and says so."""


def cores(config: ClusterConfig) -> int:
    """Worker processes: cluster.cpus, else the cores that this process may use, as the container's limit has it too."""
    if config.cpus is not None:
        return config.cpus
    here = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        here = min(here, max(1, math.ceil(int(quota) / int(period))))
    return here


class Workers:
    """A pool of processes that is made anew where one of them dies."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._lock = threading.Lock()
        self._starter = ThreadPoolExecutor(1, "starter")
        """Starts workers: Ctrl-C comes to the main thread, and there in the middle of a start it left one unknown."""
        self._pool: ProcessPoolExecutor | None = self._new()

    def _new(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        with held_back():
            forkserver.ensure_running()
        return ProcessPoolExecutor(self.count, mp_context=context, initializer=_begin_worker)

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """What `function` returns, called in a worker. Raises what it raised; ClusterError where workers died of it."""
        for _ in range(POOL_DEATHS):
            pool = self._pool
            if pool is None:
                raise ClusterError("the worker processes have ended", cause="the run is leaving")
            try:
                return self._submitted(pool, function, *arguments).result()
            except BrokenProcessPool:
                self._replace(pool)
        raise ClusterError(
            f"a worker process ended {POOL_DEATHS} times in the middle of its work",
            cause="the kernel ended it when memory ran out (a container's limit counts too), or somebody did",
            remedy="give the machine or pod more memory, or lower cluster.cpus; what is committed is kept",
        )

    def _submitted(self, pool: ProcessPoolExecutor, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        try:
            return self._starter.submit(pool.submit, function, *arguments).result()
        except RuntimeError as error:  # it was replaced by another thread in this moment
            raise BrokenProcessPool(str(error)) from error

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                self._pool = self._new()
                broken.shutdown(wait=False, cancel_futures=True)

    def each(self, apply: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """`apply` over `items`, side by side; results in the order of the items."""

        def work(place: int) -> list[tuple[int, Result]]:
            return [(place, self.call(apply, items[place]))]

        results = dict(in_threads(one_after_another(range(len(items))), work, min(self.count, len(items))))
        return [results[place] for place in range(len(items))]

    def close(self) -> None:
        """Ends the workers, also those at work. What is left of their semaphores would be reported on stderr by
        multiprocessing, because this process ends at once (leaving.py)."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is None:
            return
        self._starter.shutdown(wait=True, cancel_futures=True)
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)
        del pool
        gc.collect()


class Here:
    """What stands for the workers inside one of them: work that hands out work does it itself."""

    count = 1

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        return function(*arguments)

    def each(self, apply: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        return [apply(item) for item in items]


_current: list[Workers | Here] = []


def current() -> Workers | Here | None:
    """The workers of the session that this process is in; None under Ray."""
    return _current[-1] if _current else None


@contextmanager
def process_session(config: ClusterConfig) -> Iterator[Workers]:
    """The body has worker processes; execute.on_worker and the like go to them."""
    workers = Workers(cores(config))
    _current.append(workers)
    try:
        yield workers
    finally:
        _current.remove(workers)
        workers.close()


def _begin_worker() -> None:
    """Ray gives its workers one thread each for the same reason as here: as many workers as cores."""
    ignored()
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    import pyarrow as pa

    pa.set_cpu_count(1)
    _current.append(Here())


def _end_with_parent() -> None:
    """The server that forked this process lives as long as its children do, so its end says nothing: the process that
    asked for them is watched itself."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)


class Task(Protocol):
    """What execute.WorkTask and execute.LlmTask are."""

    def committed(self, unit: Unit) -> Receipt: ...


def in_worker(task: Task, unit: Unit) -> Receipt:
    """A unit's receipt, in a worker process."""
    try:
        return task.committed(unit)
    except AbsentObjectError as error:
        raise absent(error) from error


def one_after_another(items: Iterable[Item]) -> Callable[[], Item | None]:
    """For many threads: gives the next of the items, and None when there are none left."""
    left, lock = iter(items), threading.Lock()

    def take() -> Item | None:
        with lock:
            return next(left, None)

    return take


def in_threads(
    take: Callable[[], Item | None], work: Callable[[Item], Sequence[Result]], threads: int
) -> Iterator[Result]:
    """What `work` gives of all that `take` hands out, as it comes, with at most `threads` at work. The first error ends
    it: it is raised here, and what others are at is left to itself."""
    done: queue.SimpleQueue[Sequence[Result] | BaseException | None] = queue.SimpleQueue()
    over = threading.Event()

    def run() -> None:
        try:
            while not over.is_set() and (item := take()) is not None:
                done.put(work(item))
        except BaseException as error:
            done.put(error)
        finally:
            done.put(None)

    try:
        for number in range(threads):
            threading.Thread(target=run, name=f"unit-{number}", daemon=True).start()
        ended = 0
        while ended < threads:
            found = done.get()
            if found is None:
                ended += 1
            elif isinstance(found, BaseException):
                raise found
            else:
                yield from found
    finally:
        over.set()


@dataclass
class FoldingHere(Folding):
    """Folding in a thread of this process: most of its time it waits for the store."""

    _thread: threading.Thread | None = field(default=None)

    def _start(self) -> None:
        self._thread = threading.Thread(
            target=_fold_quietly, args=(self.store, self.folder, self.at_least), name="fold", daemon=True
        )
        self._thread.start()
        self._tail = 0

    def _is_idle(self) -> bool:
        return self._thread is None or not self._thread.is_alive()

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()


def _fold_quietly(store: Any, folder: str, at_least: int) -> None:
    """One that fails costs nobody more than time (folding.py)."""
    with suppress(Exception):
        fold(store, folder, at_least)
