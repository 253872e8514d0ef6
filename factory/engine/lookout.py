"""What Ray's own tables say about a pool's replicas: which have not come yet, and which went with their node.

Design: a node that goes away (spot capacity, an autoscaler, somebody's maintenance) is preemption, and nothing that
was on it did anything wrong. Ray says so itself only where the node was drained with a notice; mostly it is just gone,
and all that a caller sees is an actor that does not answer. So it is asked whether the node is still there. A worker
that died on a living node is known to Ray's head at once and its actor is being restarted; a node that died is known
after its health checks have failed, and until then its actors count as alive. Waiting for the one or the other is what
`went_with_its_node` does; a hunt for a prompt (warden.py) begins only after it.

An engine over several nodes dies when any of them does, and says so itself before Ray knows of the node: there the
wait is `NODE_DEATH_S` whatever happened.

Whoever asks shares one event loop with all that is dealt out (warden.py), so Ray is asked in threads; and hundreds of
parts may have been in one engine, so there is one wait for each end of an engine and one listing of the nodes in
`LOOK_S`, however many ask.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

from factory.engine.start_notes import EngineStart, noted_starts, started_replicas

LOOK_S = 0.3

SETTLE_S = 1.0
"""A raylet that is told to end takes its workers down first: their deaths may be known a moment before its own."""

NODE_DEATH_S = 45.0
"""Ray's health checks: five in a row that fail, three seconds apart, each given ten (its defaults)."""

ABSENT_LOOK_S = 1.0


class Lookout:
    """Looks for one pool, from within the process that is asked (warden.py)."""

    def __init__(self, pool: str, replicas: int) -> None:
        self._pool, self._replicas = pool, replicas
        self._absent = list(range(replicas))
        self._looked_at = -math.inf
        self._waits: dict[EngineStart, asyncio.Task[bool]] = {}
        self._living: set[str] = set()
        self._listed_at = -math.inf
        self._listing = asyncio.Lock()

    async def absent(self) -> list[int]:
        """Replicas whose engine was never ready, as of the last look. Once none is left, asking costs nothing."""
        now = time.monotonic()
        if self._absent and now - self._looked_at > ABSENT_LOOK_S:
            self._looked_at = now
            came = await asyncio.to_thread(started_replicas, self._pool)
            self._absent = [replica for replica in range(self._replicas) if replica not in came]
        return self._absent

    async def went_with_its_node(self, replica: int) -> bool:
        """Whether the engine that a caller lost was on a node that is gone. Waits until that can be told."""
        starts = await asyncio.to_thread(noted_starts, self._pool, replica)
        if not starts:
            return False
        last = max(starts, key=lambda start: start.number)
        # The replacement may have come already: then it was the one before.
        asked = [last] if len(starts) == 1 else [last, *(each for each in starts if each.number == last.number - 1)]
        if all(set(start.nodes) == {_own_node()} for start in asked):
            return False
        if last not in self._waits:
            waiting = self._waits[last] = asyncio.create_task(self._told(asked))
            waiting.add_done_callback(lambda _: self._waits.pop(last))
        return await self._waits[last]

    async def _told(self, asked: list[EngineStart]) -> bool:
        """Whether a node of these engines, the newest first, is gone."""
        wide = any(len(start.nodes) > 1 for start in asked)
        deadline = time.monotonic() + NODE_DEATH_S + SETTLE_S
        left_at: float | None = None
        while (now := time.monotonic()) < deadline:
            alive = await self._living_nodes()
            if any(node not in alive for start in asked for node in start.nodes):
                return True
            if left_at is None and (len(asked) > 1 or await asyncio.to_thread(_has_left, asked[0])):
                left_at = now
            if left_at is not None and not wide and now - left_at > SETTLE_S:
                return False
            await asyncio.sleep(LOOK_S)
        return False

    async def _living_nodes(self) -> set[str]:
        async with self._listing:
            if time.monotonic() - self._listed_at >= LOOK_S:
                self._living = await asyncio.to_thread(_living_nodes)
                self._listed_at = time.monotonic()
        return self._living


def _own_node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _living_nodes() -> set[str]:
    import ray

    return {str(node["NodeID"]) for node in ray.nodes() if node["Alive"]}


def _has_left(start: EngineStart) -> bool:
    """Whether Ray knows that the process of this engine ended."""
    from ray._private import state

    actor: dict[str, Any] = state.actors(start.actor)
    return not actor or actor["State"] != "ALIVE" or actor["Pid"] != start.pid
