"""Units through Ray Data: a streaming pipeline over a step's pending units.

Design (docs/decisions/0001): a unit travels in one row holding one binary payload, which Ray Data can
neither split nor merge, and is worked in one task from reading to commit (small units of a step without a
model share tasks, each with its own commit, and so do those of a step with very many). An LLM step has a bounded
number of such tasks, which reserve no core: most of the time they wait for the engine, while others read and write.
So exactly that many units are begun and not committed, and a deadline never runs while a unit queues. The driver
receives one receipt a unit. A unit that is committed when its turn comes is not begun: Ray runs a task that was lost
again, from its first unit, also when it was lost after a commit. An attempt that outlived its deadline comes back
uncommitted and is done again, at most `PASSES` times.

Three stages (prepare, an asynchronous actor that asks, settle) took 1.4 to 1.8 times the processor time of
one, 2.5 s of it an actor started for every step, and began every unit of a step at once.
"""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

from factory.engine.pool import EnginePool
from factory.errors import FactoryError, StoreError
from factory.observe.watch import Watch
from factory.run import llm
from factory.run.attempt import Receipt, StepRun, begin, committed_before, finish
from factory.run.drain import leave_here, under_way
from factory.run.processes import current
from factory.run.step import LlmStep, WorkStep
from factory.run.units import Unit
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import absent

Item = TypeVar("Item")
Result = TypeVar("Result")

PASSES = 3
"""Times a unit whose attempts keep missing their deadline is tried before the run stops and says so."""

UNITS_A_TASK = 8
"""Small units of a step without a model that one task works. Ray Data costs 20-30 ms a task, as much as such a
unit's own work: one at a time, curate, sketch and samples kept 1.2 of two cores busy."""

TASKS_A_CORE = 4
"""Tasks a core at least, before units share one: the last of them must not leave the other cores waiting."""

TASKS_AT_MOST = 2000
"""Tasks of a pass. Ray Data keeps a block of each in the driver from the first moment to the last, whatever its units
are; with more units, tasks have several, one after another."""

PAYLOAD = "payload"


@dataclass(frozen=True)
class WorkTask:
    """Units of a step without a model, one after another, each from reading to its own commit."""

    store: Store
    step: WorkStep
    run: StepRun

    def __call__(self, block: pa.Table) -> pa.Table:
        return _outcome(lambda: [_unless_leaving(self.run, unit, self.committed) for unit in _load(block)])

    def committed(self, unit: Unit) -> Receipt:
        """The receipt of a unit, worked here unless somebody has committed it since it was planned."""
        if (before := committed_before(self.store, self.run, unit)) is not None:
            return before
        with Watch(self.run, unit) as watch:
            attempt = watch.begun(begin(self.store, self.run, unit, {}))
            result = watch("work", self.step.work, self.store, unit)
            return watch.ended(watch("commit", finish, self.store, self.run, attempt, result))


@dataclass(frozen=True)
class LlmTask:
    """Units of an LLM step, one after another, each from reading to its own commit. Waiting for the engine takes no
    core."""

    store: Store
    step: LlmStep
    run: StepRun
    pool: EnginePool
    engine: dict[str, Any]

    def __call__(self, block: pa.Table) -> pa.Table:
        return _outcome(lambda: [_unless_leaving(self.run, unit, self.committed) for unit in _load(block)])

    def committed(self, unit: Unit) -> Receipt:
        """The receipt of a unit, worked here unless somebody has committed it since it was planned."""
        if (before := committed_before(self.store, self.run, unit)) is not None:
            return before
        folder = self.run.folder
        with Watch(self.run, unit) as watch:
            prepared = watch("read", llm.prepare, self.store, self.step, folder, unit)
            attempt = watch.begun(begin(self.store, self.run, unit, {"requests": len(prepared.requests)}))
            # A handle of its own: what a pool knows of lost engines belongs to the event loop it was used in.
            generate = watch.asking(copy.copy(self.pool).generate)
            answers = asyncio.run(llm.ask(self.step, folder, prepared, generate))
            result, requests = watch("parse", llm.settle, self.step, folder, prepared, answers)
            return watch.ended(watch("commit", finish, self.store, self.run, attempt, result, requests, self.engine))


