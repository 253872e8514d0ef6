"""Starting the engines of one model: placement, actors, and the wait until all are ready.

Design: all replicas start side by side, once a run; the first that cannot be started ends the wait, and none is left
running. Cost: the engine's own start (35 s for SmolLM2 on two cores), whatever the number of replicas.
"""

from __future__ import annotations

import time
from typing import Any

from factory.config import EngineConfig
from factory.engine.actor import NAMESPACE, EngineActor, EngineSpec, warden_name
from factory.engine.api import EngineInfo
from factory.engine.budget import Allowance
from factory.engine.build import longest_silence_s
from factory.engine.lost import EngineLost
from factory.engine.models import ResolvedModel
from factory.engine.placement import Placement, place
from factory.engine.pool import EnginePool
from factory.engine.start_notes import forget_starts
from factory.engine.warden import start_warden
from factory.errors import EngineError
from factory.identity import fingerprint

START_LIMIT_S = 3600.0
"""Waiting for nodes, download and load of the largest models together."""


def start_pool(config: EngineConfig, model: ResolvedModel, *, seed: int, run: str = "run") -> EnginePool:
    """Starts `config.replicas` engines of `model` side by side and waits until all are ready.

    Ray must be connected. Raises ConfigError when the cluster cannot hold them and EngineError (with cause
    and remedy) when one cannot be started; then none is left running.
    """
    import ray

    max_model_len, dtype = model.config.max_model_len, model.config.dtype
    name = f"{run}-{fingerprint([model.id, model.identity(), max_model_len, dtype, seed])[:12]}"
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    placement = place(config, nodes)
    settled = config.model_copy(update={"extra": {**placement.engine_extra, **config.extra}})
    spec = EngineSpec(name, settled, model, max_model_len, dtype, seed, stall_s=longest_silence_s(config))
    forget_starts(name)
    allowed = Allowance(config.killers_allowed, config.hangs_allowed, config.losses_allowed)
    warden = start_warden(warden_name(name), NAMESPACE, allowed)
    actors = [_actor(spec, replica, placement) for replica in range(config.replicas)]
    try:
        infos = _all_ready(actors, config)
    except BaseException:
        for actor in (*actors, warden):
            ray.kill(actor, no_restart=True)
        raise
    return EnginePool(name, actors, warden, infos[0])


def _actor(spec: EngineSpec, replica: int, placement: Placement) -> Any:
    import ray

    options: dict[str, Any] = {
        "name": f"{spec.pool}-{replica}",
        "namespace": NAMESPACE,
        "num_cpus": placement.num_cpus,
        "num_gpus": placement.num_gpus,
        "resources": placement.resources,
        "max_restarts": -1,  # what bounds restarts is the budget (budget.py)
        "max_task_retries": 0,
        "max_concurrency": 10_000,
    }
    if placement.bundles:
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        group = placement_group(list(placement.bundles), strategy="PACK", name=f"{spec.pool}-{replica}")
        options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(
            group, placement_group_bundle_index=0, placement_group_capture_child_tasks=True
        )
    return ray.remote(EngineActor).options(**options).remote(spec, replica)


def _all_ready(actors: list[Any], config: EngineConfig) -> list[EngineInfo]:
    """Waits for every actor's engine; the first that cannot be started ends the wait."""
    import ray

    waiting = {actor.ready.remote(): number for number, actor in enumerate(actors)}
    infos: dict[int, EngineInfo] = {}
    deadline = time.monotonic() + START_LIMIT_S
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=max(0.0, deadline - time.monotonic()))
        if not done:
            raise EngineError(
                f"{len(waiting)} of {len(actors)} engines were not ready within {START_LIMIT_S:g} s",
                cause="the cluster never had room for them, or loading hangs",
                remedy=f"look at `ray status`; engine.replicas is {config.replicas}",
            )
        number = waiting.pop(done[0])
        try:
            outcome = ray.get(done[0])
        except ray.exceptions.RayError as error:
            outcome = EngineLost(
                f"the actor of engine {number} died while it started: {str(error).splitlines()[0]}",
                cause="the machine ran out of memory, or the process was killed",
                remedy="give engines more memory, or lower engine.replicas and engine.kv_cache_gib",
            )
        if isinstance(outcome, EngineLost):
            raise EngineError(outcome.what, cause=outcome.cause, remedy=outcome.remedy)
        infos[number] = outcome
    return [infos[number] for number in range(len(actors))]
