"""What a step read, gave and cost in one run: sums over its units' commits.

Design: `counts`, `reasons` and `ledger` are what the rows in this run cost whoever paid for them;
`spent_now` is what this very execution paid (a reused unit costs nothing); `lost` counts attempts that left
a start receipt but not the commit, with the requests they may have sent. The step-level equation is checked
here: rows read = rows the parents accepted, by number and by digest of ids.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from factory.cost.amounts import Split, parts_in
from factory.errors import ConservationError
from factory.identity import add_digests
from factory.run.attempt import Receipt
from factory.run.charged import added, largest
from factory.run.outputs import Output
from factory.store.base import Store
from factory.store.commits import Commit, Counts
from factory.store.objects import read_mapping


@dataclass(frozen=True)
class Expected:
    """What a step has to read: rows and digest of ids; None where only the source knows."""

    rows: int
    digest: str


@dataclass
class Tally:
    """Running sums over commits; mutable because a step has as many as it has units."""

    counts: Counts = field(default_factory=Counts)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    ledger: Counter[str] = field(default_factory=Counter)
    spent_now: Counter[str] = field(default_factory=Counter)
    attempts: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, list[Output]] = field(default_factory=dict)
    facts: Counter[str] = field(default_factory=Counter)
    paid: dict[str, Counter[str]] = field(default_factory=dict)
    split: dict[str, Split] = field(default_factory=dict)
    engines: dict[str, Any] = field(default_factory=dict)
    _input_digests: list[str] = field(default_factory=list)
    _accepted_digests: list[str] = field(default_factory=list)

    def add(self, commit: Commit) -> None:
        self.counts += commit.counts
        for side, reasons in commit.reasons.items():
            self.reasons.setdefault(side, Counter()).update(reasons)
        self.ledger.update(commit.ledger)
        self.paid.setdefault(commit.run, Counter()).update({**commit.ledger, "units": 1})
        self._charge(commit.facts.get("split"))
        self.attempts[commit.unit] = commit.attempt
        self.outputs[commit.unit] = [Output(commit.unit, commit.parent, file) for file in commit.files]
        self.facts.update({name: value for name, value in commit.facts.items() if isinstance(value, int)})
        if commit.engine:
            self.engines[orjson.dumps(commit.engine, option=orjson.OPT_SORT_KEYS).decode()] = commit.engine
        self._input_digests = [add_digests([*self._input_digests, commit.input_ids_digest or "0"])]
        self._accepted_digests = [add_digests([*self._accepted_digests, commit.accepted_ids_digest or "0"])]

    def _charge(self, split: Any) -> None:
        """Sums what a commit charges to levels and subjects; of subjects those that take most are kept, so that a
        step's record stays small whatever models call theirs."""
        for kind, groups in parts_in(split).items():
            sums = self.split.setdefault(kind, {})
            for name, part in groups.items():
                sums[name] = added(sums[name], part) if name in sums else part
            if len(sums) > 2 * GROUPS:
                self.split[kind] = largest(sums, GROUPS)

    def spend(self, receipt: Receipt) -> None:
        self.spent_now.update(receipt.spent)

    @property
    def input_digest(self) -> str:
        return add_digests(self._input_digests)

    @property
    def accepted_digest(self) -> str:
        return add_digests(self._accepted_digests)

    def check(self, step: str, expected: Expected | None) -> None:
        """Raises ConservationError when the step did not read exactly what its parents accepted."""
        self.counts.check(f"step {step}")
        if expected is None:
            return
        if self.counts.inputs != expected.rows or self.input_digest != expected.digest:
            raise ConservationError(
                f"step {step} read {self.counts.inputs} rows, but the steps before it accepted {expected.rows}"
                + (" (same number, other rows)" if self.counts.inputs == expected.rows else ""),
                cause="committed files were changed or removed under a running factory, or a step lost rows",
                remedy="run `factory verify` on the root's datasets, then report this with the step's done.json",
            )


GROUPS = 64
"""Subjects in a step's record; the rest of its ledger is theirs whom it does not name."""

TAIL_SHARE = 0.95

TAIL_UNITS = 20
"""Below so many units the last twentieth is less than one of them."""


def tail_of(ended: Sequence[float], began: float) -> dict[str, float]:
    """The time from TAIL_SHARE of a step's units done to all done, of the time since the first was begun. `ended`:
    when each was committed, in order, on the clock of `began`; none of it is told of fewer than TAIL_UNITS units."""
    if len(ended) < TAIL_UNITS:
        return {"units": len(ended)}
    most = math.ceil(len(ended) * TAIL_SHARE)
    return {
        "units": len(ended),
        "seconds": round(ended[-1] - ended[most - 1], 3),
        "of_seconds": round(ended[-1] - began, 3),
    }


def lost_attempts(store: Store, folder: str, committed: Mapping[str, str]) -> dict[str, Any]:
    """Attempts with a start receipt that did not become the commit, and the requests they had planned, in all and by
    the run that lost them."""
    lost = 0
    requests = 0.0
    by_run: dict[str, float] = {}
    for info in store.list(f"steps/{folder}/attempts/"):
        unit, attempt, _ = info.key.rsplit("/", 1)[1].split(".")
        if unit in committed and committed[unit] != attempt:
            lost += 1
            receipt = read_mapping(store, info.key)
            planned = receipt.get("planned")
            asked = planned.get("requests") if isinstance(planned, dict) else 0
            requests += asked if isinstance(asked, int | float) else 0
            run = str(receipt.get("run", ""))
            by_run[run] = by_run.get(run, 0) + (asked if isinstance(asked, int | float) else 0)
    return {"attempts": lost, "requests_at_most": requests, "by_run": by_run}


def expected_from(dones: Iterable[Mapping[str, Any]]) -> Expected:
    """What a step must read, given the done records of the steps it reads."""
    dones = list(dones)
    return Expected(
        sum(done["counts"]["accepted"] for done in dones), add_digests(done["accepted_digest"] for done in dones)
    )
