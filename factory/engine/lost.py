"""Why a batch got no completions: what an engine's end looked like, as plain data that pickles through Ray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from factory.engine.api import Completion
from factory.engine.budget import Death
from factory.errors import EngineError, FactoryError

ENGINE_KILLED = "engine_killed"
"""Error of a completion whose request killed an engine that held nothing else."""

DETAIL_CHARACTERS = 1000


@dataclass(frozen=True)
class EngineLost:
    """The engine failed, not the batch's rows (as far as is known). `preempted`: its node was taken away, as Ray was
    told. `gone`: nobody answered, so its node may be gone."""

    what: str
    cause: str = ""
    remedy: str = ""
    preempted: bool = False
    gone: bool = False
    death: Death = "loss"

    def as_error(self) -> EngineError:
        return EngineError(self.what, cause=self.cause, remedy=self.remedy)


@dataclass(frozen=True)
class EngineBusy:
    """The engine is for trials alone now (warden.py): ask another one, or later."""


def lost_by(error: Exception) -> EngineLost:
    """An error that the engine raised."""
    if isinstance(error, FactoryError):
        return EngineLost(error.what, error.cause, error.remedy)
    return EngineLost(
        f"the engine failed: {type(error).__name__}: {error}"[:DETAIL_CHARACTERS],
        cause="an error nobody expected, in the engine or in what it was given",
        remedy="run again: committed work is kept; please report it if it comes back",
    )


def lost_actor(error: Any) -> EngineLost:
    """An error that Ray raised for the actor: RayActorError, or OutOfMemoryError, which is none."""
    from ray.exceptions import OutOfMemoryError

    said = _first_line(error)
    if isinstance(error, OutOfMemoryError):
        return EngineLost(
            f"an engine actor was ended by Ray, which found its node short of memory: {said}",
            cause="engines and what else runs on the node need more memory than it has",
            remedy="give engines more memory, or lower engine.replicas, engine.kv_cache_gib or engine.max_num_seqs",
        )
    return EngineLost(
        f"an engine actor died: {said}",
        cause="its process was killed (out of memory, or somebody), or its node went away",
        remedy="committed work is kept, run again; give engines more memory if it comes back",
        preempted=bool(getattr(error, "preempted", False)),
        gone=True,
    )


def lost_at_start(replica: int, error: Exception) -> EngineLost:
    """The process of a replica ended before its engine was ready."""
    return EngineLost(
        f"the process of engine {replica} died while it started: {_first_line(error)}",
        cause="the machine ran out of memory (a container's limit counts too), or the process was killed",
        remedy="give engines more memory, or lower engine.replicas and engine.kv_cache_gib",
    )


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__)[:DETAIL_CHARACTERS]


def killer(request_id: str, deaths: int, lost: EngineLost) -> Completion:
    """The completion of a request that killed the engine it was alone in; its detail is the evidence."""
    detail = f"the engine died with this request alone in it, the last of {deaths} deaths: {lost.what}"
    return Completion(
        request_id, (), (), 0, (), error=ENGINE_KILLED, error_detail=f"{detail}; {lost.cause}"[:DETAIL_CHARACTERS]
    )
