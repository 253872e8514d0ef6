"""What reviewers decided: one small object a decision, never changed, never taken back.

Design: a reviewer's decisions are numbered, and each is written with put-if-absent under its number. Two pages, or two
servers, of one reviewer race for a number; the loser takes the next. A changed mind is a later record, an undo a record
that names the one it undoes, so the order is that of the numbers and no clock matters. Every record carries the page's
own `nonce`: a decision that is sent again because the answer got lost is written once. `fold` is what readers apply.

Cost: one put a decision (two fsyncs locally, one request on S3), one get a decision to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Literal

from factory.errors import ConfigError
from factory.identity import canonical_json
from factory.review.sheet import Sheet, decisions_prefix
from factory.store.base import Store
from factory.store.objects import read_mapping, typed_in

SCHEMA_VERSION = 1
PARALLEL_READS = 16

Verdict = Literal["accept", "reject", "human", "machine", "skip", "undo"]
JUDGE_VERDICTS: tuple[Verdict, ...] = ("accept", "reject", "skip")
BLIND_VERDICTS: tuple[Verdict, ...] = ("human", "machine", "skip")

_REVIEWER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Decision:
    """`score` is 1 to 5 or None; `seconds` the time the item was on the screen; `decided_at` UTC in ISO 8601, for
    people; `undoes` the number of the record that an "undo" takes back. In a blinded review `sample_id` is None: the
    sheet knows."""

    review: str
    reviewer: str
    number: int
    item: str
    sample_id: str | None
    verdict: Verdict
    score: int | None
    reasons: tuple[str, ...]
    comment: str
    seconds: float
    decided_at: str
    nonce: str
    undoes: int | None = None
    schema_version: int = SCHEMA_VERSION


def check_reviewer(name: str) -> str:
    """`name` itself. Raises ConfigError when it cannot be part of a key."""
    if not _REVIEWER.fullmatch(name):
        raise ConfigError(
            f"--reviewer {name!r} cannot be used",
            cause="the name becomes a folder on the store",
            remedy="use up to 64 small letters, digits, - and _; it need not be a real name",
        )
    return name


def decision_key(sheet: Sheet, reviewer: str, number: int) -> str:
    return f"{decisions_prefix(sheet)}/{reviewer}/{number:06d}.json"


def write_decision(store: Store, sheet: Sheet, decision: Decision) -> Decision:
    """The record that stands under the decision's number afterwards: this one, or the one that was there first."""
    key = decision_key(sheet, decision.reviewer, decision.number)
    if store.put_if_absent(key, canonical_json(asdict(decision))):
        return decision
    # A store may carry out a put and lose the answer: then the record that is there has our nonce.
    return _read(store, key)


def read_decisions(store: Store, sheet: Sheet, reviewer: str | None = None) -> list[Decision]:
    """All decisions of a review, or one reviewer's, in order of reviewer and number."""
    prefix = f"{decisions_prefix(sheet)}/" + (f"{reviewer}/" if reviewer else "")
    keys = sorted(info.key for info in store.list(prefix))
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        found = list(pool.map(lambda key: _read(store, key), keys))
    return sorted(found, key=lambda decision: (decision.reviewer, decision.number))


def fold(decisions: Iterable[Decision]) -> dict[tuple[str, str], Decision]:
    """(reviewer, item) -> the decision that stands: the last that was not undone."""
    held = sorted(decisions, key=lambda decision: decision.number)
    undone = {(decision.reviewer, decision.undoes) for decision in held if decision.verdict == "undo"}
    return {
        (decision.reviewer, decision.item): decision
        for decision in held
        if decision.verdict != "undo" and (decision.reviewer, decision.number) not in undone
    }


def last_standing(decisions: Sequence[Decision]) -> Decision | None:
    """Of one reviewer: what an undo would take back now."""
    undone = {decision.undoes for decision in decisions if decision.verdict == "undo"}
    standing = [each for each in decisions if each.verdict != "undo" and each.number not in undone]
    return max(standing, key=lambda decision: decision.number, default=None)


def _read(store: Store, key: str) -> Decision:
    value = read_mapping(store, key, ("number", "nonce", "verdict"))
    return typed_in(Decision, value, store.uri, key)
