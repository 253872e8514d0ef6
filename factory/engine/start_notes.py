"""Engine starts, noted where they outlive the actors that write them (notes.py).

A replica that finds a note of itself replaces an engine that is gone.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import asdict, dataclass

from factory.engine.notes import forget, keys_below, leave, notes_below

STARTS_KEY = "factory:engine-start:"


@dataclass(frozen=True)
class EngineStart:
    """One start of one replica. `replacement`: an engine had run there before. Seconds until it was ready. `nodes`: the
    ids of all nodes that it takes something of; `number`: starts of this replica before it."""

    replica: int
    replacement: bool
    seconds: float
    host: str
    pid: int
    number: int
    actor: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class PoolStarts:
    """Engine starts of a pool: `first` ones (one a replica), and `replacements` of lost engines."""

    first: int
    replacements: int
    seconds: float


def note_start(pool: str, replica: int, seconds: float) -> EngineStart:
    """Notes that this process's engine is ready after `seconds`. To be called inside its actor."""
    import ray

    prefix = f"{STARTS_KEY}{pool}:{replica}:"
    before = len(keys_below(prefix))
    start = EngineStart(
        replica,
        before > 0,
        seconds,
        socket.gethostname(),
        os.getpid(),
        before,
        str(ray.get_runtime_context().get_actor_id()),
        _nodes_taken(),
    )
    leave(f"{prefix}{uuid.uuid4().hex}", asdict(start))
    return start


def _nodes_taken() -> tuple[str, ...]:
    """Ids of this process's node and of those that its placement group has bundles on."""
    import ray
    from ray.util.placement_group import placement_group_table

    nodes = {str(ray.get_runtime_context().get_node_id())}
    group = ray.util.get_current_placement_group()
    if group is not None:
        nodes |= {str(node) for node in placement_group_table(group)["bundles_to_node_id"].values() if node}
    return tuple(sorted(nodes))


def noted_starts(pool: str, replica: int | None = None) -> list[EngineStart]:
    """The notes of a pool, or of one replica of it, in no order."""
    found = notes_below(f"{STARTS_KEY}{pool}:" + ("" if replica is None else f"{replica}:"))
    return [EngineStart(**{**note, "nodes": tuple(note["nodes"])}) for note in found]


def started_replicas(pool: str) -> set[int]:
    """The replicas whose engine was ready at some time."""
    prefix = f"{STARTS_KEY}{pool}:"
    return {int(key.removeprefix(prefix).partition(":")[0]) for key in keys_below(prefix)}


def starts_of(pool: str) -> PoolStarts:
    """All starts of a pool so far, also of engines that are gone."""
    noted = noted_starts(pool)
    again = sum(start.replacement for start in noted)
    return PoolStarts(len(noted) - again, again, round(sum(start.seconds for start in noted), 3))


def forget_starts(pool: str) -> None:
    forget(f"{STARTS_KEY}{pool}:")
