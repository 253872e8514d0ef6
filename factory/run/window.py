"""How many units of an LLM step are open at once: as many as engines have use for, within a bound.

Design: `engine.units_in_flight` a replica is the most; every open unit is a process, and what a crash can cost. A step
begins with enough of them to fill the slots of the engines that are there, and two for each at least: while one asks,
another is read or committed. Every `LOOK_S` the pool's queue is looked at (engine/places.py). Slots that nothing waits
for are filled at once. Beyond that the window grows while tokens/s do: a step up that brought less than `GAIN` is taken
back. That covers what slots do not tell: an engine whose key-value cache holds fewer sequences than it has slots gives
no more tokens for more units. Where a node has little memory left nothing is added, and where it has less the window
shrinks, as Ray would otherwise end a worker. Engines without known slots get the bound from the beginning.

Ray Data asks `UnitsPolicy` before it starts a task, in the driver; that is the whole of the connection.

Cost: one message in `LOOK_S`, whatever the number of replicas.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ray.data._internal.execution.backpressure_policy import (
    ENABLED_BACKPRESSURE_POLICIES,
    ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY,
    BackpressurePolicy,
)
from ray.data._internal.execution.operators.task_pool_map_operator import TaskPoolMapOperator

from factory.engine.places import Pressure

LOOK_S = 2.0
AT_LEAST = 2
"""Units a replica: one at the engine, one being read, parsed or committed."""

GAIN = 1.03
"""Tokens/s after a step up over those before it: less is within what such a rate varies by."""

JUDGED_S = 20.0
"""How long tokens/s are counted before and after a step up: a few answers a slot at the usual lengths."""

HOLD_S = 120.0
"""After a step up that brought nothing, until another is tried: the work may have changed its shape."""

MEMORY_SHORT, MEMORY_OUT = 0.15, 0.08
"""Shares of a node's memory. Ray ends workers when 0.05 are left."""

WINDOW_KEY = "factory.units_window"


@dataclass
class Window:
    """The number of units that may be open, `limit`, between `least` and `most`. Mutable: one a step, in the driver."""

    least: int
    most: int
    limit: int = 0
    _marks: list[tuple[float, int]] = field(default_factory=list)
    _before: float | None = None
    _tried_from: int = 0
    _grown_at: float = -math.inf
    _held_until: float = -math.inf

    def __post_init__(self) -> None:
        self.limit = min(self.most, max(self.limit, self.least))

    def observe(self, pressure: Pressure, now: float) -> None:
        """One look at the queue, at `now` seconds of any clock that only goes forward."""
        self._marks = [mark for mark in self._marks if now - mark[0] <= 2 * JUDGED_S] + [(now, pressure.tokens)]
        if pressure.slots is None:
            self.limit = self.most
        elif pressure.memory_left < MEMORY_OUT:
            self.limit = max(min(self.least, self.most), self.limit - self._step())
        elif pressure.memory_left < MEMORY_SHORT:
            return
        elif pressure.open + pressure.waiting < pressure.slots:
            self._grow(now)
        elif pressure.waiting == 0:
            self._try(now)

    def _try(self, now: float) -> None:
        """Slots are full and nothing waits: more units if the last ones brought something."""
        if now < self._held_until or now - self._grown_at < JUDGED_S:
            return
        rate = self._rate(now - JUDGED_S, now)
        if rate is None:
            return
        if self._before is not None and rate < GAIN * self._before:
            self._before, self._held_until = None, now + HOLD_S
            self.limit = min(self.limit, self._tried_from)
            return
        self._before, self._tried_from = rate, self.limit
        self._grow(now)

    def _grow(self, now: float) -> None:
        if self.limit < self.most:
            self.limit = min(self.most, self.limit + self._step())
            self._grown_at = now

    def _step(self) -> int:
        return max(1, self.limit // 4)

    def _rate(self, start: float, stop: float) -> float | None:
        """Tokens/s between two moments, None where nobody looked for most of that time."""
        marks = [mark for mark in self._marks if start <= mark[0] <= stop]
        if len(marks) < 2 or marks[-1][0] - marks[0][0] < (stop - start) / 2:
            return None
        return (marks[-1][1] - marks[0][1]) / (marks[-1][0] - marks[0][0])


def window_of(most: int, replicas: int, slots: int | None, rows: float) -> Window:
    """The window of a step with units of `rows` requests on the average; `most` units, and `slots` a replica."""
    if slots is None:
        return Window(most, most)
    fill = math.ceil(slots * replicas / max(rows, 1.0))
    return Window(min(most, AT_LEAST * replicas), most, min(most, max(AT_LEAST * replicas, fill)))


_WINDOWS: dict[str, Window] = {}
"""Windows of the steps at work, by name: settings of Ray Data are copied and sent to workers, a window is not."""


class UnitsPolicy(BackpressurePolicy):
    """Lets Ray Data start a task of an LLM step only while the step's window has room for its units."""

    def __init__(self, data_context: Any, topology: Any, resource_manager: Any) -> None:
        super().__init__(data_context, topology, resource_manager)
        self._window = _WINDOWS.get(data_context.get_config(WINDOW_KEY, ""))

    def can_add_input(self, op: Any) -> bool:
        if self._window is None or not isinstance(op, TaskPoolMapOperator):
            return True
        return bool(op.num_active_tasks() < self._window.limit)


@contextmanager
def opened(window: Window, look: Callable[[], Pressure]) -> Iterator[None]:
    """Datasets that the body makes and works open units as the window says; `look` is called in a thread."""
    import ray

    context = ray.data.DataContext.get_current()
    name = uuid.uuid4().hex
    _WINDOWS[name] = window
    context.set_config(WINDOW_KEY, name)
    context.set_config(ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY, [*ENABLED_BACKPRESSURE_POLICIES, UnitsPolicy])
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_S):
            try:
                pressure = look()
            except ray.exceptions.RayError:  # a pool that is lost, or slow to answer, is the step's own trouble
                continue
            window.observe(pressure, time.monotonic())

    watcher = threading.Thread(target=watch, name="units-window", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(timeout=LOOK_S)
        context.remove_config(WINDOW_KEY)
        context.remove_config(ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY)
        _WINDOWS.pop(name, None)
