"""Answers that take their time: what the scripted engine does to behave like one with a model, but for the work.

Design: a request waits for one of `slots`, then for a time drawn from a lognormal distribution, as lengths of answers
are spread in practice; the draw depends on the request's id alone, so the same request takes as long in every engine
and every run, and two ways of feeding engines can be compared on the same work. Waiting takes no processor time.

    engine.extra={latency: {median_s: 0.2, sigma: 0.7, slots: 8}}
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from statistics import NormalDist
from typing import Any

from factory.errors import ConfigError
from factory.identity import sha256_hex


@dataclass(frozen=True)
class Latency:
    """`median_s` in seconds; `sigma` of the logarithm: 0.7 means that one request in ten takes 2.5 times the median or
    more, one in a thousand 8.7 times; `slots` are answered at once."""

    median_s: float
    sigma: float = 0.7
    slots: int = 8

    def __post_init__(self) -> None:
        bounds = {"median_s": (0.001, 600.0), "sigma": (0.0, 3.0), "slots": (1, 8192)}
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ConfigError(f"engine.extra.latency.{name} must be between {low} and {high} (given: {value!r})")
        if not isinstance(self.slots, int):
            raise ConfigError(f"engine.extra.latency.slots must be a whole number (given: {self.slots!r})")

    def seconds_of(self, request_id: str) -> float:
        """How long a request takes once it has a slot."""
        share = (int(sha256_hex(request_id.encode())[:13], 16) + 0.5) / 16**13
        return self.median_s * math.exp(self.sigma * NormalDist().inv_cdf(share))

    @property
    def mean_s(self) -> float:
        return self.median_s * math.exp(self.sigma**2 / 2)


def latency_from(extra: Mapping[str, Any]) -> Latency | None:
    """What `engine.extra.latency` says. Raises ConfigError on a key it does not know, or a bad value."""
    given = extra.get("latency")
    if given is None:
        return None
    known = [item.name for item in fields(Latency)]
    if not isinstance(given, Mapping) or set(given) - set(known) or "median_s" not in given:
        raise ConfigError(
            f"engine.extra.latency={given!r} is not what the scripted engine knows",
            remedy=f"give median_s (seconds) and, if you like, others of {', '.join(known)}",
        )
    return Latency(**given)


class Slots:
    """The slots of one engine, in its event loop."""

    def __init__(self, latency: Latency) -> None:
        self._latency = latency
        self._free = asyncio.Semaphore(latency.slots)

    async def pass_through(self, request_id: str, dead: asyncio.Event) -> None:
        """Returns when the request would be answered, or the engine is dead."""
        async with self._free:
            try:
                await asyncio.wait_for(dead.wait(), self._latency.seconds_of(request_id))
            except TimeoutError:
                return
