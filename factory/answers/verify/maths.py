r"""Whether two final answers are the same mathematics, by math-verify (LaTeX to sympy) in a process of its own.

Design: one child process for each worker process, started at the first comparison that nothing cheaper decided, and
kept. Every comparison has a budget of processor time, kept by the kernel, and a longer one of wall time for a child
that waits; a child that overruns either is killed, replaced, and the comparison is None: not decided. Processor time,
because a verdict must not depend on what else the machine does. Only texts that look like mathematics get there:
"no" and "on" are both a product of two letters to a parser of formulas.

Cost: 0.6 s to start a child; 0.03 to 0.5 s a comparison, on two busy cores.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import select
import subprocess
import sys
import threading
from functools import lru_cache

from factory.answers.verify import maths_process

CPU_SECONDS = 3.0
"""Processor time of one comparison; those of short formulas took half a second at most."""

WALL_FACTOR = 10
"""Wall seconds a second of processor time may take: two dozen busy processes share a small machine."""

START_SECONDS = 120
"""Until a child has imported sympy, on a machine that is out of memory or cores."""


class MathProcess:
    """A child that compares, replaced when it dies. Threads take turns."""

    def __init__(self, cpu_seconds: float = CPU_SECONDS) -> None:
        self._cpu_seconds = cpu_seconds
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self.overruns = 0

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def equal(self, one: str, other: str) -> bool | None:
        """None where math-verify cannot read a side, or needs more than its time or memory."""
        with self._lock:
            child = self._started()
            question = {"one": one, "other": other, "cpu_seconds": self._cpu_seconds}
            answer = self._ask(child, json.dumps(question), self._cpu_seconds * WALL_FACTOR)
            if answer is None:
                self.overruns += 1
                self._end()
                return None
            found: bool | None = json.loads(answer)["equal"]
            return found

    def close(self) -> None:
        with self._lock:
            self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._end()
        # Not fork: a worker of Ray has threads, and a forked copy of it may hold their locks for ever.
        self._child = subprocess.Popen(
            [sys.executable, "-m", maths_process.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        if self._ask(self._child, None, START_SECONDS) is None:
            self._end()
            raise MathsUnavailableError
        return self._child

    @staticmethod
    def _ask(child: subprocess.Popen[bytes], line: str | None, seconds: float) -> bytes | None:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            if line is not None:
                child.stdin.write(line.encode() + b"\n")
                child.stdin.flush()
        except BrokenPipeError:
            return None
        ready, _, _ = select.select([child.stdout], [], [], seconds)
        answer = child.stdout.readline() if ready else b""
        return answer if answer.endswith(b"\n") else None

    def _end(self) -> None:
        if self._child is None:
            return
        with contextlib.suppress(OSError):
            self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._child = None


class MathsUnavailableError(RuntimeError):
    """The child could not be started: math-verify is missing, or the machine has no memory for it."""

    def __init__(self) -> None:
        super().__init__("math-verify could not be started; is the package math-verify installed beside antlr4 4.9?")


@lru_cache(maxsize=4)
def shared_process(cpu_seconds: float = CPU_SECONDS) -> MathProcess:
    """The child of this process."""
    process = MathProcess(cpu_seconds)
    atexit.register(process.close)
    return process


_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_KNOWN = {"sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "sqrt", "pi", "or", "and", "max", "min", "mod"}
LONGEST = 400
"""Characters of a formula that is compared."""


def looks_mathematical(text: str) -> bool:
    """Whether a final answer may be read as a formula: no words, and something only a formula has."""
    if len(text) > LONGEST:
        return False
    bare = _COMMAND.sub(" ", text)
    if any(word.lower() not in _KNOWN for word in _WORD.findall(bare)):
        return False
    return "\\" in text or any(sign.isdigit() or sign in "^=+*/<>√π" for sign in text)
