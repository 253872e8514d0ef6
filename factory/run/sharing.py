"""One run worked by several pods without Ray: who works which units of a step, settled on the store.

Design: all pods are given the same command. One of them holds the lease of the run and *leads*: it plans, works what
cannot be split, checks, publishes. While it has a step of several units to work it puts an *offer* onto the store:
step, folder, plan. Every pod, the leader too, takes *shares* of that plan: the units whose place in it, modulo the
number of shares, is the share's. A share is begun under a lease of its own and marked when all its units are committed.
Shares of a pod's own completion index come first, so that pods that start together do not meet; then those that nobody
holds, so that a pod which is late, slow or gone keeps nobody waiting for more than a share. What is right is decided by
commits alone, as everywhere (factory/store/lease.py): two pods in one share cost money, never a row.

The offer is a small object that names what every pod can plan for itself; nothing that is run travels over the store.

Cost: four or five requests a share (its lease taken, looked at and given back, its mark) and one renewal every 5 s; a
pod that waits lists the leases of the step, all pods together at most `LOOKS_A_SECOND` times.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

from factory.cluster.config import ClusterConfig
from factory.errors import ConfigError, StoreError
from factory.identity import canonical_json
from factory.run.drain import is_leaving
from factory.run.units import FileRef, Unit
from factory.store.base import AbsentObjectError, Store
from factory.store.lease import GIVEN_BACK, LENGTH_S, Lease, Wanted, lease_key
from factory.store.objects import typed_in

if TYPE_CHECKING:
    from factory.run.chain import Chain

INDEX_VARIABLE, COMPLETIONS_VARIABLE = "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"
"""The first is set by Kubernetes in every pod of an Indexed Job; the second the manifest sets (infra/k8s)."""

SHARES_A_POD = 8
"""Shares of a step for each pod: the end of a step waits for one share, an eighth of a pod's part, at most."""

LOOKS_A_SECOND = 10.0
"""Listings that all pods that wait may ask of the store together, each second."""

PARALLEL_DELETES = 8


@dataclass(frozen=True)
class Member:
    """This process among those that share a run: `index` of `completions`."""

    index: int = 0
    completions: int = 1

    @property
    def look_s(self) -> float:
        """Seconds between two looks at what others have done."""
        return max(1.0, self.completions / LOOKS_A_SECOND)


def member_of(config: ClusterConfig) -> Member:
    """From the configuration, else from what Kubernetes sets. Raises ConfigError for numbers that do not fit."""
    index = config.index if config.index is not None else _number(INDEX_VARIABLE, 0)
    completions = config.completions if config.completions is not None else _number(COMPLETIONS_VARIABLE, 1)
    if not 0 <= index < completions:
        raise ConfigError(
            f"this is pod {index} of {completions}, which begin with 0",
            cause=f"{COMPLETIONS_VARIABLE} is not set to the Job's `completions`, or cluster.index is wrong",
            remedy=f"set {COMPLETIONS_VARIABLE} (or cluster.completions) to the number of pods, as infra/k8s does",
        )
    return Member(index, completions)


def _number(variable: str, default: int) -> int:
    said = os.environ.get(variable, "").strip()
    if not said:
        return default
    if not said.isdecimal():
        raise ConfigError(
            f"{variable} is '{said}', which is no number",
            cause="the manifest sets it to something else than the Job's number of pods or this pod's own",
            remedy=f"leave {variable} to Kubernetes, or set it as infra/k8s does",
        )
    return int(said)


@dataclass(frozen=True)
class Offer:
    """What the leader works now. `plan` is the digest of the plan's units (record.kept_plan_key); `ranges`, `ends` and
    `visits` are what of a chain grows while it runs (chain.ranges_taken, across.WalkRounds)."""

    stage: str
    folder: str
    plan: str
    shares: int
    ranges: int
    ends: tuple[int, ...] = ()
    visits: tuple[FileRef | None, ...] = ()

    @property
    def leases(self) -> str:
        """Where the leases of this offer's shares lie, below leases/."""
        return f"shares/{self.folder}/{self.plan[:16]}/"


def grown(chain: Chain) -> dict[str, Any]:
    """What of a chain has grown until now, as fields of an offer."""
    return {
        "ranges": chain.ranges_taken,
        "ends": tuple(chain.rounds.ends),
        "visits": tuple(chain.rounds.visits),
    }


def offer_key(run: str) -> str:
    return f"runs/{run}/offer.json"


def put_offer(store: Store, run: str, offer: Offer | None) -> None:
    """Makes the offer the one that holds; None: there is nothing to help with."""
    store.put(offer_key(run), canonical_json(asdict(offer)) if offer else b"{}")


def read_offer(store: Store, run: str) -> Offer | None:
    """Raises StoreError where it is damaged."""
    key = offer_key(run)
    try:
        data = store.get(key)
    except AbsentObjectError:
        return None
    if data == b"{}":
        return None
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = None
    return typed_in(Offer, value, store.uri, key)


