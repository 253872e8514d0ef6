"""A run as `factory top` shows it, read from the store alone.

Design: one listing of `runs/<run>/` a look says by entity tags which plans and records of steps are new; only those are
read. A step with a record of its plan is done; the others are looked into (commits_view.py). What is estimated says so
(`exact`). Works while the run does, after it, and from any machine that reaches the store.
Cost a look on S3: four requests, and for each step that is being worked two listings and up to 64 small reads.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from factory.cost.money import Money
from factory.cost.runs import cost_of_run
from factory.errors import StoreError
from factory.observe.commits_view import Seen, StepView, rate_of
from factory.run.diagnosis import is_alive
from factory.run.record import Counted, Record, read_record, record_key, section_of
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import read_mapping, typed_in


@dataclass(frozen=True)
class StepLine:
    """One step. `units_s` and `seconds_left` are None where there is not enough to go by; `exact` is False where the
    numbers of rows and tokens are scaled from the commits that were read."""

    step: str
    done: bool
    units: int
    committed: float
    in_flight: float = 0
    lost: float = 0
    rows_in: float = 0
    accepted: float = 0
    turned_away: float = 0
    tokens: float = 0
    reasons: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    units_s: float | None = None
    rows_s: float | None = None
    tokens_s: float | None = None
    seconds_left: float | None = None
    exact: bool = True
    units_exact: bool = True

    @property
    def waiting(self) -> float:
        return max(0.0, self.units - self.committed - self.in_flight)


@dataclass(frozen=True)
class Glimpse:
    """A run at one moment."""

    run: str
    state: str
    dataset: str
    seconds: float
    steps: tuple[StepLine, ...]
    spent: Money
    engines: Mapping[str, Mapping[str, float]]
    error: str | None
    others: int = 0
    """Other runs that work under the same root."""


@dataclass(frozen=True)
class _Recorded:
    """What is read here of a run's record."""

    state: str
    started: str
    steps: Mapping[str, str]
    config: Mapping[str, Any] | None = None
    engine_starts: Mapping[str, Mapping[str, float]] | None = None
    error: str | None = None


@dataclass(frozen=True)
class _Planned:
    """Of a step's plan."""

    folder: str
    units: tuple[str, ...]


@dataclass(frozen=True)
class _Done:
    """Of a step's done record."""

    folder: str
    units: int
    counts: Counted
    ledger: Mapping[str, float]
    reasons: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    lost: Mapping[str, Any] = field(default_factory=dict)
    wall_seconds: float | None = None


class RunView:
    """Looks at one run again and again. Mutable: what was read once is read again only when it changed."""

    def __init__(self, store: Store, run: str) -> None:
        self._store, self._run = store, run
        self._tags: dict[str, str] = {}
        self._bodies: dict[str, Record] = {}
        self._views: dict[str, StepView] = {}
        self._planned: dict[str, Record | None] = {}

    def look(self) -> Glimpse:
        """Raises StoreError when the run's record is gone or damaged, or the store cannot be read."""
        store, run = self._store, self._run
        record = read_record(store, run)
        if record is None:
            raise StoreError(
                f"the record of run {run} is gone from {store.uri}", cause="the root was cleared while it was watched"
            )
        typed_in(_Recorded, record, store.uri, record_key(run))
        alive = record["state"] == "running" and is_alive(store, run)
        self._refresh()
        now = store.clock()
        since = _since(record, now)
        dones: dict[str, Record] = {}
        lines = []
        for step, folder in record["steps"].items():
            lines.append(self._line(step, folder, since, now, alive, dones))
        ended = _moment(record.get("finished"))
        return Glimpse(
            run=run,
            state="stopped" if record["state"] == "running" and not alive else record["state"],
            dataset=str(section_of(record.get("config"), "publish").get("name", "")),
            seconds=max(0.0, (now if alive or ended is None else ended) - since),
            steps=tuple(lines),
            spent=cost_of_run(run, record.get("config") or {}, dones).all.money,
            engines=record.get("engine_starts") or {},
            error=record.get("error") if record["state"] in ("failed", "interrupted") else None,
        )

    def _refresh(self) -> None:
        for info in self._store.list(f"runs/{self._run}/"):
            if info.key.endswith((".plan.json", ".done.json")) and self._tags.get(info.key) != info.etag:
                try:
                    body = read_mapping(self._store, info.key, ("folder",))
                    kind = _Done if info.key.endswith(".done.json") else _Planned
                    typed_in(kind, body, self._store.uri, info.key)
                    self._bodies[info.key] = body
                    self._tags[info.key] = info.etag
                except (AbsentObjectError, StoreError):
                    continue  # replaced or damaged this very moment: the next look

    def _line(
        self, step: str, folder: str, since: float, now: float, alive: bool, dones: dict[str, Record]
    ) -> StepLine:
        done = self._bodies.get(f"runs/{self._run}/{step}.done.json")
        plan = self._bodies.get(f"runs/{self._run}/{step}.plan.json")
        plan = plan if plan and plan["folder"] == folder else None
        units = plan["units"] if plan else []
        if done and done["folder"] == folder and (not units or len(units) == done["units"]):
            self._views.pop(step, None)
            dones[step] = done
            return _finished(step, done)
        view = self._views.get(step)
        if view is None or view.folder != folder:
            view = self._views[step] = StepView(self._store, folder)
            self._planned[step] = None
        if plan is not self._planned[step]:
            view.plan(units)
            self._planned[step] = plan
        seen = view.look(since, alive)
        line = _working(step, seen, view, now, alive)
        dones[step] = _as_if_done(self._run, step, folder, line, view)
        return line


