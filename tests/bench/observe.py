"""A real run, watched from outside: processor seconds and memory of the whole process tree while it goes on.

Design: the command a user types runs unchanged in a process of its own; a thread here samples /proc twice a
second. Processor seconds are attributed to what a process called itself when they were seen (Ray workers
carry the name of their task), so a run splits into driver, Ray's services, workers and engine without a
profiler. The driver's peak memory is the kernel's own high-water mark (VmHWM), not a sample.
Cost: about 5 ms a sample, 1 % of one core.
"""

from __future__ import annotations

import bisect
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.runs import REPOSITORY, Finished, environment

INTERVAL_S = 0.5


@dataclass
class Watch:
    """Samples of a process tree; mutable because a thread fills it."""

    pid: int
    times: list[float] = field(default_factory=list)
    processor: list[dict[str, float]] = field(default_factory=list)
    """Cumulative processor seconds by kind of process, one mapping a sample."""
    driver_peak_kib: dict[str, int] = field(default_factory=dict)
    """VmHWM and the peaks of RssAnon and RssShmem of the driver."""
    driver_kib: list[int] = field(default_factory=list)
    """Resident memory of the driver, one a sample."""
    worker_peak_bytes: int = 0
    _seen: dict[int, float] = field(default_factory=dict)
    _sums: Counter[str] = field(default_factory=Counter)

    def sample(self) -> None:
        try:
            driver = psutil.Process(self.pid)
            tree = [driver, *driver.children(recursive=True)]
        except psutil.Error:
            return
        for process in tree:
            try:
                times = process.cpu_times()
                # reaped children belong to whoever waited for them, so a worker that ended stays counted
                used = times.user + times.system + times.children_user + times.children_system
                name = kind_of(process, self.pid)
                if name.startswith("task "):
                    self.worker_peak_bytes = max(self.worker_peak_bytes, process.memory_info().rss)
            except psutil.Error:
                continue
            self._sums[name] += max(0.0, used - self._seen.get(process.pid, 0.0))
            self._seen[process.pid] = max(used, self._seen.get(process.pid, 0.0))
        status = _status(self.pid)
        for label, size in status.items():
            self.driver_peak_kib[label] = max(size, self.driver_peak_kib.get(label, 0))
        self.driver_kib.append(status.get("VmRSS", 0))
        self.times.append(time.time())
        self.processor.append(dict(self._sums))

    def seconds_between(self, start: float, stop: float) -> dict[str, float]:
        """Processor seconds by kind of process between two moments, interpolated between samples."""
        first, last = self._at(start), self._at(stop)
        return {name: last[name] - first.get(name, 0.0) for name in last}

    def driver_mib_between(self, start: float, stop: float) -> float:
        """Largest resident memory of the driver seen between two moments, in MiB."""
        found = [size for moment, size in zip(self.times, self.driver_kib, strict=True) if start <= moment <= stop]
        return max(found, default=0) / 1024

    def _at(self, moment: float) -> dict[str, float]:
        right = bisect.bisect_left(self.times, moment)
        if right == 0:
            return {}
        if right == len(self.times):
            return self.processor[-1]
        before, after = self.processor[right - 1], self.processor[right]
        share = (moment - self.times[right - 1]) / max(self.times[right] - self.times[right - 1], 1e-9)
        return {name: before.get(name, 0.0) + share * (after[name] - before.get(name, 0.0)) for name in after}


@dataclass(frozen=True)
class Observed:
    finished: Finished
    watch: Watch
    started: float
    seconds: float
    """Wall time of the whole command, from exec to exit."""


def observe(command: Sequence[str], extra_environment: Mapping[str, str] | None = None) -> Observed:
    """Runs `command` to its end. Raises RuntimeError with the end of its stderr when it fails."""
    started = time.time()
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**environment(), **(extra_environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with sampled(process.pid) as (watch,):
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{stderr[-4000:]}")
    return Observed(Finished(process.returncode, stdout, stderr), watch, started, time.time() - started)


@contextmanager
def sampled(*pids: int) -> Iterator[list[Watch]]:
    """A watch of each process and all below it, filled while the body runs."""
    watches, over = [Watch(pid) for pid in pids], threading.Event()

    def keep_sampling() -> None:
        while not over.wait(INTERVAL_S):
            for watch in watches:
                watch.sample()

    thread = threading.Thread(target=keep_sampling, daemon=True)
    thread.start()
    try:
        yield watches
    finally:
        over.set()
        thread.join()


def kind_of(process: psutil.Process, driver: int) -> str:
    """ "driver", "task <name>" for a Ray worker at work, "idle worker", or "ray services"."""
    if process.pid == driver:
        return "driver"
    words = process.cmdline()
    title = words[0] if words else ""
    if title.startswith("ray::IDLE"):
        return "idle worker"
    if title.startswith("ray::"):
        return "task " + re.sub(r"[^A-Za-z0-9_.>()-].*", "", title.removeprefix("ray::"))
    return "ray services"


def _status(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines)
    return {words[0].rstrip(":"): int(words[1]) for words in fields if words[0] in MEMORY_LINES}


MEMORY_LINES = ("VmHWM:", "VmRSS:", "RssAnon:", "RssShmem:")
