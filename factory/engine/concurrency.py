"""How many requests a server gets at once: additive increase, multiplicative decrease.

Design: as TCP does it (RFC 5681): start low and add one for every success, so the limit doubles each round
trip; a refusal for load (429, 503) halves it and from there on it grows by one a round trip. Refusals of
requests that were already open when the limit was last halved tell nothing new and do not halve it again.
Waiters are served in order.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

START = 8
"""Open at first: enough for a small server, too few to annoy a limited one."""


@dataclass(frozen=True)
class Ticket:
    """The right to have one request open; `era` counts halvings before it was given."""

    era: int


class AdaptiveLimit:
    def __init__(self, maximum: int, start: int = START) -> None:
        self._maximum = maximum
        self._limit = float(min(start, maximum))
        self._slow_from = float(maximum)
        self._open = 0
        self._era = 0
        self._held_until = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.lowest = self._limit
        self.highest_open = 0

    @property
    def limit(self) -> int:
        return max(1, int(self._limit))

    async def acquire(self) -> Ticket:
        if self._open >= self.limit or self._waiting:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # woken and cancelled at once: the place goes on
                    self._open -= 1
                    self._wake()
                raise
        else:
            self._open += 1
        while (wait_s := self._held_until - time.monotonic()) > 0:
            try:
                await asyncio.sleep(wait_s)
            except asyncio.CancelledError:
                self._open -= 1
                self._wake()
                raise
        self.highest_open = max(self.highest_open, self._open)
        return Ticket(self._era)

    def hold(self, seconds: float) -> None:
        """Gives no new place for so long: what a server asks for with Retry-After."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)

    def release(self, ticket: Ticket, *, overloaded: bool, success: bool = False) -> None:
        self._open -= 1
        if overloaded and ticket.era == self._era:
            self._limit = max(1.0, self._limit / 2)
            self._slow_from = self._limit
            self._era += 1
            self.lowest = min(self.lowest, self._limit)
        elif success:
            step = 1.0 if self._limit < self._slow_from else 1.0 / self._limit
            self._limit = min(float(self._maximum), self._limit + step)
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._open < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._open += 1
                turn.set_result(None)
