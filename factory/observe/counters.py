"""Metrics of a run, counted where the truth is: from the receipts and records that the driver gets.

Design: what a commit says is counted once, when the driver learns of it; so rows, rejects and commits add up with what
was reused to what the step's record says, and tokens and requests to what this execution paid (`spent_now`), also for
attempts that came too late. A worker that dies takes no number with it: its unit is counted when somebody commits it.
Counting in workers, and exporting through Ray's agents, loses what a killed process had counted, doubles what Ray runs
again, and has a label a worker (docs/decisions/0012).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from factory.cost.amounts import BUSY, IDLE, of_ledger
from factory.cost.money import price
from factory.observe import catalogue as metrics
from factory.observe.events import Began, Listener
from factory.observe.numbers import Numbers
from factory.store import retries

if TYPE_CHECKING:
    from factory.cost.config import PricesConfig
    from factory.engine.pool import EnginePool
    from factory.engine.start_notes import PoolStarts
    from factory.run.attempt import Receipt

TOKENS_IN_LEDGER = {kind: f"{kind}_tokens" for kind in metrics.TOKEN_KINDS}
ENGINE_SECONDS_IN_LEDGER = {"busy": BUSY, "idle": IDLE}


class RunMetrics(Listener):
    """Counts one execution of `run` into `numbers`."""

    def __init__(self, run: str, numbers: Numbers, prices: PricesConfig) -> None:
        self._run, self._numbers, self._prices = run, numbers, prices
        self._active: str | None = None
        self._starts: dict[str, PoolStarts] = {}
        self._paid: dict[tuple[str, str | None], Counter[str]] = {}
        self._paying, self._starting = threading.Lock(), threading.Lock()
        self._retries = retries.so_far()
        for state in metrics.STATES:
            numbers.set(metrics.RUN_STATE, float(state == "running"), run, state)
        numbers.set(metrics.RUN_STARTED, time.time(), run)
        numbers.set(metrics.LAST_COMMIT, time.time(), run)

    def step_began(self, began: Began) -> None:
        add, run, step = self._numbers.add, self._run, began.step
        self._rest()
        self._active = step
        self._numbers.set(metrics.STEP_ACTIVE, 1, run, step)
        self._units(step, began.units, began.reused, began.reused)
        self._totals(step, began.counts.to_json(), began.ledger)
        add(metrics.COMMITS, 0, run, step)  # a counter that is there from the start shows its first increase
        for kind in metrics.ROW_KINDS:
            add(metrics.ROWS, 0, run, step, kind)
        if began.model is not None:
            add(metrics.REQUESTS, 0, run, step, began.model)
            for kind in metrics.TOKEN_KINDS:
                add(metrics.TOKENS, 0, run, step, began.model, kind)

    def unit(self, began: Began, receipt: Receipt) -> None:
        add, run, step = self._numbers.add, self._run, began.step
        add(metrics.ATTEMPTS, 1, run, step, _outcome(receipt))
        self._spent(began, receipt.spent)
        if receipt.timeline is not None:
            self._numbers.observe(metrics.UNIT_TIME, receipt.timeline.seconds, run, step)
            for phase, seconds in receipt.timeline.by_phase().items():
                add(metrics.PHASE_SECONDS, seconds, run, step, phase)
            if receipt.timeline.store_retries:
                add(metrics.RETRIED, receipt.timeline.store_retries, run, step, "store")
        if (commit := receipt.commit) is None:
            return
        self._numbers.set(metrics.LAST_COMMIT, time.time(), run)
        add(metrics.COMMITS, 1, run, step)
        add(metrics.UNITS, 1, run, step, "committed")
        counts = commit.counts.to_json()
        for kind in metrics.ROW_KINDS:
            add(metrics.ROWS, counts[kind], run, step, kind)
            add(metrics.COMMITTED_ROWS, counts[kind], run, step, kind)
        for side, reasons in commit.reasons.items():
            for reason, rows in reasons.items():
                add(metrics.REJECTS, rows, run, step, side, reason)
        if began.model is not None:
            for kind, name in TOKENS_IN_LEDGER.items():
                add(metrics.COMMITTED_TOKENS, commit.ledger.get(name, 0), run, step, kind)

    def step_ended(self, done: Mapping[str, Any]) -> None:
        step, worked = done["step"], self._active == done["step"]
        if worked:
            self._rest()
        self._units(step, done["units"], done["units"], done["units_reused"] if worked else done["units"])
        self._totals(step, done["counts"], done["ledger"])
        self._numbers.set(metrics.LOST_ATTEMPTS, done["lost"]["attempts"], self._run, step)

    def engine_starts(self, model: str, pool: EnginePool, starts: PoolStarts) -> None:
        """`starts` are those of the pool so far; told by the driver and by who looks into engines."""
        with self._starting:
            before = self._starts.get(pool.instance)
            self._starts[pool.instance] = starts
        first, again, seconds = (before.first, before.replacements, before.seconds) if before else (0, 0, 0.0)
        self._numbers.add(metrics.ENGINE_STARTS, max(0, starts.first - first), self._run, model, "first")
        self._numbers.add(metrics.ENGINE_STARTS, max(0, starts.replacements - again), self._run, model, "replacement")
        self._numbers.add(metrics.ENGINE_START_SECONDS, max(0.0, starts.seconds - seconds), self._run, model)

    def ended(self, state: str) -> None:
        self._rest()
        for each in metrics.STATES:
            self._numbers.set(metrics.RUN_STATE, float(each == state), self._run, each)

    def refresh(self) -> None:
        """What is worked out only when somebody asks: money, and the driver's own retries."""
        self._numbers.set(metrics.RETRIED, retries.so_far() - self._retries, self._run, "driver", "store")
        with self._paying:
            paid = {who: dict(ledger) for who, ledger in self._paid.items()}
        for (step, model), ledger in paid.items():
            money = price(of_ledger(ledger), self._prices, () if model is None else (model,))
            if money.amount is not None:
                self._numbers.set(metrics.SPENT, money.amount, self._run, step, money.currency)
            self._numbers.set(metrics.UNPRICED, float(bool(money.missing)), self._run, step)

    def _rest(self) -> None:
        if self._active is not None:
            self._numbers.set(metrics.STEP_ACTIVE, 0, self._run, self._active)
        self._active = None

    def _spent(self, began: Began, spent: Mapping[str, float]) -> None:
        add, run, step, model = self._numbers.add, self._run, began.step, began.model
        with self._paying:
            self._paid.setdefault((step, model), Counter()).update(spent)
        if model is None:
            return
        add(metrics.REQUESTS, spent.get("requests", 0), run, step, model)
        for kind, name in TOKENS_IN_LEDGER.items():
            add(metrics.TOKENS, spent.get(name, 0), run, step, model, kind)
        for kind, name in ENGINE_SECONDS_IN_LEDGER.items():
            add(metrics.ENGINE_SECONDS, spent.get(name, 0), run, step, model, kind)
        if spent.get("retries"):
            add(metrics.RETRIED, spent["retries"], run, step, "engine")

    def _units(self, step: str, planned: int, committed: int, reused: int) -> None:
        for state, units in (("planned", planned), ("committed", committed), ("reused", reused)):
            self._numbers.set(metrics.UNITS, units, self._run, step, state)

    def _totals(self, step: str, counts: Mapping[str, int], ledger: Mapping[str, float]) -> None:
        for kind in metrics.ROW_KINDS:
            self._numbers.set(metrics.COMMITTED_ROWS, counts[kind], self._run, step, kind)
        if "prompt_tokens" in ledger:
            for kind, name in TOKENS_IN_LEDGER.items():
                self._numbers.set(metrics.COMMITTED_TOKENS, ledger.get(name, 0), self._run, step, kind)


def _outcome(receipt: Receipt) -> str:
    if receipt.commit is None:
        return "late"
    if not receipt.spent:
        return "found"
    return "committed" if receipt.commit.attempt == receipt.attempt else "beaten"
