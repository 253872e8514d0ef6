"""Replicas that one handle of a pool knows to be lost: waited for until they are back, or for good gone.

Design: a replica that failed an asker is left alone by it until its replacement is ready and nobody is hunted for in it
(warden.py); every process that asks finds that out for itself. Waits belong to the event loop they were begun in: a
handle that is used in another one begins them anew. Cost: a message in 0.5 to 10 s for each replica that is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from factory.engine.lost import EngineLost, lost_actor
from factory.errors import EngineError

REVIVAL_LIMIT_S = 3600.0
"""As long as a first start may take: a replacement may wait for a node as well."""

REVIVAL_TRIES = 3
PAUSE_S, PAUSE_CAP_S = 0.5, 10.0


async def _until_ready(actor: Any, warden: Any, replica: int) -> EngineLost | None:
    """Waits for a replacement to be ready, and for the end of the hunt in it where a warden is given: None then, else
    why there is none."""
    from ray.exceptions import RayError

    lost = EngineLost("the engine did not come back")
    failed_starts, pause = 0, PAUSE_S
    deadline = time.monotonic() + REVIVAL_LIMIT_S
    while time.monotonic() < deadline and failed_starts < REVIVAL_TRIES:
        await asyncio.sleep(pause)
        pause = min(PAUSE_CAP_S, pause * 1.5)
        try:
            outcome = await actor.ready.remote()
        except RayError as error:
            lost = lost_actor(error)
            continue
        if not isinstance(outcome, EngineLost):
            if warden is None or not await warden.hunting.remote(replica):
                return None
            failed_starts, pause = 0, PAUSE_S
            continue
        if outcome != lost:  # the old process still says why it is leaving
            lost = outcome
        failed_starts += 1
    return lost


class LostReplicas:
    """Mutable: of one handle, in one event loop at a time."""

    def __init__(self, actors: Sequence[Any], warden: Any) -> None:
        self._actors, self._warden = actors, warden
        self._waits: dict[int, asyncio.Task[EngineLost | None]] = {}
        self._gone: dict[int, EngineLost] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self) -> None:
        """To be called first in an event loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            unfinished, self._loop = list(self._waits), loop
            self._waits = {}
            for replica in unfinished:
                self.wait_for(replica)

    def wait_for(self, replica: int) -> None:
        """`replica` was lost just now, or is busy."""
        if replica not in self._waits and replica not in self._gone:
            self._waits[replica] = asyncio.ensure_future(_until_ready(self._actors[replica], self._warden, replica))

    async def known(self) -> list[int]:
        """Replicas that are known here to be lost; waits while that is all of them. Raises EngineError when none comes
        back."""
        while True:
            self._reap()
            if len(self._waits) + len(self._gone) < len(self._actors):
                return [*self._waits, *self._gone]
            if not self._waits:
                lost = next(iter(self._gone.values()))
                raise EngineError(f"no engine is left: {lost.what}", cause=lost.cause, remedy=lost.remedy)
            await asyncio.wait(self._waits.values(), return_when=asyncio.FIRST_COMPLETED)

    async def ready_for_a_trial(self, replica: int) -> EngineLost | None:
        """Waits for the replacement in `replica` although a hunt is on in it; None when it is there."""
        lost = await _until_ready(self._actors[replica], None, 0)
        if lost is not None:
            self._gone[replica] = lost
        return lost

    def _reap(self) -> None:
        for replica, task in list(self._waits.items()):
            if task.done():
                del self._waits[replica]
                if (lost := task.result()) is not None:
                    self._gone[replica] = lost
