"""Which replica answers which requests of which unit: one queue for all units, dealt out as replicas have room.

Design: requests of an open unit may go to any replica, and none is bound to one before it has room: what waits, waits
here. So nothing has to be stolen back. A replica has room for `OPEN_A_SLOT` requests a slot (vLLM: max_num_seqs), so
many that it never drains between two answers; the emptiest one is served first, the oldest unit first, so units finish
one after another and not all at the end. Parts shrink with what is waiting (guided self-scheduling, Polychronopoulos
and Kuck 1987): large ones while there is much, single requests at last, so the end of a step is spread over all
replicas and its tail is about one request long. No request is asked twice for that.

Engines without slots answer everything at once, and one replica needs no dealing: there a unit goes as a whole. Pure
bookkeeping; times are the caller's. Cost of a part: docs/scale.md; replicas that are shut cost a deal a look at each.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection
from dataclasses import dataclass, field

OPEN_A_SLOT = 3.0
"""Requests open in a replica for each that it can run: a part is answered as a whole, so some of what counts as open is
done already (docs/decisions/0014-prefixes-and-the-tail.md)."""

LARGEST_PART = 8
SLOTS_A_PART = 4
"""Requests of a part: at most so many, and at most one for so many slots. They come back together, and the slots of
those that are done early wait for the next part."""

PARTS_LEFT = 2
"""Parts a replica that are still to come, as far as what waits shows: the divisor of guided self-scheduling."""

AWAY_S = 5.0
"""How long nobody is sent to a replica that somebody found lost, so that not all units run into the same dead one."""

STALE_AT_MOST = 8
"""Entries of a heap for each that holds, before the outdated ones are thrown out."""

SILENT_S = 60.0
"""An asker that gave no sign for so long is dead: what it had open counts no more."""


@dataclass(frozen=True)
class Place:
    """Room in `replica` for so many requests, until it is given back by its `number`."""

    number: int
    replica: int
    requests: int


@dataclass(frozen=True)
class Pressure:
    """What the pool's queue looks like. `slots`: what all replicas that are there can run at once, None where that is
    unknown; `open` and `waiting` in requests; `tokens` of all answers so far; `memory_left`: the smallest share of
    memory that is left on a node that asks."""

    slots: int | None
    open: int
    waiting: int
    tokens: int
    memory_left: float


@dataclass
class _Asked:
    ticket: str
    want: int
    avoid: frozenset[int]


@dataclass
class _Asker:
    born: int
    seen: float
    memory_left: float = 1.0
    places: set[int] = field(default_factory=set)


class Places:
    """`slots`: requests that one replica runs at once; None: as many as it is given."""

    def __init__(self, replicas: int, slots: int | None) -> None:
        self._slots = slots
        self._open = [0] * replicas
        self._emptiest = [(0, replica) for replica in range(replicas)]  # a heap; what is not as in `_open` is stale
        self._aside: set[int] = set()  # found shut, and taken out of the heap until they are not
        self._away_until: dict[int, float] = {}
        self._askers: dict[str, _Asker] = {}
        self._given: dict[int, tuple[str, Place]] = {}
        self._queue: list[tuple[int, int]] = []  # by age of the asker; what is not in `_asked` has gone
        self._asked: dict[int, _Asked] = {}
        self._wanted = 0
        self._tokens = 0
        self._counter = 0

    def ask(self, ticket: str, want: int, avoid: Collection[int], now: float) -> int:
        """`want` requests look for a place, not in the replicas `avoid`; gives the number to know it by."""
        self._counter += 1
        asker = self._asker(ticket, now)
        number = self._counter
        self._asked[number] = _Asked(ticket, want, frozenset(avoid))
        heapq.heappush(self._queue, (asker.born, number))
        if len(self._queue) > STALE_AT_MOST * len(self._asked):
            self._queue = sorted(entry for entry in self._queue if entry[1] in self._asked)
        self._wanted += want
        return number

    def withdraw(self, number: int) -> None:
        """Whoever asked has gone, or asks again."""
        if (asked := self._asked.pop(number, None)) is not None:
            self._wanted -= asked.want

    def deal(self, closed: Collection[int], now: float) -> list[tuple[int, tuple[Place, ...]]]:
        """Places for those that wait, by the number of their asking, for as many of their requests as there is room;
        none in the replicas `closed`. Who still wants some asks again."""
        dealt: list[tuple[int, tuple[Place, ...]]] = []
        shut = self._shut(closed, now)
        for replica in self._aside - shut:
            heapq.heappush(self._emptiest, (self._open[replica], replica))
        self._aside &= shut
        passed: list[tuple[int, int]] = []
        while self._queue and self._with_room(shut) is not None:
            entry = heapq.heappop(self._queue)
            number = entry[1]
            if (asked := self._asked.get(number)) is None:
                continue
            if not (places := self._placed(asked, shut)):
                passed.append(entry)
                continue
            self.withdraw(number)
            self._given |= {place.number: (asked.ticket, place) for place in places}
            self._asker(asked.ticket, now).places |= {place.number for place in places}
            dealt.append((number, places))
        for entry in passed:
            heapq.heappush(self._queue, entry)
        return dealt

    def _shut(self, closed: Collection[int], now: float) -> set[int]:
        return {*closed, *(replica for replica, until in self._away_until.items() if until > now)}

    def _placed(self, asked: _Asked, shut: Collection[int]) -> tuple[Place, ...]:
        """Places for as many of the requests as there is room for, each part in the emptiest replica it may go to."""
        places: list[Place] = []
        left, wanted = asked.want, self._wanted
        while left and (replica := self._with_room(shut, asked.avoid)) is not None:
            part = self._part(left, wanted, replica)
            self._counter += 1
            places.append(Place(self._counter, replica, part))
            self._change(replica, part)
            left, wanted = left - part, wanted - part
        return tuple(places)

    def _with_room(self, shut: Collection[int], avoid: Collection[int] = ()) -> int | None:
        """The emptiest replica that is neither `shut` nor in `avoid`; None where that is full."""
        avoided: list[tuple[int, int]] = []
        found: int | None = None
        while self._emptiest:
            held, replica = self._emptiest[0]
            holds = held == self._open[replica] and replica not in self._aside
            if holds and replica not in shut and replica not in avoid:
                found = replica if self._room(replica) > 0 else None
                break
            entry = heapq.heappop(self._emptiest)
            if holds and replica in shut:
                self._aside.add(replica)  # else a thousand that have yet to come were passed over for every part
            elif holds:
                avoided.append(entry)
        for entry in avoided:
            heapq.heappush(self._emptiest, entry)
        return found

    def _change(self, replica: int, requests: int) -> None:
        self._open[replica] += requests
        heapq.heappush(self._emptiest, (self._open[replica], replica))
        if len(self._emptiest) > STALE_AT_MOST * len(self._open):
            self._emptiest = sorted((held, each) for each, held in enumerate(self._open) if each not in self._aside)

    def give_back(self, number: int, tokens: int, lost: bool, now: float) -> None:
        """What had the place is answered (`tokens` in all), or its replica was `lost`."""
        self._tokens += tokens
        ticket, place = self._given.pop(number, ("", None))
        if place is None:
            return
        self._change(place.replica, -place.requests)
        if lost:
            self._away_until[place.replica] = now + AWAY_S
        if ticket in self._askers:
            self._askers[ticket].places.discard(number)

    def lives(self, ticket: str, memory_left: float, now: float) -> None:
        """A sign of life; `memory_left` is the share of its node's memory that is left."""
        self._asker(ticket, now).memory_left = memory_left

    def leave(self, ticket: str) -> None:
        """The asker is gone: what it still holds is given back."""
        asker = self._askers.pop(ticket, None)
        for number in list(asker.places) if asker is not None else ():
            self.give_back(number, 0, False, 0.0)
        for number in [number for number, asked in self._asked.items() if asked.ticket == ticket]:
            self.withdraw(number)

    def forget_silent(self, now: float) -> None:
        for ticket in [name for name, asker in self._askers.items() if now - asker.seen > SILENT_S]:
            self.leave(ticket)

    def pressure(self, closed: Collection[int], now: float) -> Pressure:
        """The queue, and the slots of all replicas but those in `closed` and those just lost."""
        there = len(self._open) - len(self._shut(closed, now))
        return Pressure(
            slots=None if self._slots is None else self._slots * there,
            open=sum(self._open),
            waiting=self._wanted,
            tokens=self._tokens,
            memory_left=min((asker.memory_left for asker in self._askers.values()), default=1.0),
        )

    def _asker(self, ticket: str, now: float) -> _Asker:
        if ticket not in self._askers:
            self._counter += 1
            self._askers[ticket] = _Asker(self._counter, now)
        asker = self._askers[ticket]
        asker.seen = now
        return asker

    @property
    def _is_dealt(self) -> bool:
        return self._slots is not None and len(self._open) > 1

    def _room(self, replica: int) -> int:
        if self._slots is None or not self._is_dealt:
            return 1 << 30
        return math.ceil(OPEN_A_SLOT * self._slots) - self._open[replica]

    def _part(self, want: int, wanted: int, replica: int) -> int:
        """How many of `want` requests, of `wanted` of all units, go there now."""
        if not self._is_dealt:
            return want
        share = math.ceil(wanted / (PARTS_LEFT * len(self._open)))
        largest = min(LARGEST_PART, (self._slots or 0) // SLOTS_A_PART)
        return max(1, min(want, share, largest, self._room(replica)))
