"""One stage: a step as an execution plans, works, checks and records it.

Design: what runs and training jobs share. A stage is planned from the committed outputs of the stages before
it; only pending units are worked; the `done` record makes a finished stage cost one read. Ray and the
engines are started at the first unit that needs them, once an execution; a model that no open stage needs
makes room before another is loaded. While a stage has units to work its folder is leased (factory/store/lease.py), so
that runs which agree up to a step do not pay for it twice: the second waits and finds the work done.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from factory.config import ClusterConfig, EngineConfig
from factory.errors import FactoryError
from factory.identity import canonical_json, fingerprint
from factory.run.attempt import Receipt, StepRun
from factory.run.folding import Folding
from factory.run.ledger import Expected, Tally, expected_from, lost_attempts
from factory.run.outputs import write_outputs
from factory.run.plan import Plan, step_identity
from factory.run.progress import Progress
from factory.run.record import Record, kept_plan_key, plan_key, read_done, write_done, write_record
from factory.run.step import LlmStep, WorkStep
from factory.store.base import Store
from factory.store.commit_index import FOLD_AT, each_commit, fold
from factory.store.lease import held

if TYPE_CHECKING:
    from factory.engine.models import ResolvedModel
    from factory.engine.pool import EnginePool

Dones = Mapping[str, Record]


@dataclass(frozen=True)
class Planned:
    """A step as this run executes it: its folder and units."""

    step: LlmStep | WorkStep
    folder: str
    plan: Plan


Planner = Callable[[Store, Dones], Planned]


@dataclass(frozen=True)
class Stage:
    """A step's place in the chain. `reads` names the stages whose accepted rows it must read exactly, or
    None for source stages. `step` is None where it can only be built from earlier stages' results; LLM steps
    have a `model_role`; `prepare` runs on the driver before any unit."""

    name: str
    plan: Planner
    reads: tuple[str, ...] | None = None
    model_role: str | None = None
    model_identity: Mapping[str, Any] | None = None
    step: LlmStep | WorkStep | None = None
    prepare: Callable[[Store], None] | None = None

    @property
    def llm_step(self) -> LlmStep | None:
        return cast("LlmStep", self.step) if self.model_role else None


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


@dataclass
class Session:
    """What is alive during one execution; mutable, never pickled. `served` is by role, `spent` by stage: what this
    execution paid, which may work a stage in rounds. In a `rehearsal` nothing is worked (rehearsal.py)."""

    run: str
    store: Store
    progress: Progress
    record: Record
    stack: ExitStack
    cluster: ClusterConfig
    served: Mapping[str, Served]
    seed: int
    pools: dict[str, EnginePool] = field(default_factory=dict)
    spent: dict[str, Counter[str]] = field(default_factory=dict)
    ray_started: bool = False
    rehearsal: bool = False


class UnworkedError(Exception):
    """A rehearsal came to a stage that has units to work."""

    def __init__(self, stage: Stage, planned: Planned) -> None:
        super().__init__(stage.name)
        self.stage, self.planned = stage, planned


def work_stage(session: Session, stage: Stage, dones: Dones) -> Record:
    """Works what is pending of a stage and gives its `done` record; `spent_now` is what this execution paid.

    Raises ConservationError when the stage did not read exactly what its parents accepted, UnworkedError in a rehearsal
    that would have to work it.
    """
    store, run = session.store, session.run
    planned = stage.plan(store, dones)
    plan_digest = fingerprint(sorted(unit.unit_id for unit in planned.plan.units))
    session.record["steps"][stage.name] = planned.folder
    done = read_done(store, run, stage.name)
    # Commits may have been deleted on purpose, to have lost files made again: the record alone does not finish a stage.
    finished = not planned.plan.pending
    if finished and done and done["folder"] == planned.folder and done["plan"] == plan_digest:
        return {**done, "spent_now": dict(session.spent.get(stage.name, {}))}
    expected = None if stage.reads is None else expected_from(dones[name] for name in stage.reads)
    identity = step_identity(planned.step, stage.model_identity)
    store.put_if_absent(f"steps/{planned.folder}/step.json", canonical_json(identity))
    body = {"step": stage.name, "folder": planned.folder, "units": [unit.unit_id for unit in planned.plan.units]}
    store.put_if_absent(kept_plan_key(planned.folder, plan_digest), canonical_json(body))
    store.put(plan_key(run, stage.name), canonical_json(body))
    write_record(store, session.record)
    if session.rehearsal and not finished:
        raise UnworkedError(stage, planned)
    before = done if done and done["folder"] == planned.folder else None
    if finished:
        return _work(session, stage, planned, plan_digest, expected, before)
    with held(store, planned.folder, f"run {run}", partial(_stand_aside, session)) as waited:
        if waited:  # another run worked in this folder, and may have done what was pending here
            planned = stage.plan(store, dones)
        if stage.prepare is not None:
            stage.prepare(store)
        return _work(session, stage, planned, plan_digest, expected, before)


def ensure_ray(session: Session) -> None:
    if session.ray_started:
        return
    from factory.run.session import ray_session

    engines = {served.key: served.engine.replicas for served in session.served.values()}
    session.stack.enter_context(ray_session(session.cluster, sum(engines.values())))
    session.ray_started = True


def count_engine_starts(session: Session) -> None:
    """Notes in the record how often the engines that are alive were started."""
    models = {served.key: served.model.id for served in session.served.values()}
    for key, pool in session.pools.items():
        try:
            starts = pool.starts()
        except FactoryError:
            continue
        counted = {"starts": starts.first, "replacements": starts.replacements, "seconds": starts.seconds}
        session.record["engine_starts"][models[key]] = counted


def _work(
    session: Session,
    stage: Stage,
    planned: Planned,
    plan_digest: str,
    expected: Expected | None,
    before: Record | None,
) -> Record:
    """`before` is what this run recorded of the same folder with fewer units: seconds spent then count as well."""
    store, progress, plan, folder = session.store, session.progress, planned.plan, planned.folder
    started = time.monotonic()
    pending = plan.pending
    progress.begin(stage.name, len(plan.units), len(plan.units) - len(pending))
    tally = tally_of(store, folder, plan, folding=not session.rehearsal)
    if pending:
        folding = Folding(store, folder, len(plan.done))
        for receipt in _receipts(session, stage, planned):
            tally.spend(receipt)
            if receipt.commit is not None:
                tally.add(receipt.commit)
                folding.add()
            progress.unit(receipt)
        folding.end()
    spent = session.spent.setdefault(stage.name, Counter())
    spent.update(tally.spent_now)
    tally.check(stage.name, expected)
    wall = time.monotonic() - started
    earlier = (before["ledger"].get("engine_seconds", 0), before["wall_seconds"]) if before else (0, 0)
    write_outputs(store, session.run, stage.name, (item for unit in plan.units for item in tally.outputs[unit.unit_id]))
    replicas = session.served[stage.model_role].engine.replicas if stage.model_role and pending else 0
    done = {
        "step": stage.name,
        "folder": folder,
        "plan": plan_digest,
        "reads": list(stage.reads or ()),
        "units": len(plan.units),
        "units_reused": len(plan.units) - len(pending),
        "counts": tally.counts.to_json(),
        "reasons": {side: dict(reasons) for side, reasons in tally.reasons.items()},
        "facts": dict(tally.facts),
        "ledger": {**tally.ledger, "engine_seconds": earlier[0] + wall * replicas},
        "spent_now": dict(spent),
        "lost": lost_attempts(store, folder, tally.attempts),
        "engines": list(tally.engines.values()),
        "input_digest": tally.input_digest,
        "accepted_digest": tally.accepted_digest,
        "wall_seconds": earlier[1] + wall,
    }
    write_done(store, session.run, done)
    progress.end(done)
    return done


def tally_of(store: Store, folder: str, plan: Plan, *, folding: bool) -> Tally:
    """What the units of a plan add up to that were committed before. `folding`: commits that are in no index yet are
    put into one on the way, where there are many, so that they are read one by one for the last time."""
    if folding and len(plan.done) >= FOLD_AT:
        fold(store, folder)
    tally = Tally()
    for commit in each_commit(store, folder, plan.done):
        tally.add(commit)
    return tally


def _receipts(session: Session, stage: Stage, planned: Planned) -> Iterator[Receipt]:
    from factory.run.execute import run_llm, run_work

    ensure_ray(session)
    run = StepRun(planned.folder, session.run, session.cluster.attempt_deadline_s)
    pending = planned.plan.pending
    if stage.model_role is None:
        yield from run_work(session.store, cast(WorkStep, planned.step), run, pending)
        return
    engine = session.served[stage.model_role].engine
    pool = _pool(session, stage.model_role)
    info = asdict(pool.info())
    in_flight = engine.units_in_flight * engine.replicas
    yield from run_llm(session.store, cast(LlmStep, planned.step), run, pending, pool, info, in_flight)


def _pool(session: Session, role: str) -> EnginePool:
    """The pool of a role's model: started once, unless it has to make room for another in between."""
    from factory.engine.launch import start_pool

    served = session.served[role]
    if served.key not in session.pools:
        count_engine_starts(session)
        if served.engine.kind == "vllm":
            _make_room(session)
        session.progress.say(f"starting engine: {served.model.id} ({served.engine.kind})")
        pool = start_pool(served.engine, served.model, seed=session.seed, run=session.run)
        session.stack.callback(pool.stop)
        session.pools[served.key] = pool
    return session.pools[served.key]


def _stand_aside(session: Session, line: str) -> None:
    """Says for whom the run waits, without models in memory: on a cluster that has room for one, whoever it waits for
    may be waiting for just that room."""
    session.progress.say(line)
    count_engine_starts(session)
    _make_room(session)


def _make_room(session: Session) -> None:
    """Ends the models that run in processes of ours; what an endpoint serves takes no memory here."""
    loaded = {served.key for served in session.served.values() if served.engine.kind == "vllm"}
    for key in loaded & session.pools.keys():
        session.pools.pop(key).stop()
