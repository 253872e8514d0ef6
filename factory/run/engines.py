"""The engines of a run: started at the first unit that wants their model, kept, counted, ended to make room.

Design: a pool for each distinct model and its settings, whatever roles and stages share it. A model that no open stage
needs makes room before another is loaded; what an endpoint serves takes no memory here and stays.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from factory.engine.config import EngineConfig
from factory.identity import fingerprint

if TYPE_CHECKING:
    from factory.engine.models import ResolvedModel
    from factory.engine.pool import EnginePool
    from factory.run.stage import Session


def pool_of(session: Session, role: str) -> EnginePool:
    """The pool of a role's model: started once, unless it has to make room for another in between."""
    served = session.served[role]
    if served.key not in session.pools:
        count_engine_starts(session)
        if served.engine.kind == "vllm":
            make_room(session)
        session.progress.say(f"starting engine: {served.model.id} ({served.engine.kind})")
        pool = _started(session, served)
        session.stack.callback(pool.stop)
        session.stack.enter_context(session.observer.engine(served.model.id, pool))
        session.pools[served.key] = pool
    return session.pools[served.key]


def _started(session: Session, served: Served) -> EnginePool:
    if session.cluster.executor == "processes":
        from factory.engine.process_pool import start_process_pool

        return start_process_pool(served.engine, served.model, seed=session.seed, run=session.run)
    from factory.engine.launch import start_pool

    return start_pool(
        served.engine,
        served.model,
        seed=session.seed,
        run=session.run,
        nodes_wait_s=session.cluster.nodes_wait_s,
        say=session.progress.say,
        observed=session.observer.on_workers,
        count=session.observer.engine_metrics,
    )


def make_room(session: Session) -> None:
    """Ends the models that run in processes of ours; what an endpoint serves takes no memory here."""
    loaded = {served.key for served in session.served.values() if served.engine.kind == "vllm"}
    for key in loaded & session.pools.keys():
        session.pools.pop(key).stop()


def count_engine_starts(session: Session, ask: bool = True) -> None:
    """Notes in the record how often the engines that are alive were started, and what they were used for. Without `ask`
    nothing is asked of them: what they noted themselves has to do, as far as Ray is there to say it."""
    models = {served.key: served.model.id for served in session.served.values()}
    for key, pool in session.pools.items():
        from ray.exceptions import RayError

        try:
            starts, uses = pool.starts(), pool.use(ask)
        except RayError:
            if ask:
                raise
            continue
        noted = session.record.setdefault("engine_use", [])
        own = [{"pool": pool.instance, "model": models[key], **asdict(use)} for use in uses]
        noted[:] = [row for row in noted if row["pool"] != pool.instance] + own
        counted = {"starts": starts.first, "replacements": starts.replacements, "seconds": starts.seconds}
        session.record["engine_starts"][models[key]] = counted
        session.observer.engine_starts(models[key], pool, starts)


@dataclass(frozen=True)
class Served:
    """A model, and the engines that answer for it."""

    model: ResolvedModel
    engine: EngineConfig

    @property
    def key(self) -> str:
        """Equal where one pool serves both. Not the revision alone: endpoints have none of their own."""
        config = self.model.config
        return fingerprint(
            [
                self.model.id,
                self.model.identity(),
                config.max_model_len,
                config.dtype,
                self.engine.model_dump(mode="json"),
            ]
        )
