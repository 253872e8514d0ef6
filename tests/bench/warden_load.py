"""`python -m tests.bench.warden_load`: what one warden (engine/warden.py) spends on a part of a unit.

Three processes ask for places for units of 256 requests, more than there is room for, hold each part for a quarter of a
second without an engine, and give it back. So what is measured is Ray's handling of the messages and the dealing. The
last line is one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import psutil  # type: ignore[import-untyped]

from factory.cluster.config import ClusterConfig
from factory.engine.budget import Allowance
from factory.engine.warden import Warden
from factory.run.session import ray_session

ASKERS, UNITS, REQUESTS = 3, 6, 256
REPLICAS, SLOTS = 20, 32
ANSWER_S, SECONDS = 0.25, 8.0


class Probe(Warden):
    async def spent(self) -> float:
        times = psutil.Process().cpu_times()
        return float(times.user + times.system)


async def unit(warden: Any, name: str, until: float) -> int:
    """Asks for unit after unit; gives the number of parts that were answered."""
    done = turn = 0

    async def answered(place: Any) -> None:
        nonlocal done
        await asyncio.sleep(ANSWER_S)
        warden.give_back.remote(place.number, 100, False)
        done += 1

    while time.time() < until:
        left, turn = REQUESTS, turn + 1
        parts: list[asyncio.Future[None]] = []
        while left and time.time() < until:
            places = await warden.place.remote(f"{name}-{turn}", left, [], 10.0)
            left -= sum(place.requests for place in places)
            parts += [asyncio.ensure_future(answered(place)) for place in places]
        await asyncio.gather(*parts)
    return done


def asking(warden: Any, name: str, seconds: float) -> int:
    async def units() -> int:
        until = time.time() + seconds
        return sum(await asyncio.gather(*(unit(warden, f"{name}-{number}", until) for number in range(UNITS))))

    return asyncio.run(units())


def main() -> int:
    with ray_session(ClusterConfig(object_store_mib=100), engines=1):
        import ray

        options: dict[str, Any] = {"num_cpus": 0, "max_concurrency": 10_000}
        warden = ray.remote(Probe).options(**options).remote(Allowance(1, 1, 1), None, REPLICAS, SLOTS)
        task = ray.remote(num_cpus=0)(asking)
        ray.get([task.remote(warden, f"warm-{asker}", 1.0) for asker in range(ASKERS)])
        spent, began = ray.get(warden.spent.remote()), time.monotonic()
        parts = sum(ray.get([task.remote(warden, f"asker-{asker}", SECONDS) for asker in range(ASKERS)]))
        seconds, cost = time.monotonic() - began, ray.get(warden.spent.remote()) - spent
    found = {
        "parts": parts,
        "parts_a_second": round(parts / seconds),
        "ms_of_a_core_a_part": round(cost / parts * 1e3, 3),
    }
    print(json.dumps({"benchmark": "warden_load", **found}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
