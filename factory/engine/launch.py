"""Starting the engines of one model: room, placement, actors, and the wait until they are ready.

Design: all replicas start side by side, once a run; the first that cannot be started ends the wait, and none is left
running. With `engine.min_replicas` the wait ends when so many are ready: the others stay asked for, which is what an
autoscaler goes by, and take batches when they are there (warden.py). A replica over several nodes has a placement
group of its own, which outlives the replica's restarts and is given back with the pool. Cost: the engine's own start
(35 s for SmolLM2 on two cores), whatever the number of replicas.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from factory.cluster.config import ClusterConfig
from factory.engine.actor import NAMESPACE, EngineActor, EngineSpec, warden_name
from factory.engine.api import EngineInfo
from factory.engine.build import allowance_of, longest_silence_s, slots_of
from factory.engine.config import EngineConfig
from factory.engine.lookout import Lookout
from factory.engine.lost import EngineLost, lost_actor, lost_at_start
from factory.engine.models import ResolvedModel
from factory.engine.placement import Placement
from factory.engine.pool import EnginePool
from factory.engine.room import give_back, unplaced, wait_for_room
from factory.engine.start_notes import forget_starts
from factory.engine.use import forget_use
from factory.engine.warden import start_warden
from factory.errors import EngineError
from factory.identity import fingerprint
from factory.observe.config import UNOBSERVED, OnWorkers

START_LIMIT_S = 3600.0
"""Waiting for nodes, download and load of the largest models together."""


def start_pool(
    config: EngineConfig,
    model: ResolvedModel,
    *,
    seed: int,
    run: str = "run",
    nodes_wait_s: float = ClusterConfig().nodes_wait_s,
    say: Callable[[str], None] = lambda _: None,
    observed: OnWorkers = UNOBSERVED,
    count: bool = False,
) -> EnginePool:
    """Starts `config.replicas` engines of `model` side by side and waits until those a run begins with are ready.
    `count`: vLLM counts for `EnginePool.metrics`.

    Ray must be connected. `say` gets a line where the wait is for others to give back what they hold. Raises
    ConfigError when the cluster cannot hold them, `nodes_wait_s` seconds after it was asked first, and EngineError
    (with cause and remedy) when one cannot be started; then none is left running.
    """
    import ray

    max_model_len, dtype = model.config.max_model_len, model.config.dtype
    name = f"{run}-{fingerprint([model.id, model.identity(), max_model_len, dtype, seed])[:12]}"
    placement = wait_for_room(config, nodes_wait_s, say)
    counting = {"disable_log_stats": False} if count and config.kind == "vllm" else {}
    settled = config.model_copy(update={"extra": {**placement.engine_extra, **counting, **config.extra}})
    spec = EngineSpec(name, settled, model, max_model_len, dtype, seed, longest_silence_s(config), run, observed)
    forget_starts(name)
    forget_use(name)
    lookout = Lookout(name, config.replicas)
    warden = start_warden(
        warden_name(name), NAMESPACE, allowance_of(config), lookout, config.replicas, slots_of(config)
    )
    groups = [_group(spec, replica, placement) for replica in range(config.replicas)] if placement.bundles else []
    actors = [
        _actor(spec, replica, placement, groups[replica] if groups else None) for replica in range(config.replicas)
    ]
    try:
        infos = _enough_ready(actors, config, say)
    except BaseException:
        for actor in (*actors, warden):
            ray.kill(actor, no_restart=True)
        give_back(groups)
        raise
    return EnginePool(name, actors, warden, infos[0], groups)


def _group(spec: EngineSpec, replica: int, placement: Placement) -> Any:
    """The placement group of one replica, asked for and not waited for."""
    from ray.util.placement_group import placement_group

    return placement_group(
        list(placement.bundles),
        strategy=placement.strategy,
        name=f"{spec.pool}-{replica}",
        bundle_label_selector=[placement.labels] * len(placement.bundles) if placement.labels else None,
    )


def _actor(spec: EngineSpec, replica: int, placement: Placement, group: Any) -> Any:
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
    if group is not None:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(
            group, placement_group_bundle_index=0, placement_group_capture_child_tasks=True
        )
    elif placement.labels:
        options["label_selector"] = placement.labels
    return ray.remote(EngineActor).options(**options).remote(spec, replica)


START_TRIES = 3
"""Times that an actor may die while its engine starts, before its first answer."""

NOTE_AFTER_S = 20.0
"""Seconds without a single engine that is ready after which the wait is explained: loading takes longer than that only
where the model is large."""


def _enough_ready(actors: list[Any], config: EngineConfig, say: Callable[[str], None]) -> list[EngineInfo]:
    """Waits for as many engines as a run begins with; the first that cannot be started ends the wait."""
    import ray

    needed = config.min_replicas or config.replicas
    waiting = {actor.ready.remote(): number for number, actor in enumerate(actors)}
    infos: dict[int, EngineInfo] = {}
    deaths: Counter[int] = Counter()
    begun = time.monotonic()
    said = False
    while len(infos) < needed:
        left = begun + START_LIMIT_S - time.monotonic()
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=max(0.0, min(left, NOTE_AFTER_S)))
        if not done and left > 0:
            if not said and not infos and (reason := unplaced(actors)):
                say(reason)
                said = True
            continue
        if not done:
            raise EngineError(
                f"{needed - len(infos)} of {needed} engines were not ready within {START_LIMIT_S:g} s",
                cause="others held the room for them all that time, or loading hangs",
                remedy=f"look at `ray status`; engine.replicas is {config.replicas}",
            )
        number = waiting.pop(done[0])
        try:
            outcome = ray.get(done[0])
        except ray.exceptions.RayError as error:
            deaths[number] += 1
            if lost_actor(error).gone and deaths[number] < START_TRIES:
                waiting[actors[number].ready.remote()] = number  # its node may have gone; Ray starts it elsewhere
                continue
            outcome = lost_at_start(number, error)
        if isinstance(outcome, EngineLost):
            raise outcome.as_error()
        infos[number] = outcome
    return [infos[number] for number in sorted(infos)]
