"""What runs of one test process share: a Ray that is up, and a process that has imported the factory.

Design: starting Ray, importing it and ending it were two thirds of a small scripted run. Here a run joins a Ray that
stays (`cluster.address`, as on any cluster: a job of its own, with workers of its own that end with it) and starts as a
fork of a process with everything imported (zygote.py). Both have the environment of the first command; when a test
changes it, they are started anew. Tests of what a user's own process and Ray do, kills and signals above all, do
without (`run_factory(alone=True)`, or `command` and Popen).
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Timer
from typing import IO, Any

REPOSITORY = Path(__file__).resolve().parents[1]

PASSING = ("PYTEST_CURRENT_TEST", "COLUMNS", "LINES")
"""Variables that differ from test to test and that no command looks at."""


LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Makes Ray take 127.0.0.1 for the machine's address (factory/run/session.py)."""


class Resident:
    """A Ray and a zygote with this environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._folder = tempfile.TemporaryDirectory(prefix="resident-")
        self._ray: subprocess.Popen[str] | None = None
        self._zygote = self._start("tests.zygote")
        self.address = ""

    def _start(self, module: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=REPOSITORY,
            env={**self.environment, **LOOPBACK},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def join(self) -> str:
        """The address of the Ray, started at the first run that needs it."""
        if self._ray is None:
            ray = self._start("tests.ray_head")
            try:
                self.address = _line(ray.stdout)
            except RuntimeError:  # it did not start: the next test that wants one tries again
                with ray:
                    raise
            self._ray = ray
        return self.address

    def run(
        self, module: str, arguments: Sequence[str], timeout_s: float, variables: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of `main(arguments)` of a module, in a process of its own; `variables` are set
        in it alone, so that Ray and its workers need not start anew for them."""
        out, err = Path(self._folder.name, "stdout"), Path(self._folder.name, "stderr")
        said: dict[str, Any] = {"module": module, "arguments": list(arguments), "stdout": str(out), "stderr": str(err)}
        said["variables"] = dict(variables or {})
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(json.dumps(said) + "\n")
        self._zygote.stdin.flush()
        process = int(_line(self._zygote.stdout))
        late = Timer(timeout_s, _kill, (process,))
        late.start()
        try:
            code = int(_line(self._zygote.stdout))
        finally:
            late.cancel()
        return code, out.read_text(errors="replace"), err.read_text(errors="replace")

    def close(self) -> None:
        for process in (self._zygote, self._ray):
            if process is not None:
                with process:  # leaving closes its pipes, by which it ends, and waits for that
                    pass
        self._folder.cleanup()


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    line = stream.readline()
    if not line:
        raise RuntimeError("a helper process of the tests has ended")
    return line.strip()


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


_here: list[Resident] = []


def resident(environment: Mapping[str, str]) -> Resident:
    """The resident of this process; a new one where the environment is another than before."""
    wanted = {name: value for name, value in environment.items() if name not in PASSING}
    if _here and _here[0].environment != wanted:
        _here.pop().close()
    if not _here:
        _here.append(Resident(wanted))
    return _here[0]


@atexit.register
def _close() -> None:
    while _here:
        _here.pop().close()
