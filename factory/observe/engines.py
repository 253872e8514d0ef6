"""A look into a run's engines every few seconds, from the driver: who answers, what is open, what vLLM counts.

Design: one thread asks as long as pools are there; a scrape reads what was found last and waits for nobody. The thread
never calls Ray once a pool is let go of: Ray would start anew. At most `REPLICAS_AT_MOST` replicas of a pool are asked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from factory.observe import catalogue as metrics
from factory.observe.counters import RunMetrics
from factory.observe.forwarded import families
from factory.observe.numbers import Numbers

if TYPE_CHECKING:
    from factory.engine.pool import EnginePool

LOOK_S = 5.0
"""Prometheus asks every 15 to 60 s; a look costs an engine two small messages."""


class EngineLooks:
    """See the module."""

    def __init__(self, run: str, numbers: Numbers, counted: RunMetrics, every_s: float = LOOK_S) -> None:
        self._run, self._numbers, self._counted, self._every_s = run, numbers, counted, every_s
        self._texts: dict[tuple[str, str, str], str] = {}
        self._gone: set[str] = set()

    @contextmanager
    def watched(self, model: str, pool: EnginePool) -> Iterator[None]:
        """Looks into the pool while the body runs."""
        over = threading.Event()
        self._gone.discard(model)
        self._numbers.set(metrics.ENGINE_REPLICAS, pool.replicas, self._run, model, "configured")
        thread = threading.Thread(target=self._looking, args=(model, pool, over), name="engine-looks", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._forget(model)

    def families(self) -> list[Any]:
        """vLLM's own metrics, as they were found last; of engines that are gone what they counted, and no gauges."""
        return families(dict(self._texts), frozenset(self._gone))

    def _looking(self, model: str, pool: EnginePool, over: threading.Event) -> None:
        while True:
            with suppress(Exception):  # an engine that dies, a Ray that ends: the run itself says so
                self._look(model, pool)
            if over.wait(self._every_s):
                return

    def _look(self, model: str, pool: EnginePool) -> None:
        states, texts = pool.states(metrics.REPLICAS_AT_MOST), pool.metrics(metrics.REPLICAS_AT_MOST)
        self._counted.engine_starts(model, pool, pool.starts())
        numbers, run = self._numbers, self._run
        numbers.set(metrics.ENGINE_REPLICAS, len(states), run, model, "answering")
        self._forget_replicas(model)
        for state in states:
            replica = str(state.replica)
            numbers.set(metrics.OPEN_REQUESTS, state.open_requests, run, model, replica)
            numbers.set(metrics.OPEN_BATCHES, state.open_batches, run, model, replica)
        for number, text in texts.items():
            self._texts[run, model, str(number)] = text

    def _forget_replicas(self, model: str) -> None:
        for metric in (metrics.OPEN_REQUESTS, metrics.OPEN_BATCHES):
            self._numbers.forget(metric, self._run, model)

    def _forget(self, model: str) -> None:
        """An engine that is gone has nothing open; what it counted stays until the endpoint ends."""
        self._forget_replicas(model)
        self._gone.add(model)
        for state in ("configured", "answering"):
            self._numbers.set(metrics.ENGINE_REPLICAS, 0, self._run, model, state)
