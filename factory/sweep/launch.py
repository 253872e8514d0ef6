"""One point of a sweep, worked: in this process, in a process of its own, or as a Ray job.

Design: each way takes a point and gives its exit code, the closing JSON object of its run, and what ended it where it
failed. No way raises for what went wrong in a point: the other points go on. What several points at once print is told
apart by the number at the head of each line. A point is a command that may be given again, so nothing here has to be
undone: a point that was cut off goes on where it stopped when the sweep is given again.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from factory.credentials import blanked, said
from factory.errors import FactoryError
from factory.leaving import INTERRUPTED_CODE
from factory.observe import logs
from factory.sweep.points import Point

Say = Callable[[str], None]

Note = Callable[..., None]
"""Takes fields of a point's record by name (record.py)."""

UNEXPECTED = 1
"""Exit code of a point that ended with an error that is not ours, as Python has it."""

KILLED = 128
"""Added to the number of the signal that ended a process, as shells do."""

TOLD_LINES = 40
"""Last lines of a point's log among which its error is looked for."""


@dataclass(frozen=True)
class Outcome:
    """`result` is the closing JSON object of the run, empty where it has none; `error` the first line of what ended
    it."""

    code: int
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


class Launcher(Protocol):
    def work(self, point: Point, say: Say, note: Note) -> Outcome:
        """Works a point to its end; may be called by several threads at once. `note` takes what is known of it."""
        ...

    def stop(self) -> bool:
        """Asks everything that is at work to end in good order; whether it will, and `work` then return."""
        ...


class Here:
    """In this process, one after another: engines and Ray start and end with each point."""

    def work(self, point: Point, say: Say, note: Note) -> Outcome:
        from factory.run.command import run

        try:
            return Outcome(0, run(point.config))
        except FactoryError as error:
            logs.tell_error(error)
            return Outcome(error.exit_code, error=first_line(f"{type(error).__name__}: {error.what}"))
        except Exception as error:
            # one bad point must not take the sweep's other points with it, whatever is wrong with it
            sys.excepthook(type(error), error, error.__traceback__)
            return Outcome(UNEXPECTED, error=first_line(f"{type(error).__name__}: {error}"))

    def stop(self) -> bool:
        return True


class Processes:
    """A process each, on this machine: the command that a user would type."""

    def __init__(self) -> None:
        self._running: dict[int, subprocess.Popen[str]] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def work(self, point: Point, say: Say, note: Note) -> Outcome:
        command = [sys.executable, "-m", "factory.sweep.child", str(os.getpid()), *point.overrides]
        with self._lock:
            if self._stopped:
                return Outcome(INTERRUPTED_CODE)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._running[point.number] = process
        log = Log(say)
        with process:
            for line in process.stdout or ():
                log.write(line)
            code = process.wait()
        with self._lock:
            del self._running[point.number]
        return log.outcome(KILLED - code if code < 0 else code)

    def stop(self) -> bool:
        with self._lock:
            self._stopped = True
            for process in self._running.values():
                with suppress(ProcessLookupError):
                    process.terminate()
        return True


class Log:
    """What a run writes, in pieces as they come: each line is passed on, its closing JSON object is kept."""

    def __init__(self, say: Say) -> None:
        self._say, self._open = say, ""
        self._last: deque[str] = deque(maxlen=TOLD_LINES)
        self._result: dict[str, Any] = {}

    def write(self, text: str) -> None:
        *lines, self._open = (self._open + text).split("\n")
        for line in lines:
            closing = closing_object(line)
            if closing is not None:
                self._result = closing
            else:
                self._last.append(line)
                self._say(line)

    def outcome(self, code: int) -> Outcome:
        """Of the run that wrote this and ended with `code`."""
        if self._open:
            self.write("\n")
        return Outcome(code, self._result) if code == 0 else Outcome(code, error=error_in(self._last, code))


def closing_object(line: str) -> dict[str, Any] | None:
    """The last line of a run's stdout, which names the run and its dataset; None for any other line."""
    if not line.startswith('{"run"'):
        return None
    with suppress(ValueError):
        found = json.loads(line)
        if isinstance(found, dict) and isinstance(found.get("run"), str):
            return found
    return None


ERROR = re.compile(r"[A-Z]\w*(Error|Exception): ")


def error_in(lines: Iterable[str], code: int) -> str:
    """The line of a log that says what ended it."""
    said_last = list(lines)
    told = [error for line in said_last if (error := _error_of(line))]
    if told:
        return first_line(told[-1])
    if code > KILLED and code != INTERRUPTED_CODE:
        return f"ended by signal {code - KILLED}"
    return first_line(said_last[-1]) if said_last else ""


def _error_of(line: str) -> str:
    """A line that names an error, as words; also one of JSON (factory/observe/logs.py)."""
    if ERROR.match(line):
        return line
    with suppress(ValueError):
        found = json.loads(line) if line.startswith('{"time"') else None
        if isinstance(found, dict) and found.get("level") == "error" and "error" in found:
            return f"{found['error']}: {found.get('message')}"
    return ""


def first_line(text: str) -> str:
    """Of an error, as a record keeps it."""
    return said(blanked(text.strip().splitlines()[0] if text.strip() else ""))[:ERROR_CHARACTERS]


ERROR_CHARACTERS = 300
"""Of an error that the sweep's record holds; the run's own has all of it."""