def _finished(step: str, done: Record) -> StepLine:
    counts, ledger = done["counts"], done["ledger"]
    reasons: dict[str, float] = {}
    for each in done.get("reasons", {}).values():
        for reason, rows in each.items():
            reasons[reason] = reasons.get(reason, 0) + rows
    return StepLine(
        step,
        True,
        done["units"],
        done["units"],
        lost=done.get("lost", {}).get("attempts", 0),
        rows_in=counts["inputs"],
        accepted=counts["accepted"],
        turned_away=counts["rejected"] + counts["quarantined"] + counts["output_rejected"],
        tokens=ledger.get("prompt_tokens", 0) + ledger.get("generated_tokens", 0),
        reasons=reasons,
        seconds=done.get("wall_seconds"),
    )


def _working(step: str, seen: Seen, view: StepView, now: float, alive: bool) -> StepLine:
    details = view.details
    committed = seen.committed * seen.scale
    each = committed / details.units if details.units else 0.0  # what a unit that was read stands for
    tokens = details.ledger["prompt_tokens"] + details.ledger["generated_tokens"]
    rate = rate_of(seen, now) if alive else None
    counts = details.counts
    left = seen.planned - committed
    mean = 1 / details.units if details.units else 0.0
    return StepLine(
        step,
        False,
        seen.planned,
        committed,
        in_flight=seen.in_flight * seen.scale,
        lost=seen.lost * seen.scale,
        rows_in=counts.inputs * each,
        accepted=counts.accepted * each,
        turned_away=(counts.rejected + counts.quarantined + counts.output_rejected) * each,
        tokens=tokens * each,
        reasons={reason: rows * each for reason, rows in details.reasons.items()},
        units_s=rate,
        rows_s=None if rate is None else rate * counts.inputs * mean,
        tokens_s=None if rate is None else rate * tokens * mean,
        seconds_left=left / rate if rate and left > 0 else None,
        exact=details.units == seen.committed and seen.scale == 1,
        units_exact=seen.scale == 1,
    )


def _as_if_done(run: str, step: str, folder: str, line: StepLine, view: StepView) -> Record:
    """A record of a step that is not done, for what it has cost: what its commits say so far."""
    details = view.details
    each = line.committed / details.units if details.units else 0.0
    ledger = {name: value * each for name, value in details.ledger.items()}
    counts = {"inputs": 0, "accepted": 0}
    engines = [{"model": model} for model in sorted(details.models)]
    done = {"step": step, "folder": folder, "counts": counts, "ledger": ledger, "engines": engines}
    return {**done, "spent_now": ledger, "lost": {}, "facts": {}}


def _since(record: Record, now: float) -> float:
    """When the last execution began, seconds since the epoch."""
    moments = [*record.get("resumed", []), record.get("started")]
    known = [moment for moment in map(_moment, moments) if moment is not None]
    return max(known, default=now)


def _moment(text: Any) -> float | None:
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None
