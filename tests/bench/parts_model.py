"""`python -m tests.bench.parts_model`: how full slots are under ways of handing requests to engines, simulated.

Four engines with slots, units of requests with lognormal times, eight units open an engine. By lot: a unit goes as a
whole to an engine drawn at random, as the factory did before it had one queue. Otherwise as factory/engine/places.py
deals, with so many requests open a slot and parts of at most so many. Each figure is the share of the time in which
slots were busy, from the first request to the last answer; the table is in docs/decisions/0014.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from dataclasses import dataclass

ENGINES, OPEN_UNITS = 4, 8
SIZES = ((8, 16, 400), (64, 64, 400), (256, 256, 300))
"""Slots of an engine, requests of a unit, units."""


@dataclass(frozen=True)
class Way:
    """`open_a_slot` and `part` None: by lot."""

    name: str
    open_a_slot: float | None = None
    part: int | None = None


WAYS = (
    Way("a unit as a whole, by lot"),
    Way("2 a slot, parts of 8", 2, 8),
    Way("3 a slot, parts of 8 (chosen)", 3, 8),
    Way("2 a slot, parts of 16", 2, 16),
    Way("3 a slot, single requests", 3, 1),
)


def busy_share(way: Way, slots: int, rows: int, units: int, sigma: float, seed: int = 1) -> float:
    """Simulates requests with a mean time of 1."""
    draw = random.Random(seed)
    median = math.exp(-(sigma**2) / 2)
    held, free = [0] * ENGINES, [slots] * ENGINES
    queues: list[deque[int]] = [deque() for _ in range(ENGINES)]
    left, answered = [rows] * units, [0] * units
    parts: dict[int, tuple[int, int, int]] = {}  # number -> unit, requests, answered
    open_units: list[int] = []
    events: list[tuple[float, int, int, int]] = []
    numbers, begun, busy, now = itertools.count(), 0, 0.0, 0.0

    def hand_over(unit: int, engine: int, requests: int) -> None:
        number = next(numbers)
        parts[number] = (unit, requests, 0)
        left[unit] -= requests
        held[engine] += requests
        queues[engine].extend([number] * requests)

    def start(engine: int) -> None:
        nonlocal busy
        while free[engine] and queues[engine]:
            free[engine] -= 1
            seconds = draw.lognormvariate(math.log(median), sigma)
            busy += seconds
            heapq.heappush(events, (now + seconds, next(numbers), engine, queues[engine].popleft()))

    def deal() -> None:
        nonlocal begun
        while len(open_units) < OPEN_UNITS * ENGINES and begun < units:
            open_units.append(begun)
            if way.part is None:
                hand_over(begun, draw.randrange(ENGINES), rows)
            begun += 1
        while way.part is not None and (waiting := [unit for unit in open_units if left[unit]]):
            engine = min(range(ENGINES), key=held.__getitem__)
            room = math.ceil((way.open_a_slot or 0) * slots) - held[engine]
            if room <= 0:
                break
            share = math.ceil(sum(left[unit] for unit in waiting) / (2 * ENGINES))
            largest = min(way.part, slots // 4)
            hand_over(waiting[0], engine, max(1, min(left[waiting[0]], share, largest, room)))
        for each in range(ENGINES):
            start(each)

    deal()
    while events:
        now, _, engine, number = heapq.heappop(events)
        free[engine] += 1
        unit, requests, done = parts.pop(number)
        answered[unit] += 1
        if done + 1 < requests:
            parts[number] = (unit, requests, done + 1)
            start(engine)
            continue
        held[engine] -= requests
        if answered[unit] == rows:
            open_units.remove(unit)
        deal()
    return busy / (now * ENGINES * slots)


def main() -> None:
    titles = " | ".join(f"{slots} slots, {rows} requests a unit" for slots, rows, _ in SIZES)
    print(f"| way | sigma | {titles} |\n|---|---:|{'---:|' * len(SIZES)}")
    for sigma in (0.5, 0.7):
        for way in WAYS:
            shares = " | ".join(f"{busy_share(way, *size, sigma):.3f}" for size in SIZES)
            print(f"| {way.name} | {sigma} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
