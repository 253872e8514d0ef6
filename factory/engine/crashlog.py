"""What an engine's child processes print, kept in a file: quiet while all is well, the cause when it is not.

Design: child processes inherit the file as stdout and stderr because those point at it while the engine
starts; afterwards this process gets its own back. vLLM reports the death of a child only as «see stack trace
above»; the last error line of this file is what users need to read. Cost: nothing; a few kB of disk.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

TAIL_BYTES = 200_000

_ERROR = re.compile(
    r"^(?:\(.*?\)\s*)?(?:ERROR\s+\S+\s+\S+\s+\[[^\]]*\]\s*)?((?:[\w.]*(?:Error|Exception|Killed)\b).*)$"
)
_POINTERS = ("see stack trace", "see root cause", "engine core initialization failed", "enginedeaderror")


class EngineLog:
    """The file; created at first use, in the system's folder for temporary files."""

    def __init__(self) -> None:
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        if self._path is None:
            descriptor, name = tempfile.mkstemp(prefix=f"factory-engine-{os.getpid()}-", suffix=".log")
            os.close(descriptor)
            self._path = Path(name)
        return self._path

    def last_error(self) -> str:
        """The last line that names an error itself, rather than pointing at one; "" if there is none."""
        if self._path is None:
            return ""
        try:
            with self._path.open("rb") as stream:
                stream.seek(max(0, self._path.stat().st_size - TAIL_BYTES))
                lines = stream.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        for line in reversed(lines):
            match = _ERROR.match(line.strip())
            if match and not any(pointer in match[1].lower() for pointer in _POINTERS):
                return match[1].strip()
        return ""

    def remove(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


@contextlib.contextmanager
def redirected_output(log: EngineLog) -> Iterator[None]:
    """File descriptors 1 and 2 point at the log inside the body, and so for good in processes it starts."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    kept = [os.dup(1), os.dup(2)]
    target = os.open(log.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield
    finally:
        for number, original in enumerate(kept, start=1):
            os.dup2(original, number)
            os.close(original)
        os.close(target)
