"""What a run tells those who observe it, and how it is kept from being hurt by them.

Design: the driver gets a receipt of every unit anyway; observers listen there. A listener that raises is told about
once and not asked again: a run never fails for being watched. Nothing here knows metrics, logs or traces.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from factory.observe.config import UNOBSERVED, OnWorkers

if TYPE_CHECKING:
    from factory.engine.pool import EnginePool
    from factory.engine.start_notes import PoolStarts
    from factory.run.attempt import Receipt
    from factory.run.ledger import Tally
    from factory.run.plan import Plan
    from factory.store.commits import Counts


@dataclass(frozen=True)
class Since:
    """When the run first took up a step (ISO 8601), whether it has been done before and only grew, and the steps whose
    accepted rows it reads."""

    began: str = ""
    again: bool = False
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Began:
    """A step as this execution takes it up: `reused` of its `units` are committed; `counts`, `ledger` are theirs.
    `planned_at` in seconds since the epoch, `planned_s` how long planning took. `model` and `replicas` of LLM steps."""

    step: str
    folder: str
    units: int
    reused: int
    counts: Counts
    ledger: Mapping[str, float]
    planned_at: float
    planned_s: float
    model: str | None = None
    replicas: int = 0
    since: Since = Since()


class Listener:
    """Somebody who observes a run; does nothing with what it is told."""

    def step_began(self, began: Began) -> None: ...

    def unit(self, began: Began, receipt: Receipt) -> None: ...

    def step_ended(self, done: Mapping[str, Any]) -> None: ...

    def engine_starts(self, model: str, pool: EnginePool, starts: PoolStarts) -> None: ...

    def ended(self, state: str) -> None:
        """The run is finished, failed or interrupted. Engines and Ray may still be there."""

    def closed(self) -> None:
        """Nothing more will come. May take a moment."""


class Engines(Protocol):
    """Who looks into engines while they are there."""

    def watched(self, model: str, pool: EnginePool) -> AbstractContextManager[None]: ...


class Observer:
    """The listeners of one execution."""

    def __init__(
        self,
        listeners: tuple[Listener, ...] = (),
        on_workers: OnWorkers = UNOBSERVED,
        engines: Engines | None = None,
        say: Callable[[str], None] = print,
        leave: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.on_workers = on_workers
        self.engine_metrics = engines is not None
        self._listeners, self._engines, self._say = list(listeners), engines, say
        self._planned = (time.time(), 0.0)
        self._step: Began | None = None
        self._leave: Callable[[str], None] | None = leave

    @contextmanager
    def planning(self) -> Iterator[None]:
        """The body plans a step; the next one that begins is it."""
        began, clock = time.time(), time.monotonic()
        yield
        self._planned = (began, time.monotonic() - clock)

    def step_began(
        self,
        step: str,
        folder: str,
        plan: Plan,
        tally: Tally,
        model: str | None = None,
        replicas: int = 0,
        since: Since = Since(),
    ) -> None:
        """`tally` has what of `plan` is committed."""
        if self._listeners:
            counts, ledger = tally.counts, dict(tally.ledger)
            reused = len(plan.units) - len(plan.pending)
            began = Began(step, folder, len(plan.units), reused, counts, ledger, *self._planned, model, replicas, since)
            self._step = began
            self._each(lambda listener: listener.step_began(began))

    def unit(self, receipt: Receipt) -> None:
        step = self._step
        if step is not None and receipt.begun:  # one that a leaving worker gave back was never worked
            self._each(lambda listener: listener.unit(step, receipt))

    def step_ended(self, done: Mapping[str, Any]) -> None:
        self._step = None
        self._each(lambda listener: listener.step_ended(done))

    def engine_starts(self, model: str, pool: EnginePool, starts: PoolStarts) -> None:
        self._each(lambda listener: listener.engine_starts(model, pool, starts))

    def engine(self, model: str, pool: EnginePool) -> AbstractContextManager[None]:
        """While it is entered, engines of the pool may be looked into."""
        return nullcontext() if self._engines is None else self._engines.watched(model, pool)

    def end(self, state: str) -> None:
        """The run is over and left in `state`; what follows the first call does nothing.

        To be called while Ray is up, where it was started: closing takes seconds, in which Python may come to free what
        Ray has given out, and Ray ends a process that does so after it was shut down.
        """
        leave, self._leave = self._leave, None
        if leave is not None:
            self._each(lambda listener: listener.ended(state))
            self._each(lambda listener: listener.closed())
            leave(state)

    def _each(self, tell: Callable[[Any], None]) -> None:
        for listener in list(self._listeners):
            try:
                tell(listener)
            except Exception as error:
                self._listeners.remove(listener)
                who, why = type(listener).__name__, f"{type(error).__name__}: {error}"
                self._say(f"note: {who} has failed and is left out, the run goes on: {why}")


NOBODY = Observer()
"""For what is worked without being observed; keeps nothing but the last step."""
