"""The proxy itself: a loop in a thread of its own, switched from any other.

    with TroubleProxy("http://127.0.0.1:8333", [parse_rule("503 PUT share=0.1")], seed=7) as proxy:
        ...                               # use proxy.url instead of the server's address
        proxy.set("lose-answer PUT */commits/* count=1")
        proxy.dark(5)

Design: listens on the loopback unless told otherwise; the server's address is resolved anew for each connection, so a
server that is killed and started again is found again. Host and all other headers are passed on as they came: S3's
signatures cover them. Where the server tells its tenants apart by Host (a hosted endpoint), `rewrite_host` gives it its
own name; requests signed for the proxy's name are then refused. Counts and the latest strikes are kept.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import h11

from factory.errors import ConfigError
from factory.trouble.relay import READ_BYTES, BrokenError, Peer, Traffic, serve
from factory.trouble.rules import Fault, Rule, Rules, Struck, parse_rule

KEPT_STRIKES = 10_000
"""Strikes that are remembered one by one (some MB); all are counted."""

START_S = 30.0


@dataclass(frozen=True)
class Strike:
    """A request that came to grief; `at` in seconds since the proxy was started."""

    at: float
    method: str
    target: str
    rule: Rule


@dataclass(frozen=True)
class Upstream:
    """Where requests go."""

    host: str
    port: int
    tls: bool

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    @property
    def authority(self) -> str:
        """What a client that speaks to it directly puts into Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"


def upstream_of(address: str) -> Upstream:
    """Raises ConfigError for what is no http:// or https:// address of a host alone."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.path.strip("/"):
        raise ConfigError(
            f"--to is {address!r}, which is no address to pass requests on to",
            cause="the scheme or the host is missing, or it holds a path or credentials",
            remedy="write http://host:port; paths (as /v1) stay in the address that clients are given",
        )
    return Upstream(parts.hostname, port or (443 if parts.scheme == "https" else 80), parts.scheme == "https")


class TroubleProxy:
    """Passes what comes to `url` on to `to`, and makes the trouble that its rules say. A context manager; its methods
    may be called from any thread."""

    def __init__(
        self,
        to: str,
        rules: Iterable[Rule | str] = (),
        *,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        rewrite_host: bool = False,
    ) -> None:
        self.upstream = upstream_of(to)
        self.host, self.port = host, port
        self.traffic = Traffic()
        self.requests = 0
        self.faults: Counter[str] = Counter()
        self.strikes: deque[Strike] = deque(maxlen=KEPT_STRIKES)
        self._rewrite_host = rewrite_host
        self._rules = Rules(seed)
        self._connections: set[Peer] = set()
        self._dark_until = 0.0
        self._began = time.monotonic()
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="trouble", daemon=True)
        self.set(*rules)

    @property
    def url(self) -> str:
        """What clients are given instead of the server's address."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def set(self, *rules: Rule | str) -> None:
        """These rules and no others from now on; none: no trouble. Raises ConfigError for what is no rule."""
        self._rules.replace([rule if isinstance(rule, Rule) else parse_rule(rule) for rule in rules])

    def dark(self, seconds: float) -> None:
        """Resets every connection, and every new one, for so long; 0 ends it."""
        self._dark_until = time.monotonic() + seconds
        if seconds:
            self.faults[Fault.DARK] += 1
            self._loop.call_soon_threadsafe(self._reset_all)

    @property
    def dark_for(self) -> float:
        """Seconds of darkness that are left."""
        return max(0.0, self._dark_until - time.monotonic())

    def rules(self) -> list[Struck]:
        """The rules in force, with what they matched and struck so far."""
        return list(self._rules.counts())

    def summary(self) -> Mapping[str, Any]:
        """What the proxy did, as JSON."""
        rules = [{"rule": str(each.rule), "matched": each.matched, "struck": each.struck} for each in self.rules()]
        return {
            "url": self.url,
            "to": self.upstream.url,
            "requests": self.requests,
            "faults": {str(fault): times for fault, times in sorted(self.faults.items())},
            "bytes_up": self.traffic.up,
            "bytes_down": self.traffic.down,
            "dark_for_s": round(self.dark_for, 1),
            "rules": rules,
        }

    def __enter__(self) -> TroubleProxy:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> TroubleProxy:
        """Raises ConfigError where the port cannot be had."""
        self._thread.start()
        self._ready.wait(START_S)
        if self._failure is not None:
            raise ConfigError(
                f"cannot listen on {self.host}:{self.port}: {self._failure.strerror or self._failure}",
                cause="the port is taken, or the address is none of this machine's",
                remedy="choose another --port (0: any that is free) or --host",
            )
        return self

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(START_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            listening = self._loop.run_until_complete(
                asyncio.start_server(self._accepted, self.host, self.port, limit=READ_BYTES)
            )
        except OSError as error:
            self._failure = error
            self._ready.set()
            self._loop.close()
            return
        self.port = listening.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        listening.close()
        self._reset_all()
        self._loop.run_until_complete(_ended(self._loop))
        self._loop.close()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Peer(h11.SERVER, reader, writer)
        if self.dark_for:
            client.reset()
            return
        self._connections.add(client)
        try:
            await serve(client, self._connect, self._strikes, self.traffic)
            client.close()
        except (BrokenError, OSError, h11.ProtocolError, asyncio.CancelledError):
            client.reset()
        finally:
            self._connections.discard(client)

    async def _connect(self) -> Peer:
        tls = ssl.create_default_context() if self.upstream.tls else None
        reader, writer = await asyncio.open_connection(
            self.upstream.host, self.upstream.port, ssl=tls, limit=READ_BYTES
        )
        return Peer(h11.CLIENT, reader, writer, self.upstream.authority if self._rewrite_host else None)

    def _strikes(self, method: str, target: str) -> Rule | None:
        self.requests += 1
        rule = self._rules.draw(method, target)
        if rule is not None:
            self.strikes.append(Strike(time.monotonic() - self._began, method, target, rule))
            if rule.fault is Fault.DARK:
                self.dark(rule.length_s)
            else:
                self.faults[rule.fault] += 1
        return rule

    def _reset_all(self) -> None:
        for client in list(self._connections):
            client.reset()


async def _ended(loop: asyncio.AbstractEventLoop) -> None:
    """Ends what still runs, so that no task is destroyed while it waits."""
    left = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in left:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*left, return_exceptions=True)
