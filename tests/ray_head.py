"""A Ray that many runs of the tests join: `python -m tests.ray_head`, until its standard input ends.

Prints its address. No driver of its own, so it holds no workers; each run that joins is a job with workers of its own,
which end with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import psutil

from factory.engine.placement import ENGINE_RESOURCE
from factory.run.lean_ray import started_lean
from factory.run.session import KEEP_IDLE_WORKERS_MS

ENGINES = 8
OBJECT_STORE_MIB = 150

TRIES = 3
"""A Ray that is slow to start on a busy machine gives up after 30 s (factory/run/session.py)."""


def _started(start: Callable[[], Any]) -> Any:
    for _ in range(TRIES - 1):
        try:
            return start()
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
            for process in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    process.kill()
    return start()


def main() -> None:
    # Not by ray.cluster_utils or `ray start`: they note the address where other programs of this machine look for one.
    from ray._private import parameter
    from ray._private.node import Node

    with started_lean():
        parameters = parameter.RayParams(
            num_cpus=os.cpu_count(),
            num_gpus=0,
            resources={ENGINE_RESOURCE: ENGINES},
            object_store_memory=OBJECT_STORE_MIB * 2**20,
            _system_config={"idle_worker_killing_time_threshold_ms": KEEP_IDLE_WORKERS_MS},
            include_dashboard=False,
        )
        node = _started(lambda: Node(parameters, head=True, shutdown_at_exit=False, spawn_reaper=True))
    print(node.gcs_address, flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # pytest ends it by its standard input, also when interrupted
    sys.stdin.read()
    node.kill_all_processes(check_alive=False, allow_graceful=True)


if __name__ == "__main__":
    main()
