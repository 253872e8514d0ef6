"""Units through Ray Data: a streaming pipeline over a step's pending units.

Design (docs/decisions/0001): a unit travels as one row holding one binary payload, which Ray Data can
neither split nor merge. Work steps are one fused stage. LLM steps are three: prepare (CPU tasks), ask (one
asynchronous actor that only calls the engine pool, with a bounded number of units open), settle and commit
(CPU tasks); Ray Data's backpressure streams units through them, so reading, generating and writing overlap.
The driver receives one receipt a unit. An attempt that outlived its deadline comes back uncommitted and is
done again, at most `PASSES` times.

Cost: a few milliseconds of scheduling a unit and stage (docs/benchmarks.md, `pipeline`).
"""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

from factory.engine.pool import EnginePool
from factory.errors import FactoryError, StoreError
from factory.run import llm
from factory.run.attempt import Attempt, Receipt, StepRun, begin, finish
from factory.run.step import LlmStep, WorkStep
from factory.run.units import Unit
from factory.store.base import Store

Item = TypeVar("Item")
Result = TypeVar("Result")

PASSES = 3
"""Times a unit whose attempts keep missing their deadline is tried before the run stops and says so."""

PAYLOAD = "payload"


@dataclass(frozen=True)
class WorkTask:
    """One unit of a step without a model, from reading to commit."""

    store: Store
    step: WorkStep
    run: StepRun

    def __call__(self, block: pa.Table) -> pa.Table:
        unit: Unit = _load(block)
        attempt = begin(self.store, self.run, unit, {})
        return _pack(finish(self.store, self.run, attempt, self.step.work(self.store, unit)))


@dataclass(frozen=True)
class PrepareTask:
    """Reads a unit and renders its prompts."""

    store: Store
    step: LlmStep
    run: StepRun

    def __call__(self, block: pa.Table) -> pa.Table:
        unit: Unit = _load(block)
        prepared = llm.prepare(self.store, self.step, self.run.folder, unit)
        attempt = begin(self.store, self.run, unit, {"requests": len(prepared.requests)})
        return _pack((attempt, prepared))


class AskEngine:
    """Sends a unit's requests to the engine pool; an asynchronous actor so that many units are open at once."""

    def __init__(self, pool: EnginePool, step: LlmStep, run: StepRun) -> None:
        self._pool, self._step, self._run = pool, step, run

    async def __call__(self, block: pa.Table) -> AsyncIterator[pa.Table]:
        attempt, prepared = _load(block)
        answers = await llm.ask(self._step, self._run.folder, prepared, self._pool.generate)
        yield _pack((attempt, prepared, answers))


@dataclass(frozen=True)
class SettleTask:
    """Parses completions, checks conservation and commits."""

    store: Store
    step: LlmStep
    run: StepRun
    engine: dict[str, Any]

    def __call__(self, block: pa.Table) -> pa.Table:
        loaded: tuple[Attempt, llm.Prepared, llm.Answers] = _load(block)
        attempt, prepared, answers = loaded
        result, requests = llm.settle(self.step, self.run.folder, prepared, answers)
        return _pack(finish(self.store, self.run, attempt, result, requests, self.engine))


def run_work(store: Store, step: WorkStep, run: StepRun, units: Sequence[Unit]) -> Iterator[Receipt]:
    """Works `units`; yields receipts as they commit. Raises the FactoryError a unit raised."""

    def pipeline(pending: Sequence[Unit]) -> Any:
        return _dataset(pending).map_batches(WorkTask(store, step, run), **_STAGE)

    return _until_committed(pipeline, units, run)


def run_llm(
    store: Store,
    step: LlmStep,
    run: StepRun,
    units: Sequence[Unit],
    pool: EnginePool,
    engine: dict[str, Any],
    units_in_flight: int,
) -> Iterator[Receipt]:
    """Works `units` through the engine pool with at most `units_in_flight` open; yields receipts."""
    import ray

    def pipeline(pending: Sequence[Unit]) -> Any:
        return (
            _dataset(pending)
            .map_batches(PrepareTask(store, step, run), **_STAGE)
            .map_batches(
                AskEngine,
                fn_constructor_args=(pool, step, run),
                batch_size=1,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(
                    size=1,
                    max_tasks_in_flight_per_actor=units_in_flight,
                    max_concurrent_calls_per_actor=units_in_flight,
                ),
                num_cpus=0,
            )
            .map_batches(SettleTask(store, step, run, engine), **_STAGE)
        )

    return _until_committed(pipeline, units, run)


def on_worker(call: Callable[[], Result]) -> Result:
    """What `call` returns, called in a task: its memory is a worker's, not the driver's. Raises the
    FactoryError that `call` raised."""
    import ray

    try:
        result: Result = ray.get(ray.remote(_called).remote(call))
    except Exception as error:
        raise _own_error(error) from error
    return result


def each_on_worker(apply: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`apply` over `items`, each in a task of its own; results in the order of the items."""
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
        for receipt in _receipts(pipeline(pending)):
            yield receipt
            if receipt.commit is None:
                late.add(receipt.unit)
        pending = [unit for unit in pending if unit.unit_id in late]
    if pending:
        raise StoreError(
            f"{run.folder}: {len(pending)} units did not commit within {run.deadline_s:.0f} s in {PASSES} tries",
            cause="units are too large for this engine, or the store is very slow",
            remedy="raise cluster.attempt_deadline_s, or lower select.unit_rows and curate.unit_rows",
        )


def _receipts(dataset: Any) -> Iterator[Receipt]:
    try:
        for block in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for payload in block.column(PAYLOAD):
                yield pickle.loads(payload.as_py())
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


def _dataset(units: Sequence[Unit]) -> Any:
    import ray

    rows = [{PAYLOAD: pickle.dumps(unit)} for unit in units]
    return ray.data.from_items(rows, override_num_blocks=len(rows))


def _load(block: pa.Table) -> Any:
    return pickle.loads(block.column(PAYLOAD)[0].as_py())


def _pack(value: Any) -> pa.Table:
    return pa.table({PAYLOAD: pa.array([pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)], pa.large_binary())})
