"""One client's connection through the proxy: requests and answers passed on as they are, or brought to grief.

Design: h11 reads both sides, so heads, framing, "100 Continue" and keep-alive are understood and not guessed, and what
is passed on has the method, target, header names and values that came (a signature stays right; Host comes first).
Bodies stream piece by piece, both ways at once. Each client connection has one connection to the server, as through a
plain TCP proxy; a client that hangs up takes its request back, a server that cannot be reached is a reset.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import h11

from factory.trouble.answers import answer_to
from factory.trouble.rules import ANSWERED, Fault, Rule

READ_BYTES = 256 << 10
"""Bytes asked of a socket at once; what a loopback or a fast network hands over in one go."""

HEAD_BYTES = 64 << 10
"""The largest head: S3 takes 8 kB of headers, model servers 16 to 64 kB."""

SLICES_A_SECOND = 10
"""In how many pieces a second's worth of a slow body goes."""


class BrokenError(Exception):
    """The connection of this client ends here, without another byte."""


@dataclass
class Traffic:
    """Bytes of bodies that were passed on."""

    up: int = 0
    down: int = 0


class Peer:
    """One side of a connection: HTTP events over a stream."""

    def __init__(
        self, role: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str | None = None
    ) -> None:
        """`name` is what a server is called in the Host header, where not what the client called it."""
        self.http = h11.Connection(role, max_incomplete_event_size=HEAD_BYTES)
        self.reader, self.writer, self.name = reader, writer, name
        with suppress(OSError, AttributeError):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def ended(self) -> bool:
        """Whether the other side has hung up, and nothing it said before is left to read."""
        return self.reader.at_eof() or self.writer.is_closing()

    async def event(self) -> Any:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.reader.read(READ_BYTES))
        return event

    async def send(self, event: Any) -> None:
        if isinstance(event, h11.Data):
            for piece in self.http.send_with_data_passthrough(event) or ():
                self.writer.write(piece)
        else:
            self.writer.write(self.http.send(event))  # a head at once: each write is a packet
        await self.writer.drain()

    async def until_it_hangs_up(self) -> None:
        """Returns when the other side closes, or says more than it was asked for (which is kept)."""
        data = await self.reader.read(READ_BYTES)
        self.http.receive_data(data)
        if not data:
            raise BrokenError

    def next_request(self) -> bool:
        """Whether the connection may carry another exchange; it is then ready for it."""
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE:
            return False
        self.http.start_next_cycle()
        return True

    def reset(self) -> None:
        """RST instead of FIN: what a client sees when its peer crashes or a middlebox drops the connection."""
        found = self.writer.get_extra_info("socket")
        with suppress(OSError, AttributeError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


@dataclass
class Course:
    """How one body passes: to `mark` (bytes), where it is cut off or stands still for `stall_s`; at `rate` bytes a
    second, where it is slow."""

    mark: int | None = None
    stall_s: float = 0.0
    rate: int | None = None
    passed: int = 0
    began: float | None = None

    async def send(self, to: Peer, data: bytes) -> None:
        """Raises BrokenError where the body is cut."""
        if self.mark is not None and self.passed + len(data) >= self.mark:
            before = data[: self.mark - self.passed]
            await self._paced(to, before)
            await self.reach_mark()
            data = data[len(before) :]
        await self._paced(to, data)

    async def reach_mark(self) -> None:
        self.mark = None
        if not self.stall_s:
            raise BrokenError
        await asyncio.sleep(self.stall_s)

    async def _paced(self, to: Peer, data: bytes) -> None:
        if self.rate is None:
            if data:
                await to.send(h11.Data(data=data))
                self.passed += len(data)
            return
        self.began = self.began or time.monotonic()
        size = max(1, self.rate // SLICES_A_SECOND)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self.passed += len(piece)
            due = self.began + self.passed / self.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await to.send(h11.Data(data=piece))


async def serve(
    client: Peer,
    connect: Callable[[], Awaitable[Peer]],
    strikes: Callable[[str, str], Rule | None],
    traffic: Traffic,
) -> None:
    """Serves a client until it hangs up, or until a fault ends its connection (which the caller then resets).

    `strikes` says which rule strikes a method and target. Raises BrokenError, OSError or h11.ProtocolError where the
    connection is to be reset.
    """
    server: Peer | None = None
    try:
        while True:
            request = await client.event()
            if not isinstance(request, h11.Request):
                return
            rule = strikes(request.method.decode(), request.target.decode("latin-1"))
            if rule is not None and rule.fault in ANSWERED:
                await _refuse(client, request, rule)
            elif rule is not None and rule.fault in (Fault.RESET, Fault.DARK):
                raise BrokenError
            else:
                if server is None or server.ended:
                    server = await connect()
                await _exchange(client, server, request, rule, traffic)
                if not server.next_request():
                    server.close()
                    server = None
            if not client.next_request():
                return
    except BaseException:
        if server is not None:
            server.reset()
            server = None
        raise
    finally:
        if server is not None:
            server.close()


async def _refuse(client: Peer, request: Any, rule: Rule) -> None:
    """Answers in the server's place. A body that is on its way is read first: a client that is answered and hung up on
    while it still sends sees a reset, not the answer."""
    if not client.http.they_are_waiting_for_100_continue:
        while not isinstance(await client.event(), h11.EndOfMessage):
            pass
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    answer = answer_to(rule, request.target.decode("latin-1"), headers)
    # A status line without its phrase is legal, and botocore, waiting for "100 Continue", does not know it as one.
    phrase = HTTPStatus(answer.status).phrase.encode()
    await client.send(h11.Response(status_code=answer.status, headers=list(answer.headers), reason=phrase))
    if request.method != b"HEAD":
        await client.send(h11.Data(data=answer.body))
    await client.send(h11.EndOfMessage())


async def _exchange(client: Peer, server: Peer, request: Any, rule: Rule | None, traffic: Traffic) -> None:
    """One request up and its answer down, as far as the rule lets them."""
    up = asyncio.create_task(_upwards(client, server, request, rule, traffic))
    down = asyncio.create_task(_downwards(client, server, request, rule, traffic))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        if up.done() and not down.done():
            up.result()
        await down
    finally:
        for task in (up, down):
            task.cancel()
        with suppress(asyncio.CancelledError, BrokenError, OSError, h11.ProtocolError):
            await asyncio.gather(up, down)


async def _upwards(client: Peer, server: Peer, request: Any, rule: Rule | None, traffic: Traffic) -> None:
    course = _course(rule, Fault.RESET_BODY, _length(request))
    if course.mark == 0 and rule is not None and rule.fault is Fault.RESET_BODY:
        raise BrokenError
    try:
        await server.send(_as_it_came(request, server.name))
        while True:
            event = await client.event()
            if isinstance(event, h11.Data):
                traffic.up += len(event.data)
                await course.send(server, event.data)
            elif isinstance(event, h11.EndOfMessage):
                await server.send(h11.EndOfMessage(headers=event.headers.raw_items()))
                break
            else:
                raise BrokenError
    except ConnectionError:
        if not server.ended:
            raise
        return  # it answers before it has read everything, and hangs up: what it said is still passed on
    await client.until_it_hangs_up()


async def _downwards(client: Peer, server: Peer, request: Any, rule: Rule | None, traffic: Traffic) -> None:
    lost = rule is not None and rule.fault is Fault.LOSE_ANSWER
    course = Course()
    while True:
        event = await server.event()
        if isinstance(event, h11.InformationalResponse):
            # "100 Continue" only invites the body; nothing is done yet.
            await client.send(_answer_as_it_came(event))
        elif isinstance(event, h11.Response):
            course = _course(rule, Fault.RESET_ANSWER, 0 if request.method == b"HEAD" else _length(event))
            if course.mark == 0:
                await course.reach_mark()
            if not lost:
                await client.send(_answer_as_it_came(event))
        elif isinstance(event, h11.Data):
            traffic.down += len(event.data)
            if not lost:
                await course.send(client, event.data)
        elif isinstance(event, h11.EndOfMessage):
            if lost:
                raise BrokenError
            await client.send(h11.EndOfMessage(headers=event.headers.raw_items()))
            return
        else:
            raise BrokenError


def _course(rule: Rule | None, cut: Fault, length: int | None) -> Course:
    """How a body of `length` bytes (None: nobody said) passes; `cut` is the fault that cuts bodies of this way."""
    if rule is None:
        return Course()
    if rule.fault is Fault.SLOW:
        return Course(rate=rule.rate)
    stalls = rule.fault is Fault.STALL and cut is Fault.RESET_ANSWER
    if rule.fault is not cut and not stalls:
        return Course()
    # Of a body whose length nobody knows, one byte passes.
    mark = int(rule.where * length) if length is not None else int(rule.where > 0)
    return Course(mark=mark, stall_s=rule.length_s if stalls else 0.0)


def _length(event: Any) -> int | None:
    """Bytes of the body that a head announces; None where it is chunked, or ends with the connection."""
    for name, value in event.headers:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            return int(value)
    return 0 if isinstance(event, h11.Request) else None


def _as_it_came(request: Any, host: str | None) -> Any:
    headers = request.headers.raw_items()
    if host is not None:
        headers = [(name, host if name.lower() == b"host" else value) for name, value in headers]
    return h11.Request(method=request.method, target=request.target, headers=headers)


def _answer_as_it_came(event: Any) -> Any:
    return type(event)(status_code=event.status_code, headers=event.headers.raw_items(), reason=event.reason)
