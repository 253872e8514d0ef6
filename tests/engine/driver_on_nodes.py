"""A driver that asks engines on a cluster while a node of it goes: `python -m tests.engine.driver_on_nodes ADDRESS`.

Prints `asking` when the requests are in the engines, waits for a line of its input (by then the node is gone), and
prints what came of them as one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from factory.cluster.config import ClusterConfig
from factory.engine.api import Batch, Message, Request, Sampling
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.launch import start_pool
from factory.engine.models import resolve
from factory.run.session import ray_session

REPLICAS, REQUESTS = 3, 48
SETTINGS = EngineConfig(
    kind="scripted",
    replicas=REPLICAS,
    losses_allowed=0,
    extra={"latency": {"median_s": 4.0, "sigma": 0.3, "slots": 8}},
)
"""A loss that counted would end this at once. Four seconds: long enough that the node goes while it has requests."""


async def ask(pool: Any) -> dict[str, Any]:
    requests = tuple(Request(f"r{number}", (Message("user", f"prompt {number}"),)) for number in range(REQUESTS))
    work = asyncio.ensure_future(pool.generate(Batch(requests, Sampling(temperature=0.7, top_p=0.9, max_tokens=64))))
    while pool.pressure().open < REQUESTS:
        await asyncio.sleep(0.1)
    print("asking", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began = time.monotonic()
    completions = await work
    return {
        "ids": [each.request_id for each in completions],
        "errors": [each.error for each in completions if each.error],
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    with ray_session(ClusterConfig(address=sys.argv[1]), engines=REPLICAS):
        model = resolve(ModelConfig(id="any", license="x", output_terms="y"), "scripted")
        pool = start_pool(SETTINGS, model, seed=1, run="nodes")
        try:
            print(json.dumps(asyncio.run(ask(pool))), flush=True)
        finally:
            pool.stop()


if __name__ == "__main__":
    main()
