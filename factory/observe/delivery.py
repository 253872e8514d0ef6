"""Lineage events on their way to a server or a file, without anybody waiting for them.

Design: a bounded queue and a thread of its own. The thread sends one event after the other, because a consumer must see
a START before its end; what fails is tried again, ever more rarely, until it gets through or the run is over, and what
the server refuses for what it is (400 and the like) is not sent again. Whoever puts an event never waits: where the
queue is full the event is left out, and counted. The token comes from OPENLINEAGE_API_KEY in the environment.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from factory.credentials import blanked
from factory.errors import ConfigError

if TYPE_CHECKING:
    import httpx

API_KEY = "OPENLINEAGE_API_KEY"
"""The variable that OpenLineage's own clients read."""

PATH = "/api/v1/lineage"

QUEUED = 2_000
"""Events that wait at most: about 20 MB, and some 20 runs of all steps."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 30.0
"""Between two tries at one event; doubled each time."""

LATER = (408, 425, 429)
"""Answers that say "not now", beside all from 500 on."""


class RefusedError(Exception):
    """The other side does not want this event, now or later."""


class UnsentError(Exception):
    """The event did not get through this time."""


class Target(Protocol):
    @property
    def where(self) -> str:
        """The address, for people."""
        ...

    def send(self, data: bytes) -> None:
        """Sends one event, a line of JSON. Raises RefusedError or UnsentError."""
        ...


@dataclass(frozen=True)
class Server:
    """Takes events as Marquez does: a POST each."""

    where: str
    timeout_s: float

    @cached_property
    def _client(self) -> httpx.Client:
        """Kept from event to event: each one made anew reads all certificates, 27 ms of a core instead of 1.4."""
        import httpx

        return httpx.Client(timeout=self.timeout_s)

    def send(self, data: bytes) -> None:
        import httpx

        headers = {"Content-Type": "application/json"}
        if token := os.environ.get(API_KEY):
            headers["Authorization"] = f"Bearer {token}"
        try:
            # Streamed: an answer's body is of no use, and may never end.
            with self._client.stream("POST", self.where, content=data, headers=headers) as answer:
                code = answer.status_code
        except (httpx.HTTPError, OSError) as error:
            raise UnsentError(f"{type(error).__name__}: {error}") from error
        if code >= 500 or code in LATER:
            raise UnsentError(f"it answers {code}")
        if not 200 <= code < 300:
            raise RefusedError(f"it answers {code}")


@dataclass(frozen=True)
class File:
    """Appends a line an event; several runs may share a file."""

    where: str

    def send(self, data: bytes) -> None:
        try:
            with Path(self.where).open("ab", buffering=0) as file:
                wrote = file.write(data)
                if wrote < len(data):  # a disk that fills up takes a part and says nothing
                    start = file.tell() - wrote
                    if file.seek(0, os.SEEK_END) == start + wrote:  # half a line would spoil the next one
                        file.truncate(start)
                    raise UnsentError(f"{self.where}: no room for it")
        except (PermissionError, IsADirectoryError) as error:
            raise RefusedError(f"{self.where}: {error.strerror}") from error
        except OSError as error:
            raise UnsentError(f"{self.where}: {error.strerror}") from error


def target_of(address: str, timeout_s: float) -> Target:
    """Raises ConfigError where it is neither the URL of a server nor a file in a folder that is there."""
    if "://" not in address:
        path = Path(address).expanduser().absolute()
        if path.parent.is_dir() and not path.is_dir():
            return File(str(path))
        raise ConfigError(
            f"lineage events cannot be written to {address}",
            cause="it is a folder" if path.is_dir() else f"there is no folder {path.parent}",
            remedy="name a file in a folder that is there, or the URL of a server",
        )
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"{blanked(address)} is no URL that lineage events can be sent to",
            cause="it is not http or https, names no host or a strange port, or holds a user name",
            remedy=f"give http://HOST:PORT; a token for it belongs into the environment, as {API_KEY}",
        )
    return Server(address if parts.path.strip("/") else address.rstrip("/") + PATH, timeout_s)


@dataclass(frozen=True)
class Outcome:
    """Events that were put, that got through, and why the last did not that did not."""

    put: int
    sent: int
    why: str


class Delivery:
    """Sends what is put, from a thread that is started with the first event."""

    def __init__(self, target: Target, queued: int = QUEUED) -> None:
        self._target, self._most = target, queued
        self._queue: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._put = self._sent = 0
        self._why = ""
        self._until: float | None = None

    @property
    def where(self) -> str:
        return self._target.where

    def put(self, data: bytes) -> None:
        """Never waits for the other side."""
        with self._changed:
            self._put += 1
            if len(self._queue) >= self._most:
                self._why = f"{self._most} events were waiting already"
                return
            self._queue.append(data)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="lineage", daemon=True)
                self._thread.start()

    def close(self, patience_s: float) -> Outcome:
        """Gives what still waits so many seconds, and says what came of everything."""
        with self._changed:
            self._until = time.monotonic() + patience_s
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(patience_s)
        with self._changed:
            self._queue.clear()
            return Outcome(self._put, self._sent, self._why)

    def _work(self) -> None:
        pause = FIRST_PAUSE_S
        while (data := self._next()) is not None:
            try:
                self._target.send(data)
            except UnsentError as error:
                if not self._rest(pause, str(error)):
                    return
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            except Exception as error:  # refused; or not foreseen, and then no better the next time
                self._finish(0, str(error) if isinstance(error, RefusedError) else f"{type(error).__name__}: {error}")
            else:
                self._finish(1, self._why)
            pause = FIRST_PAUSE_S

    def _next(self) -> bytes | None:
        with self._changed:
            while not self._queue and self._until is None:
                self._changed.wait()
            return self._queue[0] if self._queue else None

    def _finish(self, sent: int, why: str) -> None:
        with self._changed:
            if self._queue:  # given up in the meantime
                self._queue.popleft()
                self._sent += sent
            self._why = why

    def _rest(self, pause: float, why: str) -> bool:
        """Waits before the next try; False where there is no time for one."""
        with self._changed:
            self._why = why
            if self._until is None:
                self._changed.wait_for(lambda: self._until is not None, pause)
                return True
            left = self._until - time.monotonic()
            if left > 0:
                self._changed.wait(min(pause, left, 1.0))
            return self._until > time.monotonic()
