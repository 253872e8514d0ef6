"""A wall clock that jumps: forwards and backwards, by up to a day, under every process of a run.

Design: clock.c, compiled here, is preloaded into the run and all that it starts, and adds what a shared file says to
the time of day. The monotonic clocks go on as they are, as where NTP or an administrator sets a machine's clock; so
does the clock of the file system, by which files are dated.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.case import Case
from tests.faults.trial import Trial

SOURCE = Path(__file__).with_name("clock.c")

JUMPS_S = (-86_400, -3_600, -60, 0, 60, 3_600, 86_400)

HOUR_S = 3_600


def clock_jumps(trial: Trial) -> None:
    """The wall clock of the run and of all its processes jumps an hour ahead, an hour back, then by up to a day."""
    library, clock = compiled(trial.folder), trial.folder / "clock"
    set_clock(clock, 0)
    process = trial.start(environment={"LD_PRELOAD": str(library), "FACTORY_CLOCK_FILE": str(clock)})
    trial.moment()
    for seconds in (HOUR_S, -HOUR_S):
        set_clock(clock, seconds)
        time.sleep(trial.rng.uniform(0.5, 2))
    while process.poll() is None:
        set_clock(clock, trial.rng.choice(JUMPS_S))
        time.sleep(trial.rng.uniform(0.5, 2))
    finished = trial.finish(process)
    assert finished.code == 0, f"the run did not outlive it:\n{finished.stderr[-3000:]}"


def compiled(folder: Path) -> Path:
    """The library, made in `folder`. Raises AssertionError where the compiler does not like it."""
    library = folder / "clock.so"
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return library


def set_clock(clock: Path, seconds: float) -> None:
    """In one write to the same file: every process has it mapped."""
    with os.fdopen(os.open(clock, os.O_RDWR | os.O_CREAT), "r+b", buffering=0) as file:
        file.write(struct.pack("=q", int(seconds * 1e9)))


def needs_clock() -> str | None:
    """Why no clock can be set here; None where a Python under it sees the hour and still sleeps for a moment."""
    if shutil.which("cc") is None:
        return "there is no C compiler (Debian, Ubuntu: apt-get install gcc libc6-dev)"
    with tempfile.TemporaryDirectory() as folder:
        try:
            library = compiled(Path(folder))
        except AssertionError as error:
            return f"tests/faults/clock.c cannot be compiled here: {str(error)[:300]}"
        clock = Path(folder, "clock")
        set_clock(clock, HOUR_S)
        before = time.time()
        try:
            tried = subprocess.run(
                [sys.executable, "-c", PROBE],
                env={**os.environ, "LD_PRELOAD": str(library), "FACTORY_CLOCK_FILE": str(clock)},
                capture_output=True,
                text=True,
                timeout=60,
            )
        except subprocess.TimeoutExpired:
            return "a Python under tests/faults/clock.c sleeps for ever"
        if tried.returncode != 0 or abs(float(tried.stdout) - before - HOUR_S) > HOUR_S / 2:
            return f"this Python does not take the time from tests/faults/clock.c: {tried.stdout}{tried.stderr[-300:]}"
    return None


PROBE = """
import threading, time
time.sleep(0.01)
threading.Event().wait(0.01)
print(time.time())
"""

CASES = (Case("clock jumps", clock_jumps, needs=needs_clock),)
