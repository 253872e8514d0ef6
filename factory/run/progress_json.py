"""Progress for collectors of logs: a JSON line for each step, unit and note, with what is done and left.

Design: the same events and sums as the lines for people (progress.py). A line a unit, some 400 bytes; its worker writes
lines of its own as well (factory/observe/watch.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.observe import logs
from factory.run.attempt import Receipt
from factory.run.progress import Meter, Progress


class JsonProgress(Progress):
    """See the module."""

    def __init__(self) -> None:
        self._meter = Meter()

    def begin(self, step: str, units: int, reused: int) -> None:
        self._meter = Meter(step, units, reused=reused)
        logs.write("step_began", run=logs.bound_run(), step=step, units=units, units_reused=reused)

    def unit(self, receipt: Receipt) -> None:
        if not receipt.begun:  # given back by a worker that leaves; somebody else takes it
            return
        meter = self._meter
        meter.add(receipt)
        left, commit = meter.seconds_left, receipt.commit
        fields: dict[str, Any] = {
            "units_done": meter.reused + meter.finished,
            "units": meter.units,
            "seconds_left": None if left is None else round(left, 1),
        }
        if receipt.timeline is not None:
            fields |= {"host": receipt.timeline.host, "pid": receipt.timeline.pid}
            fields["seconds"] = round(receipt.timeline.seconds, 3)
        if commit is not None:
            fields |= {"rows": commit.counts.to_json(), "reasons": commit.reasons or None}
        if "requests" in receipt.spent:
            fields["tokens"] = {
                kind: int(receipt.spent.get(f"{kind}_tokens", 0)) for kind in ("prompt", "cached", "generated")
            }
        about = {"run": logs.bound_run(), "step": meter.step, "unit": receipt.unit, "attempt": receipt.attempt}
        logs.write(
            "unit_late" if commit is None else "unit_done", "warning" if commit is None else "info", **about, **fields
        )

    def end(self, done: Mapping[str, Any]) -> None:
        ledger = {name: value for name, value in done["ledger"].items() if isinstance(value, int | float)}
        logs.write(
            "step_done",
            run=logs.bound_run(),
            step=done["step"],
            folder=done["folder"],
            units=done["units"],
            units_reused=done["units_reused"],
            rows=done["counts"],
            reasons=done["reasons"],
            ledger=ledger,
            seconds=round(done["wall_seconds"], 3),
        )

    def say(self, line: str) -> None:
        logs.tell(line)

    def close(self) -> None: ...
