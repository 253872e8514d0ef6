"""A run on many preempted nodes as discrete events: what it takes against the ideal, and what is done twice.

Design: a heap of events. A node is one engine and the processes of the units that it hosts; it is taken away after an
exponential time and comes back after a delay. A unit is so many seconds of one engine. `queue` is how the factory deals
(factory/engine/places.py): units wait in one queue, as many are at work as there are engines, and at the end, when
fewer are left than engines, each is spread over as many engines as its requests allow. `pinned` is the same without
dealing: a unit's requests go to the engine of the node that hosts it, which shares itself among the units it has. When
a node goes, the units it hosts begin again; of other units that were at its engine, in `queue`, only the requests in
that engine are asked again. After its last request has begun a unit waits for an answer (lognormal) and its commit.

Simulated are seconds and GPU-seconds, not requests: 400,000 units are 400,000 events, some 10 s of a core.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True)
class World:
    """Times in seconds. `open_units` a node; `spread`: engines that the requests of one unit can use at once;
    `latency_s` is the median of one answer and `latency_sigma` the spread of its logarithm."""

    nodes: int
    units: int
    unit_s: float
    unit_sigma: float = 0.3
    open_units: int = 2
    spread: int = 16
    latency_s: float = 20.0
    latency_sigma: float = 0.7
    commit_s: float = 0.2
    preempted_every_s: float = math.inf
    away_s: float = 300.0
    policy: Literal["queue", "pinned"] = "queue"
    seed: int = 17


@dataclass(frozen=True)
class Outcome:
    """Seconds of the run; of the ideal one, in which all nodes work all the time and nothing is lost; `tail_s` from
    95 % of the units committed to all of them; work done twice in GPU-seconds."""

    seconds: float
    ideal_s: float
    work_s: float
    redone_s: float
    units_begun: int
    preemptions: int
    tail_s: float

    @property
    def slower(self) -> float:
        return self.seconds / self.ideal_s

    @property
    def redone_share(self) -> float:
        return self.redone_s / self.work_s

    @property
    def tail_share(self) -> float:
        return self.tail_s / self.seconds


@dataclass
class _Unit:
    work: float
    left: float
    host: int = -1
    epoch: int = 0
    """Raised when it is begun again or moved: events of earlier epochs mean nothing."""
    at_work: bool = False
    finished: bool = False


@dataclass
class _Node:
    alive: bool = True
    hosted: set[int] = field(default_factory=set)


class _Run:
    """The state of a simulation; mutable. Work is done between events at the rates of the last one."""

    def __init__(self, world: World) -> None:
        self.world, self.random = world, random.Random(world.seed)
        # Sizes first and in order: two policies in one world have the same units.
        mu = math.log(world.unit_s) - world.unit_sigma**2 / 2
        works = [self.random.lognormvariate(mu, world.unit_sigma) for _ in range(world.units)]
        self.units = [_Unit(work, work) for work in works]
        self.nodes = [_Node() for _ in range(world.nodes)]
        self.alive = world.nodes
        self.todo = deque(range(world.units))
        self.waiting: deque[int] = deque()  # hosted, no engine yet (queue only)
        self.working: set[int] = set()
        self.events: list[tuple[float, int, str, int, int]] = []
        self.count = 0
        self.now = 0.0
        self.redone = 0.0
        self.begun = self.preemptions = 0
        self.commits: list[float] = []
        self.since: dict[int, float] = {}
        self.rate: dict[int, float] = {}
        self.engines = 1.0
        """For each unit at work, as they were dealt out last."""

    def push(self, moment: float, kind: str, which: int, epoch: int = 0) -> None:
        self.count += 1
        heapq.heappush(self.events, (moment, self.count, kind, which, epoch))

    # -- progress of units ------------------------------------------------------------------------------------------

    def settle(self, unit: int) -> None:
        """Books what a unit at work has got since it was last looked at."""
        one = self.units[unit]
        if one.at_work:
            one.left = max(0.0, one.left - (self.now - self.since[unit]) * self.rate[unit])
            self.since[unit] = self.now

    def set_rate(self, unit: int, rate: float) -> None:
        """From now on `unit` gets so many engines; its end is an event of a new epoch."""
        if self.rate.get(unit) == rate and self.units[unit].at_work:
            return
        self.settle(unit)
        one = self.units[unit]
        one.at_work, one.epoch = True, one.epoch + 1
        self.since[unit], self.rate[unit] = self.now, rate
        if rate > 0:
            self.push(self.now + one.left / rate, "worked", unit, one.epoch)

    def stop_work(self, unit: int) -> None:
        self.settle(unit)
        self.units[unit].at_work = False
        self.units[unit].epoch += 1
        self.working.discard(unit)
        self.rate.pop(unit, None)

    # -- who works on what ------------------------------------------------------------------------------------------

    def fill(self, node: int) -> None:
        """Opens units on a node that has room for them."""
        host = self.nodes[node]
        while host.alive and self.todo and len(host.hosted) < self.world.open_units:
            unit = self.todo.popleft()
            self.units[unit].host = node
            host.hosted.add(unit)
            self.begun += 1
            if self.world.policy == "queue":
                self.waiting.append(unit)
        if self.world.policy == "pinned":
            self.share(node)

    def share(self, node: int) -> None:
        mine = [unit for unit in self.nodes[node].hosted if not self.units[unit].finished]
        for unit in mine:
            self.working.add(unit)
            self.set_rate(unit, 1.0 / len(mine))

    def deal(self) -> None:
        """As many units at work as engines; where there are fewer, each gets as many engines as it can use."""
        while len(self.working) < self.alive and self.waiting:
            unit = self.waiting.popleft()
            if self.units[unit].host < 0 or self.units[unit].finished or unit in self.working:
                continue
            self.working.add(unit)
            self.set_rate(unit, 1.0)
        if not self.working:
            return
        engines = min(float(self.world.spread), self.alive / len(self.working))
        if engines != 1.0 or self.engines != 1.0:  # also when those that had several give them up
            for unit in list(self.working):
                self.set_rate(unit, engines)
        self.engines = engines

    # -- events -----------------------------------------------------------------------------------------------------

    def worked(self, unit: int, epoch: int) -> None:
        one = self.units[unit]
        if one.epoch != epoch:
            return
        self.stop_work(unit)
        one.finished, one.left = True, 0.0
        last = self.random.lognormvariate(math.log(self.world.latency_s), self.world.latency_sigma)
        self.push(self.now + last + self.world.commit_s, "committed", unit, one.epoch)
        if self.world.policy == "pinned":
            self.share(one.host)
        else:
            self.deal()

    def committed(self, unit: int, epoch: int) -> None:
        one = self.units[unit]
        if one.epoch != epoch:
            return
        self.commits.append(self.now)
        host = one.host
        self.nodes[host].hosted.discard(unit)
        one.host = -1
        self.fill(host)
        if self.world.policy == "queue":
            self.deal()

    def gone(self, node: int) -> None:
        self.preemptions += 1
        host = self.nodes[node]
        host.alive = False
        self.alive -= 1
        for unit in sorted(host.hosted):
            self.stop_work(unit)
            one = self.units[unit]
            self.redone += one.work - one.left
            one.left, one.host, one.finished = one.work, -1, False
            self.todo.appendleft(unit)
        host.hosted.clear()
        if self.world.policy == "queue":
            self.answers_lost()
        for each, other in enumerate(self.nodes) if self.world.policy == "queue" and len(self.commits) else ():
            if other.alive and len(other.hosted) < self.world.open_units and self.todo:
                self.fill(each)
        if self.world.policy == "queue":
            self.deal()
        self.push(self.now + self.world.away_s, "back", node)

    def answers_lost(self) -> None:
        """The requests in an engine that went, of units hosted elsewhere: each half done on the average."""
        mean = self.world.latency_s * math.exp(self.world.latency_sigma**2 / 2)
        victim = self.random.choice(sorted(self.working)) if self.working else None
        if victim is None:
            return
        self.settle(victim)
        one = self.units[victim]
        lost = min(mean / 2, one.work - one.left)
        self.redone += lost
        one.left += lost
        rate, self.rate[victim] = self.rate[victim], 0.0
        self.set_rate(victim, rate)

    def back(self, node: int) -> None:
        self.nodes[node].alive = True
        self.alive += 1
        self.fill(node)
        if self.world.policy == "queue":
            self.deal()
        self.live(node)

    def live(self, node: int) -> None:
        if math.isfinite(self.world.preempted_every_s):
            self.push(self.now + self.random.expovariate(1 / self.world.preempted_every_s), "gone", node)


def simulate(world: World) -> Outcome:
    """The run of `world` to its last commit; the same for the same world."""
    run = _Run(world)
    for node in range(world.nodes):
        run.fill(node)
        run.live(node)
    if world.policy == "queue":
        run.deal()
    while len(run.commits) < world.units:
        moment, _, kind, which, epoch = heapq.heappop(run.events)
        run.now = moment
        if kind == "worked":
            run.worked(which, epoch)
        elif kind == "committed":
            run.committed(which, epoch)
        elif kind == "gone":
            run.gone(which)
        else:
            run.back(which)
    work = sum(unit.work for unit in run.units)
    done = run.commits[-(-95 * world.units // 100) - 1]
    ideal = work / world.nodes
    return Outcome(run.commits[-1], ideal, work, run.redone, run.begun, run.preemptions, run.commits[-1] - done)


def undealt(world: World) -> World:
    """The same work without one queue."""
    return replace(world, policy="pinned")
