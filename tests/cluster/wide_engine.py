"""A driver that starts an engine over several nodes and does what its standard input says, a word a line."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from factory.cluster.joining import join
from factory.engine.api import Batch, Message, Request, Sampling
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.launch import start_pool
from factory.engine.models import resolve
from factory.engine.start_notes import noted_starts
from factory.errors import ConfigError


def main() -> None:
    join(sys.argv[1])
    from ray._private import state

    config = EngineConfig(
        kind="scripted",
        device="gpu",
        tensor_parallel=2,
        pipeline_parallel=2,
        losses_allowed=0,
        hangs_allowed=0,
        scripted_latency_s=1,
    )
    model = resolve(ModelConfig(id="any", license="x", output_terms="y"), "scripted")
    pool: Any = None
    for line in sys.stdin:
        word = line.strip()
        answer: dict[str, Any] = {}
        if word == "start":
            pool = start_pool(config, model, seed=1, run="wide")
        elif word == "stop":
            pool.stop()
            answer["groups"] = living_groups()
        elif word == "too much":
            try:
                start_pool(config.model_copy(update={"replicas": 2}), model, seed=2, run="wide", nodes_wait_s=1)
            except ConfigError as error:
                answer["refused"] = error.what
        else:
            requests = tuple(Request(f"{word}{i}", (Message("user", f"prompt {i}"),)) for i in range(3))
            done = asyncio.run(pool.generate(Batch(requests, Sampling(temperature=0, top_p=1, max_tokens=9))))
            answer["answered"] = sum(completion.error is None for completion in done)
            answer["errors"] = [completion.error for completion in done if completion.error]
        if starts := noted_starts(pool._name):
            newest = max(starts, key=lambda start: start.number)
            answer |= {"nodes": list(newest.nodes), "actor": state.actors(newest.actor)["Address"]["NodeID"]}
        print(json.dumps(answer), flush=True)


def living_groups() -> int:
    """Placement groups that still hold something, a moment after they were given back."""
    from ray.util.placement_group import placement_group_table

    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        alive = [group for group in placement_group_table().values() if group["state"] != "REMOVED"]
        if not alive:
            return 0
        time.sleep(0.2)
    return len(alive)


if __name__ == "__main__":
    main()
