"""A unit watched where it is worked: phases for its receipt, and on request log lines and a gauge."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from factory.engine.api import Batch, Completion
from factory.observe import logs
from factory.observe.phases import Phase, PhaseName, Timeline
from factory.store import retries

if TYPE_CHECKING:
    from factory.run.attempt import Attempt, Receipt, StepRun
    from factory.run.units import Unit

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Watch:
    """Entered when a worker takes a unit, left when it has its receipt or has failed."""

    def __init__(self, run: StepRun, unit: Unit) -> None:
        self._run, self._unit = run, unit
        self._attempt = ""
        self._phases: list[Phase] = []
        self._began, self._clock = time.time(), time.monotonic()
        self._retries = retries.so_far()

    def __enter__(self) -> Watch:
        if self._run.observed.gauges:
            _set_in_flight(self._run, 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._run.observed.gauges:
            _set_in_flight(self._run, 0)
        if error is not None:
            self._event("unit_failed", "error", error=type(error).__name__, message=str(error))

    def __call__(
        self,
        name: PhaseName,
        work: Callable[Parameters, Result],
        *arguments: Parameters.args,
        **named: Parameters.kwargs,
    ) -> Result:
        """What `work` returns; the time it took is a phase."""
        began, clock = time.time(), time.monotonic()
        result = work(*arguments, **named)
        self._phases.append(Phase(name, began, time.monotonic() - clock))
        return result

    def begun(self, attempt: Attempt) -> Attempt:
        self._attempt = attempt.attempt
        self._event("unit_begun", rows=self._unit.rows)
        return attempt

    def asking(
        self, generate: Callable[[Batch], Awaitable[list[Completion]]]
    ) -> Callable[[Batch], Awaitable[list[Completion]]]:
        """`generate`, each round of it a phase of waiting and one of generating."""

        async def watched(batch: Batch) -> list[Completion]:
            began, clock = time.time(), time.monotonic()
            completions = await generate(batch)
            seconds = time.monotonic() - clock
            engine = min(seconds, max((each.latency for each in completions), default=0.0))
            self._phases.append(Phase("wait", began, seconds - engine))
            self._phases.append(Phase("generate", began + seconds - engine, engine))
            return completions

        return watched

    def ended(self, receipt: Receipt) -> Receipt:
        """The receipt, with where the time went."""
        timeline = Timeline(
            socket.gethostname(),
            os.getpid(),
            self._began,
            time.monotonic() - self._clock,
            tuple(self._phases),
            retries.so_far() - self._retries,
        )
        if receipt.commit is None:
            self._event("unit_late", "warning", seconds=round(timeline.seconds, 3))
        else:
            self._event("unit_committed", **(_told(receipt, timeline) if self._run.observed.json_logs else {}))
        return replace(receipt, timeline=timeline)

    def _event(self, name: str, level: logs.Level = "info", **fields: Any) -> None:
        if self._run.observed.json_logs:
            folder = self._run.folder
            unit, attempt = self._unit.unit_id, self._attempt
            about = {"run": self._run.run, "step": logs.step_of(folder), "folder": folder}
            logs.write(name, level, **about, unit=unit, attempt=attempt, **fields)


def _told(receipt: Receipt, timeline: Timeline) -> Mapping[str, Any]:
    assert receipt.commit is not None
    counts = receipt.commit.counts
    return {
        "seconds": round(timeline.seconds, 3),
        "phases": {name: round(seconds, 3) for name, seconds in timeline.by_phase().items()},
        "rows_in": counts.inputs,
        "accepted": counts.accepted,
        "rejected": counts.rejected + counts.output_rejected,
        "quarantined": counts.quarantined,
        "first": receipt.commit.attempt == receipt.attempt,
    }


@cache
def _gauge() -> Any:
    from ray.util.metrics import Gauge

    return Gauge("factory_units_in_flight", "Units that this worker process has begun and not ended.", ("run", "step"))


def _set_in_flight(run: StepRun, value: float) -> None:
    _gauge().set(value, tags={"run": run.run, "step": logs.step_of(run.folder)})
