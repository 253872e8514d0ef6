"""A program in a terminal of 80 columns: a pty whose screen is kept as bytes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence

from tests.resident import REPOSITORY

ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")


class Terminal:
    """`factory ARGUMENTS` in a pty."""

    def __init__(self, arguments: Sequence[str], columns: int = 80, lines: int = 40) -> None:
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "factory.cli.main", *arguments],
            cwd=REPOSITORY,
            env={**environment, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that ^C is a signal to it
        )
        self.screen = b""

    @property
    def text(self) -> str:
        return ESCAPES.sub(b"", self.screen).decode(errors="replace").replace("\r", "")

    def wait(self, until: Callable[[str], bool], seconds: float = 60) -> bool:
        """Reads until the text so far is as wanted, the program has ended, or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self._mine], [], [], 0.2)[0]:
                self.screen += os.read(self._mine, 1 << 16)
            elif self._process.poll() is not None:
                break
            if until(self.text):
                return True
        return until(self.text)

    def type(self, keys: bytes) -> None:
        os.write(self._mine, keys)

    def end(self, seconds: float = 30) -> int:
        """Exit code, once it has ended; what it still said is read."""
        self.wait(lambda _: False, 0.1)
        code = None
        deadline = time.monotonic() + seconds
        while code is None and time.monotonic() < deadline:
            self.wait(lambda _: self._process.poll() is not None, 0.5)
            code = self._process.poll()
        self.wait(lambda _: False, 0.5)
        if code is None:
            self._process.kill()
            code = self._process.wait()
        return code

    def after(self) -> list[object]:
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._mine)
        os.close(self._theirs)
