"""One start of the command in a soak: watched, struck by a fault, and looked at for what it left.

Design: every start is a process of its own with a mark in its environment (processes.py), so that whatever it leaves is
found; Ray's files lie in a folder that goes with it. A fault falls after so many seconds, drawn by the soak: anywhere
from Ray's start to publishing.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from factory.store.base import Store
from tests.faults.processes import MARK, by_kind, end, marked, wait_until_workers_left
from tests.runs import REPOSITORY, command, environment
from tests.s3_server import S3Server

RUN_LIMIT_S = 900.0
"""A run takes 15 s alone and some minutes on a machine that has much else to do; one that takes longer hangs."""

LEAVE_S = 90.0
"""Ray's services notice within a minute that their driver was killed."""

SAMPLED = 40
"""Commits whose bytes are held against what they were a round before."""

SETTINGS = ("select.unit_rows=4", "curate.unit_rows=8", "engine.units_in_flight=2", "engine.scripted_latency_s=0.2")


@dataclass
class Round:
    """What one round was and what it left."""

    store: str
    fault: str
    struck: bool = False
    starts: int = 0
    seconds: float = 0.0
    samples: int = 0
    requests: int = 0
    driver_mib: float = 0.0
    driver_files: int = 0
    processes: int = 0
    orphans: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass
class Place:
    """A root and everything that was ever published under it. `server` is None for a folder."""

    kind: str
    root: str
    store: Store
    server: S3Server | None
    datasets: set[str] = field(default_factory=set)
    commits: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Watched:
    """A driver's peaks while it runs, and those of its process tree."""

    mib: float = 0.0
    files: int = 0
    processes: int = 0

    def sample(self, process: subprocess.Popen[bytes], mark: str) -> None:
        with contextlib.suppress(psutil.Error, OSError, StopIteration, ValueError):
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peak = next(line for line in status if line.startswith("VmHWM"))
            self.mib = max(self.mib, int(peak.split()[1]) / 1024)
            self.files = max(self.files, len(list(Path(f"/proc/{process.pid}/fd").iterdir())))
            self.processes = max(self.processes, len(psutil.Process(process.pid).children(recursive=True)))


def run_once(folder: Path, place: Place, corpus: Path, found: Round, fault: str, delay: float) -> dict[str, Any] | None:
    """One start of the command: what it says at its end, None where it did not succeed."""
    mark, ray = uuid.uuid4().hex, folder / "ray"
    out, err = folder / "run.out", folder / "run.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            command(corpus, place.root, SETTINGS),
            cwd=REPOSITORY,
            env={**environment(), MARK: mark, "SPT_NOENV": "1", "RAY_TMPDIR": str(ray)},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    found.starts += 1
    watched, over = Watched(), threading.Event()
    watching = threading.Thread(target=_watch, args=(watched, process, mark, over), daemon=True)
    watching.start()
    struck = False
    try:
        struck = fault != "none" and strike(fault, process, mark, place, delay)
        process.wait(timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        found.failures.append(f"a run did not end within {RUN_LIMIT_S:.0f} s: {last_line(err)}")
        process.kill()
        process.wait()
    finally:
        if process.poll() is None:  # the soak itself was stopped
            process.kill()
            process.wait()
        over.set()
        watching.join()
    found.struck |= struck
    orphans = left_behind(mark, process.pid)
    found.orphans += len(orphans)
    if orphans:
        found.failures.append(f"{len(orphans)} processes outlive their run by {LEAVE_S:.0f} s: {', '.join(orphans)}")
    shutil.rmtree(ray, ignore_errors=True)
    found.driver_mib = max(found.driver_mib, watched.mib)
    found.driver_files = max(found.driver_files, watched.files)
    found.processes = max(found.processes, watched.processes)
    if process.returncode == 0:
        said: dict[str, Any] = json.loads(out.read_text().strip().splitlines()[-1])
        return said
    if not struck:
        found.failures.append(f"an undisturbed start ended with {process.returncode}: {last_line(err)}")
    return None


def strike(fault: str, process: subprocess.Popen[bytes], mark: str, place: Place, delay: float) -> bool:
    """Waits `delay` seconds and does it; whether there was anything left to do it to."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=delay)
    if process.poll() is not None:
        return False
    if fault == "driver killed":
        process.kill()
    elif fault == "terminated":
        process.terminate()
    elif fault == "server restarted" and place.server is not None:
        place.server.kill()
        time.sleep(1 + delay / 10)
        place.server.start()
    else:
        return _kill_one("engine" if fault == "engine killed" else "worker", process, mark)
    return True


def _kill_one(kind: str, process: subprocess.Popen[bytes], mark: str) -> bool:
    """SIGKILL to a process of the run, as soon as there is one of this kind; False where the run ends before."""
    while process.poll() is None:
        for victim in by_kind(mark, process.pid)[kind]:
            with contextlib.suppress(psutil.Error):
                victim.kill()
                return True
        time.sleep(0.2)
    return False


def left_behind(mark: str, driver: int) -> list[str]:
    """Names of processes that a run left, after they had time to go; they are ended."""
    wait_until_workers_left(mark, driver)
    until = time.monotonic() + LEAVE_S
    while (left := marked(mark)) and time.monotonic() < until:
        time.sleep(0.5)
    names = []
    for process in left:
        with contextlib.suppress(psutil.Error):
            names.append(process.name())
    end(left)
    return names


def changed_commits(place: Place, rng: random.Random) -> list[str]:
    """Commits seen before that have other bytes now or are gone; and some of those there are now, to be seen again."""
    failures = []
    for key, data in place.commits.items():
        if not (found := place.store.head(key)):
            failures.append(f"{key} is gone")
        elif found.size != len(data) or place.store.get(key) != data:
            failures.append(f"{key} has other bytes than before")
    commits = [
        info.key for info in place.store.list("steps/") if "/commits/" in info.key and info.key.endswith(".json")
    ]
    chosen = rng.sample(sorted(commits), min(SAMPLED, len(commits)))
    place.commits = {key: place.store.get(key) for key in chosen}
    return failures


def _watch(watched: Watched, process: subprocess.Popen[bytes], mark: str, over: threading.Event) -> None:
    while not over.wait(0.5):
        watched.sample(process, mark)


def last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1][-300:] if lines else "it said nothing"
