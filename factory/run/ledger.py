"""What a step read, gave and cost in one run: sums over its units' commits.

Design: `counts`, `reasons` and `ledger` are what the rows in this run cost whoever paid for them;
`spent_now` is what this very execution paid (a reused unit costs nothing); `lost` counts attempts that left
a start receipt but not the commit, with the requests they may have sent. The step-level equation is checked
here: rows read = rows the parents accepted, by number and by digest of ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from factory.errors import ConservationError
from factory.identity import add_digests
from factory.run.attempt import Receipt
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
    engines: dict[str, Any] = field(default_factory=dict)
    _input_digests: list[str] = field(default_factory=list)
    _accepted_digests: list[str] = field(default_factory=list)

    def add(self, commit: Commit) -> None:
        self.counts += commit.counts
        for side, reasons in commit.reasons.items():
            self.reasons.setdefault(side, Counter()).update(reasons)
        self.ledger.update(commit.ledger)
        self.attempts[commit.unit] = commit.attempt
        self.outputs[commit.unit] = [Output(commit.unit, commit.parent, file) for file in commit.files]
        self.facts.update({name: value for name, value in commit.facts.items() if isinstance(value, int)})
        if commit.engine:
            self.engines[orjson.dumps(commit.engine, option=orjson.OPT_SORT_KEYS).decode()] = commit.engine
        self._input_digests = [add_digests([*self._input_digests, commit.input_ids_digest or "0"])]
        self._accepted_digests = [add_digests([*self._accepted_digests, commit.accepted_ids_digest or "0"])]

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


def lost_attempts(store: Store, folder: str, committed: Mapping[str, str]) -> dict[str, float]:
    """Attempts with a start receipt that did not become the commit, and the requests they had planned."""
    lost = 0
    requests = 0.0
    for info in store.list(f"steps/{folder}/attempts/"):
        unit, attempt, _ = info.key.rsplit("/", 1)[1].split(".")
        if unit in committed and committed[unit] != attempt:
            lost += 1
            planned = read_mapping(store, info.key).get("planned")
            asked = planned.get("requests") if isinstance(planned, dict) else 0
            requests += asked if isinstance(asked, int | float) else 0
    return {"attempts": lost, "requests_at_most": requests}


def expected_from(dones: Iterable[Mapping[str, Any]]) -> Expected:
    """What a step must read, given the done records of the steps it reads."""
    dones = list(dones)
    return Expected(
        sum(done["counts"]["accepted"] for done in dones), add_digests(done["accepted_digest"] for done in dones)
    )
