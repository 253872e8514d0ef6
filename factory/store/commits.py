"""Commits: the one small JSON object that makes a unit's files exist for readers.

Design: files lie under attempt-unique names and mean nothing until `commits/<xx>/<unit>.json` names them;
that object is put only if absent, so the first attempt wins and all others are garbage nobody reads. The
two conservation equations are checked before the put: a commit that does not add up cannot exist.
Cost: one conditional put a unit; a listing of a step's commits is 1 request per 1,000 units on S3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import orjson

from factory.errors import ConservationError
from factory.identity import canonical_json
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.objects import damaged, typed

PARALLEL_READS = 16
"""Commits read at once: S3 answers in 5-30 ms, so one at a time would cost minutes at 10,000 units."""

AHEAD = 4 * PARALLEL_READS
"""Reads begun and not taken: what waits for a slow reader is bounded, some 100 kB of commits."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Counts:
    """Rows of one unit, step or run."""

    inputs: int = 0
    used: int = 0
    rejected: int = 0
    quarantined: int = 0
    accepted: int = 0
    output_rejected: int = 0

    @property
    def produced(self) -> int:
        return self.accepted + self.output_rejected

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})

    def check(self, what: str) -> None:
        """Raises ConservationError unless inputs = used + rejected + quarantined."""
        missing = self.inputs - self.used - self.rejected - self.quarantined
        if missing:
            raise ConservationError(
                f"{what}: {self.inputs} rows were read but {self.used} used + {self.rejected} rejected + "
                f"{self.quarantined} quarantined leave {missing} unaccounted for",
                cause="a step dropped or doubled rows; this is a defect of the step, not of your data",
                remedy="please report it with this message; nothing of this unit was committed",
            )

    def to_json(self) -> dict[str, int]:
        return {**asdict(self), "produced": self.produced}


Reasons = Mapping[str, Mapping[str, int]]
"""side ("input", "output", "quarantine") -> reason -> rows."""


@dataclass(frozen=True)
class Commit:
    """What a unit's commit object says.

    `counts` are of the attempt and stay. `erased` says what was taken out of its files since, by the erasure record
    that says so (factory/govern/erasure) and the kind of file: rows that are counted and hold nothing any more.
    """

    unit: str
    attempt: str
    step: str
    run: str
    parent: str
    picks: tuple[int, ...] | None
    files: tuple[FileRef, ...]
    other_files: Mapping[str, Mapping[str, Any]]
    counts: Counts
    reasons: Reasons
    input_ids_digest: str
    accepted_ids_digest: str
    ledger: Mapping[str, float]
    engine: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    erased: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        value = asdict(self)
        value["counts"] = self.counts.to_json()
        if not self.erased:
            del value["erased"]
        return value

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Commit:
        """Raises ValueError for what no attempt has committed: a field of another type, counts that do not add up."""
        commit = typed(Commit, value)
        numbers = [*asdict(commit.counts).values(), *(file.rows for file in commit.files)]
        if min(numbers) < 0 or commit.counts.inputs != (
            commit.counts.used + commit.counts.rejected + commit.counts.quarantined
        ):
            raise ValueError("counts: they do not add up")
        return commit


def commit_key(folder: str, unit: str) -> str:
    return f"steps/{folder}/commits/{unit[:2]}/{unit}.json"


def put_commit(store: Store, commit: Commit) -> Commit:
    """Commits, or finds that another attempt was first: returns the commit that holds, ours or theirs."""
    commit.counts.check(f"{commit.step} unit {commit.unit}")
    key = commit_key(commit.step, commit.unit)
    if store.put_if_absent(key, canonical_json(commit.to_json())):
        return commit
    return read_commit(store, commit.step, commit.unit)


def read_commit(store: Store, folder: str, unit: str) -> Commit:
    """Raises KeyError when the unit is not committed, StoreError when its commit cannot be read."""
    key = commit_key(folder, unit)
    return parsed_commit(store.get(key), store.uri, key)


def parsed_commit(data: bytes, uri: str, key: str) -> Commit:
    """The commit whose bytes these are. Raises StoreError as `read_commit` does."""
    try:
        return Commit.from_json(orjson.loads(data))
    except ValueError as error:
        why = "it is empty" if not data else f"it is no commit ({error})"
        raise damaged(uri, key, why) from None


def read_commits(store: Store, folder: str, units: Iterable[str]) -> Iterator[Commit]:
    """The commits of `units`, in their order, each from its own object (commit_index.py reads many at once)."""
    return ahead(units, lambda unit: read_commit(store, folder, unit))


def ahead(items: Iterable[Item], apply: Callable[[Item], Result]) -> Iterator[Result]:
    """`apply` over `items` in their order, by PARALLEL_READS threads, at most AHEAD of them begun and not taken."""
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(PARALLEL_READS)
    try:
        for item in items:
            waiting.append(pool.submit(apply, item))
            if len(waiting) == AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)  # whoever stops early does not wait for what was never begun


def committed_units(store: Store, folder: str) -> set[str]:
    """Ids of every committed unit of a step, by one listing."""
    found = (info.key for info in store.list(f"steps/{folder}/commits/"))
    return {key.rsplit("/", 1)[1].removesuffix(".json") for key in found if key.endswith(".json")}
