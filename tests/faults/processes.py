"""The processes of a run, by what they do: driver, raylet, worker, engine, warden.

Design: every run of the suite carries a mark of its own (its trial's folder and its number) in its environment, and all
that Ray starts inherits it: so processes are found however they were reparented, also by the suite that follows one
that was killed, and nothing else on the machine is ever touched. Ray names its workers
by what they do (`ray::MapBatches(LlmTask)`, `ray::EngineActor.generate`); SPT_NOENV keeps those names from overwriting
the environment in /proc.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Iterable

import psutil

MARK = "FACTORY_FAULT_TRIAL"

SERVICES = {"raylet": "raylet", "gcs_server": "head"}

POOL, SPAWNED = "from multiprocessing.forkserver", "from multiprocessing.spawn"
"""On the command lines of processes without Ray: of the server that forks workers and of these, and of engines."""

GONE_S = 60
"""How long workers of a killed driver may take to leave; it takes them 2 to 5 s."""


def marked(mark: str) -> list[psutil.Process]:
    """Every process whose environment carries the mark, or one that begins with it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK, "").startswith(mark):
                found.append(process)
    return found


def kind_of(process: psutil.Process, driver: int) -> str:
    """ "driver", "engine", "warden", "worker", "idle" or "service"; under Ray also "raylet" and "head" (its GCS), and a
    "worker" is at a unit now; without Ray any process of the pool is one, and the server that forks them is "pool"."""
    if process.pid == driver:
        return "driver"
    words = process.cmdline()
    title = words[0] if words else ""
    for kind, of_it, its_child in ((POOL, "pool", "worker"), (SPAWNED, "engine", "service")):
        if kind in " ".join(words):
            parent = process.parent()
            return its_child if parent is not None and kind in " ".join(parent.cmdline()) else of_it
    if "EngineActor" in title:
        return "engine"
    if "Warden" in title:
        return "warden"
    if title.startswith("ray::") and not title.endswith("Agent"):
        return "worker" if "LlmTask" in title or "WorkTask" in title else "idle"
    return SERVICES.get(title.rsplit("/", 1)[-1], "service")


def by_kind(mark: str, driver: int) -> dict[str, list[psutil.Process]]:
    """Living processes of a run, by `kind_of`; children of the engine (vLLM has some) are "engine child"."""
    kinds: dict[str, list[psutil.Process]] = defaultdict(list)
    for process in marked(mark):
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                kinds[kind_of(process, driver)].append(process)
    for engine in kinds["engine"]:
        with contextlib.suppress(psutil.Error):
            kinds["engine child"] += engine.children(recursive=True)
    return kinds


def wait_until_workers_left(mark: str, driver: int, limit_s: float = GONE_S) -> bool:
    """Waits until no worker of a dead driver is left, so that no unit commits any more; whether it came to that.

    Ray's own services take up to a minute more to notice and do no work of ours.
    """
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        kinds = by_kind(mark, driver)
        if not any(kinds[kind] for kind in ("worker", "engine", "idle", "pool")):
            return True
        time.sleep(0.2)
    return False


def end(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL, and waits."""
    left = list(processes)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=10)