def _unless_leaving(run: StepRun, unit: Unit, work: Callable[[Unit], Receipt]) -> Receipt:
    with under_way(run.folder, unit.unit_id) as may_begin:
        return work(unit) if may_begin else Receipt(unit.unit_id, "", None, begun=False)


def run_work(store: Store, step: WorkStep, run: StepRun, units: Sequence[Unit]) -> Iterator[Receipt]:
    """Works `units`; yields receipts as they commit. Raises the FactoryError a unit raised."""

    import ray

    tasks_at_least = TASKS_A_CORE * int(ray.cluster_resources().get("CPU", 1))

    def pipeline(pending: Sequence[Unit]) -> Any:
        units_a_task = max(1, min(UNITS_A_TASK, len(pending) // tasks_at_least)) if _are_small(pending) else 1
        return _dataset(pending, units_a_task).map_batches(WorkTask(store, step, run), **_STAGE)

    return _until_committed(pipeline, units, run)


def run_llm(
    store: Store,
    step: LlmStep,
    run: StepRun,
    units: Sequence[Unit],
    pool: EnginePool,
    engine: dict[str, Any],
    units_in_flight: int,
    slots: int | None = None,
    adaptive: bool = False,
) -> Iterator[Receipt]:
    """Works `units`, largest first, with at most `units_in_flight` of them begun and not committed; yields receipts.
    `adaptive`: with as many as the engines have use for (window.py), each of which runs `slots` requests at once."""
    import ray

    from factory.run.window import opened, window_of

    def pipeline(pending: Sequence[Unit]) -> Any:
        task = LlmTask(store, step, run, pool, engine)
        size = ray.data.TaskPoolStrategy(size=min(units_in_flight, len(pending)))
        return _dataset(largest_first(pending), 1).map_batches(task, compute=size, num_cpus=0, **_STAGE)

    if not adaptive or slots is None:
        yield from _until_committed(pipeline, units, run)
        return
    rows = sum(unit.rows or 0 for unit in units) / max(1, len(units))
    there = (pool.pressure().slots or 0) // slots  # others may have yet to come (engine.min_replicas)
    with opened(window_of(units_in_flight, max(1, there), slots, rows), pool.pressure):
        yield from _until_committed(pipeline, units, run)


def largest_first(units: Sequence[Unit]) -> list[Unit]:
    """Units in the order in which they are begun: what takes longest must not begin last. Equal ones keep their order,
    in which neighbours are of one source and share prefixes more often."""
    return sorted(units, key=lambda unit: -(unit.rows or 0))


def on_worker(call: Callable[[], Result]) -> Result:
    """What `call` returns, called in a task: its memory is a worker's, not the driver's. Raises the
    FactoryError that `call` raised."""
    if (workers := current()) is not None:
        return workers.call(call)
    import ray

    try:
        result: Result = ray.get(ray.remote(_called).remote(call))
    except Exception as error:
        raise _own_error(error) from error
    return result


def each_on_worker(apply: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`apply` over `items`, each in a task of its own; results in the order of the items."""
    if (workers := current()) is not None:
        return workers.each(apply, items)
    import ray

    task = ray.remote(_applied)
    try:
        results: list[Result] = ray.get([task.remote(apply, item) for item in items])
    except Exception as error:
        raise _own_error(error) from error
    return results


def _called(call: Callable[[], Result]) -> Result:
    return call()


def _applied(apply: Callable[[Item], Result], item: Item) -> Result:
    return apply(item)


_STAGE: dict[str, Any] = {"batch_size": 1, "batch_format": "pyarrow", "zero_copy_batch": True}


def _until_committed(
    pipeline: Callable[[Sequence[Unit]], Any], units: Sequence[Unit], run: StepRun
) -> Iterator[Receipt]:
    pending = list(units)
    for _ in range(PASSES):
        if not pending:
            return
        late: set[str] = set()
        leaving = False
        for receipt in _receipts(pipeline(pending)):
            if not receipt.begun:
                leaving = True
                continue
            yield receipt
            if receipt.commit is None:
                late.add(receipt.unit)
        if leaving:
            leave_here()
        pending = [unit for unit in pending if unit.unit_id in late]
    if pending:
        raise too_late(run, len(pending))


def too_late(run: StepRun, units: int) -> StoreError:
    return StoreError(
        f"{run.folder}: {units} units did not commit within {run.deadline_s:.0f} s in {PASSES} tries",
        cause="units are too large for this engine, or the store is very slow",
        remedy="raise cluster.attempt_deadline_s, or lower select.unit_rows and curate.unit_rows",
    )


def _receipts(dataset: Any) -> Iterator[Receipt]:
    try:
        for block in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for payload in block.column(PAYLOAD):
                outcome = pickle.loads(payload.as_py())
                if isinstance(outcome, FactoryError):
                    raise outcome
                yield from outcome
    except Exception as error:
        raise _own_error(error) from error


def _own_error(error: BaseException) -> BaseException:
    """The FactoryError inside Ray's wrappers, so that users read its message and not a stack of proxies."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        if isinstance(current, FactoryError):
            if type(current).__module__ == "factory.errors":
                return current
            # Ray raises a class made of ours and its own RayTaskError; `cause` holds the plain one
        seen.add(id(current))
        cause = getattr(current, "cause", None)
        current = cause if isinstance(cause, BaseException) else current.__cause__ or current.__context__
    return error


def _are_small(units: Sequence[Unit]) -> bool:
    """Whether units are some hundred rows of a committed file, not a source range or everything at once."""
    return all(unit.file is not None for unit in units)


def _dataset(units: Sequence[Unit], units_a_task: int) -> Any:
    """One row a task: the pickled tuple of its units."""
    import ray

    rows = [{PAYLOAD: pickle.dumps(task)} for task in shared_out(units, units_a_task)]
    return ray.data.from_items(rows, override_num_blocks=len(rows))


def shared_out(units: Sequence[Unit], units_a_task: int) -> list[tuple[Unit, ...]]:
    """The units by task, in their order: `units_a_task` each, and where that were more than TASKS_AT_MOST tasks, larger
    ones first: the last tasks stay small, so that at the end of a step no slot waits long for another."""
    small = TASKS_AT_MOST // 2
    rest = len(units) - small * units_a_task
    sizes = [units_a_task]
    if len(units) > TASKS_AT_MOST * units_a_task:
        sizes = [rest * (task + 1) // small - rest * task // small for task in range(small)] + sizes
    tasks: list[tuple[Unit, ...]] = []
    start = 0
    while start < len(units):
        size = sizes[min(len(tasks), len(sizes) - 1)]
        tasks.append(tuple(units[start : start + size]))
        start += size
    return tasks


def _load(block: pa.Table) -> tuple[Unit, ...]:
    units: tuple[Unit, ...] = pickle.loads(block.column(PAYLOAD)[0].as_py())
    return units


def _outcome(work: Callable[[], list[Receipt]]) -> pa.Table:
    """A task's receipts, or the FactoryError that ended it, as its result: raised through Ray Data, an error
    arrives as text inside two others, and users read a hundred lines of stack."""
    try:
        return _pack(work())
    except FactoryError as error:
        return _pack(error)
    except AbsentObjectError as error:
        return _pack(absent(error))


def _pack(value: Any) -> pa.Table:
    return pa.table({PAYLOAD: pa.array([pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)], pa.large_binary())})