def by_share(units: Sequence[Unit], planned: Sequence[str], shares: int) -> list[list[Unit]]:
    """The units of each share; `planned` are the ids of the whole plan, in its order. Units that are not in it are in
    no share."""
    place = {unit_id: number for number, unit_id in enumerate(planned)}
    found: list[list[Unit]] = [[] for _ in range(shares)]
    for unit in units:
        if unit.unit_id in place:
            found[place[unit.unit_id] % shares].append(unit)
    return found


ALONE = Member()


class Shares:
    """The units of an offer that this pod works, share by share as its workers ask for them; used by many threads.

    `all_of_them`: also units of shares that others have finished come out, to be looked up, and `take` waits until
    there is nothing left anywhere: what the leader needs. Else a share that others finished is passed over, and `take`
    has nothing to give while others hold what is left.
    """

    def __init__(
        self,
        store: Store,
        offer: Offer,
        units: Sequence[Sequence[Unit]],
        member: Member,
        *,
        all_of_them: bool,
        length_s: float = LENGTH_S,
    ) -> None:
        self._store, self._offer, self._member, self._all = store, offer, member, all_of_them
        own = [share for share in range(offer.shares) if share % member.completions == member.index]
        others = [(share + member.index * SHARES_A_POD) % offer.shares for share in range(offer.shares)]
        order = [*own, *(share for share in others if share not in set(own))]
        self._open = {share: self._wanted(share, length_s) for share in order if units[share]}
        self._units = units
        self._ready: deque[tuple[int, Unit]] = deque()
        self._held: dict[int, Lease] = {}
        self._left: dict[int, int] = {}
        self._finished: set[int] = set()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._stopped = threading.Event()

    def _wanted(self, share: int, length_s: float) -> Wanted:
        member = self._member
        what = f"{self._offer.folder} share {share} by pod {member.index} of {member.completions}"
        return Wanted(self._store, f"{self._offer.leases}{share}", what, length_s)

    def take(self) -> tuple[int, Unit] | None:
        """A unit with the number of its share; None where there is nothing (more) to do here."""
        with self._turn:  # one looks and waits for all of them
            while not self._stopped.is_set() and not is_leaving():
                with self._lock:
                    if self._ready or self._take_share():
                        return self._ready.popleft()
                    if not self._all or not self._open:
                        return None  # what is left is in other hands, here or elsewhere
                self._stopped.wait(self._member.look_s)
        return None

    def free(self) -> bool:
        """Whether something looks free now. A pod asks before it starts an engine, and takes nothing until that is
        there."""
        with self._lock:
            return next(self._candidates(), None) is not None

    def _take_share(self) -> bool:
        """Puts the units of one more share into `_ready`. Called with the lock held."""
        for share in self._candidates():
            if share in self._finished:
                del self._open[share]
                return self._begin(share)
            lease = self._open[share].take()
            if lease is not None:
                del self._open[share]
                self._held[share] = lease
                return self._begin(share)
        return False

    def _candidates(self) -> Iterator[int]:
        """Shares that look free, or that are finished and wanted all the same, in this pod's order."""
        if not self._open or self._stopped.is_set():
            return
        self._finished, tags = self._look()
        for share, wanted in list(self._open.items()):
            if share in self._finished:
                if self._all:
                    yield share
                else:
                    del self._open[share]
                continue
            tag, size = tags.get(share, ("", len(GIVEN_BACK)))
            wanted.saw(tag)
            if size == len(GIVEN_BACK) or wanted.silent:
                yield share

    def _begin(self, share: int) -> bool:
        self._left[share] = len(self._units[share])
        self._ready.extend((share, unit) for unit in self._units[share])
        return True

    def _look(self) -> tuple[set[int], dict[int, tuple[str, int]]]:
        """Shares that are finished, and entity tag and size of each lease that is there."""
        prefix = lease_key(self._offer.leases).removesuffix(".json")
        finished: set[int] = set()
        tags: dict[int, tuple[str, int]] = {}
        for info in self._store.list(prefix):
            number, _, kind = info.key.removeprefix(prefix).partition(".")
            if not number.isdecimal():
                continue
            if kind == "done":
                finished.add(int(number))
            elif kind == "json":
                tags[int(number)] = (info.etag, info.size)
        return finished, tags

    def settled(self, share: int) -> None:
        """A unit of the share is committed."""
        with self._lock:
            self._left[share] -= 1
            lease = self._held.pop(share, None) if not self._left[share] else None
        if lease is not None:
            self._store.put(_mark(self._offer, share), b"")
            lease.give_back()

    def stop(self) -> None:
        """Nothing more comes out, and what is not finished is given back to whoever wants it."""
        self._stopped.set()
        with self._lock:
            held, self._held = self._held, {}
            self._ready.clear()
        for lease in held.values():
            with suppress(StoreError):
                lease.give_back()


def _mark(offer: Offer, share: int) -> str:
    return lease_key(f"{offer.leases}{share}").removesuffix("json") + "done"


def clear_away(store: Store, offer: Offer) -> None:
    """Removes leases and marks of an offer that is worked. A pod that has not noticed may take a share once more: it
    finds every unit committed, and leaves a lease behind."""
    keys = [info.key for info in store.list(lease_key(offer.leases).removesuffix(".json"))]
    with ThreadPoolExecutor(PARALLEL_DELETES) as pool, suppress(StoreError):
        list(pool.map(store.delete, keys))
