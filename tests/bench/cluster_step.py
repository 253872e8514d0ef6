"""One LLM step on a cluster that is there: `python -m tests.bench.cluster_step ADDRESS FOLDER REPLICAS UNITS …`.

A driver of its own, as a run has one. A first, small step starts the worker processes; then the step that counts is
worked, its units committed into FOLDER. The last line of stdout is one JSON object: seconds from the first batch on its
way to an engine to the last commit, the same with the step's start, and when each unit was committed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from factory.store.local import LocalStore
from tests.bench.engine import TimedPools
from tests.bench.fixed_length import FixedLengthStep, commit_passages

WORDS = 60
TOKENS = 64
WARM_UNIT_ROWS = 4


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cluster_step", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("folder")
    parser.add_argument("--replicas", type=int, required=True)
    parser.add_argument("--units", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--latency", required=True, help="engine.extra.latency as JSON")
    options = parser.parse_args()
    print(json.dumps(measure(options)), flush=True)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    from factory.engine.launch import start_pool
    from factory.engine.models import resolve
    from factory.run.compose import compose
    from factory.run.session import ray_session

    overrides = [
        "preset=demo",
        "engine=scripted",
        f"store.root={options.folder}",
        f"engine.replicas={options.replicas}",
    ]
    config = compose([*overrides, f"+engine.extra.latency={_hydra(json.loads(options.latency))}"])
    config = config.model_copy(
        update={"cluster": config.cluster.model_copy(update={"address": options.address})},
    )
    store, step = LocalStore(options.folder), FixedLengthStep(TOKENS)
    with ray_session(config.cluster, engines=options.replicas):
        pool = start_pool(config.engine, resolve(config.model, "scripted"), seed=config.seed, run="cluster")
        try:
            info = asdict(pool.info())
            most = config.engine.units_in_flight * options.replicas
            warm = commit_passages(store, 0, most * WARM_UNIT_ROWS, WARM_UNIT_ROWS, WORDS)
            _worked(store, step, warm, pool, info, config, adaptive=False)
            units = commit_passages(store, 1, options.units * options.rows, options.rows, WORDS)
            return _worked(store, step, units, pool, info, config, adaptive=config.engine.adaptive_units)
        finally:
            pool.stop()


def _worked(
    store: LocalStore, step: FixedLengthStep, units: Any, pool: Any, info: Any, config: Any, *, adaptive: bool
) -> dict[str, Any]:
    from factory.engine.build import slots_of
    from factory.run.attempt import StepRun
    from factory.run.execute import run_llm

    run = StepRun(f"{step.name}-{len(units):016x}", "bench")
    most = config.engine.units_in_flight * config.engine.replicas
    called = time.time()
    timed = TimedPools(pool, store.root).timed(run.folder)
    receipts = list(run_llm(store, step, run, units, timed, info, most, slots_of(config.engine), adaptive))
    if sum(receipt.commit is not None for receipt in receipts) != len(units):
        raise RuntimeError(f"{len(units)} units gave {len(receipts)} receipts")
    folder = Path(store.root)
    first = min(path.stat().st_mtime for path in folder.glob(f"{run.folder}-*"))
    commits = sorted(path.stat().st_mtime for path in folder.glob(f"steps/{run.folder}/commits/*/*.json"))
    requests = int(sum(receipt.spent.get("requests", 0) for receipt in receipts))
    return {
        "seconds": round(commits[-1] - first, 3),
        "seconds_with_start": round(time.time() - called, 3),
        "began": first,
        "ended": commits[-1],
        "commits": [round(moment - first, 3) for moment in commits],
        "requests": requests,
        "driver": os.getpid(),
    }


def _hydra(values: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"


if __name__ == "__main__":
    main()
