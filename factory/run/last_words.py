"""What is said when a driver is ended from within, where nothing of Python runs any more.

Design: Ray's core ends the process it is part of, on the spot and with exit code 1, when it loses the raylet at the
wrong moment ("The connection to the plasma store is failed", in a log that nobody sees) or finds itself in a state it
does not expect (seen while a run was leaving). Then no handler runs, and the terminal shows nothing. So a witness
(witness.py), a process of its own, is told how things stand, and speaks when the driver is gone without its words. It
does the same for a driver that is killed.

Cost: 20 ms and 8 MiB a run with a local Ray; two writes to a pipe.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from factory.errors import ClusterError
from factory.observe import logs
from factory.run import witness


@dataclass
class _Here:
    """Of this process: `pipe` to its witness, `interruption` as it would say it itself."""

    pipe: int | None = None
    interruption: str = ""


_here = _Here()


def interruption_is(words: str) -> None:
    """What this command says when it is interrupted."""
    _here.interruption = words


@contextmanager
def witnessed() -> Iterator[None]:
    """While the body runs, a witness speaks for this process should it end without `said`."""
    told = (
        logs.told_error(
            ClusterError(
                "the run's process ended without a word",
                cause="it was killed, by the kernel when memory ran out or by somebody; or Ray's own processes were, "
                "and Ray ended the run with them",
                remedy="give the same command again; what is committed is kept. If it comes back, give the machine "
                "more memory",
            )
        ),
        logs.told(_here.interruption, event="interrupted", level="warning"),
    )
    reading, writing = os.pipe()
    process = None
    with suppress(OSError):  # a run needs no witness: one that cannot be started is no reason to end
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", witness.__file__, *told],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    os.close(reading)
    _here.pipe = writing
    try:
        yield
    finally:
        said()
        _here.pipe = None
        os.close(writing)
        if process is not None:
            with suppress(subprocess.TimeoutExpired):  # a child that was forked may hold the pipe too
                process.wait(timeout=2)


def leaving() -> None:
    """An interruption has come; to be called in the handler of its signal."""
    _tell(witness.LEAVING)


def said() -> None:
    """What there is to say about the end is being said, or somebody else will."""
    _tell(witness.SAID)


def _tell(state: bytes) -> None:
    if _here.pipe is not None:
        with suppress(OSError):
            os.write(_here.pipe, state)
