"""One stage: a step as an execution plans, works, checks and records it.

Design: what runs and training jobs share. A stage is planned from the committed outputs of the stages before it; only
pending units are worked; the `done` record makes a finished stage cost one read. Ray and the engines (engines.py) are
started at the first unit that needs them, once an execution. While a stage has units to work its folder is leased
(factory/store/lease.py), so that runs which agree up to a step do not pay for it twice: the second waits and finds the
work done.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from factory.cluster.config import ClusterConfig
from factory.identity import canonical_json, fingerprint
from factory.observe.events import NOBODY, Observer, Since
from factory.run.attempt import Receipt, StepRun
from factory.run.charged import largest
from factory.run.drain import patient
from factory.run.engines import Served, count_engine_starts, make_room, pool_of
from factory.run.folding import Folding
from factory.run.ledger import GROUPS, Expected, Tally, expected_from, lost_attempts, tail_of
from factory.run.outputs import write_outputs
from factory.run.plan import Plan, step_identity
from factory.run.progress import Progress
from factory.run.record import Record, kept_plan_key, now, plan_key, read_done, write_done, write_record
from factory.run.sharing import ALONE, Member
from factory.run.step import LlmStep, WorkStep
from factory.store.base import Store
from factory.store.commit_index import FOLD_AT, each_commit, fold
from factory.store.lease import held

if TYPE_CHECKING:
    from factory.engine.pool import EnginePool

Dones = Mapping[str, Record]


@dataclass(frozen=True)
class Planned:
    """A step as this run executes it: its folder and units."""

    step: LlmStep | WorkStep
    folder: str
    plan: Plan

    @cached_property
    def digest(self) -> str:
        """Names the plan by its units."""
        return fingerprint(sorted(unit.unit_id for unit in self.plan.units))


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


@dataclass
class Session:
    """What is alive during one execution; mutable, never pickled. `served` is by role, `spent` by stage: what this
    execution paid, which may work a stage in rounds. In a `rehearsal` nothing is worked (rehearsal.py). `member` is
    this process among the pods that share the run, each with engines of its own; `grown` is what they have to know of a
    chain that grows (sharing.Offer)."""

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
    observer: Observer = NOBODY
    member: Member = ALONE
    grown: Callable[[], Mapping[str, Any]] = dict


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
    with session.observer.planning():
        planned = stage.plan(store, dones)
    session.record["steps"][stage.name] = planned.folder
    done = read_done(store, run, stage.name)
    # Commits may have been deleted on purpose, to have lost files made again: the record alone does not finish a stage.
    finished = not planned.plan.pending
    if finished and done and done["folder"] == planned.folder and done["plan"] == planned.digest:
        session.observer.step_ended(done)
        return {**done, "spent_now": dict(session.spent.get(stage.name, {}))}
    expected = None if stage.reads is None else expected_from(dones[name] for name in stage.reads)
    identity = step_identity(planned.step, stage.model_identity)
    store.put_if_absent(f"steps/{planned.folder}/step.json", canonical_json(identity))
    body = {"step": stage.name, "folder": planned.folder, "units": [unit.unit_id for unit in planned.plan.units]}
    store.put_if_absent(kept_plan_key(planned.folder, planned.digest), canonical_json(body))
    store.put(plan_key(run, stage.name), canonical_json(body))
    write_record(store, session.record)
    if session.rehearsal and not finished:
        raise UnworkedError(stage, planned)
    before = done if done and done["folder"] == planned.folder else None
    if finished:
        return _work(session, stage, planned, expected, before)
    with held(store, planned.folder, f"run {run}", partial(_stand_aside, session)) as waited:
        if waited:  # another run worked in this folder, and may have done what was pending here
            planned = stage.plan(store, dones)
        if stage.prepare is not None:
            stage.prepare(store)
        return _work(session, stage, planned, expected, before)


def ensure_ray(session: Session) -> None:
    """Connects to Ray, once, or starts what stands for it (processes.py). Raises as `ray_session` does, and ConfigError
    where the cluster could never hold the engines that the run will want: hours later, at the first model, would be too
    late to say so."""
    if session.ray_started:
        return
    if session.cluster.executor == "processes":
        from factory.run.processes import process_session

        session.stack.enter_context(process_session(session.cluster))
        session.ray_started = True
        return
    from factory.engine.room import wait_for_room
    from factory.run.session import ray_session

    engines = {served.key: served.engine for served in session.served.values()}
    session.stack.enter_context(ray_session(session.cluster, sum(engine.replicas for engine in engines.values())))
    # Behind the engines, before Ray: see Observer.end.
    session.stack.callback(lambda: session.observer.end(session.record.get("state", "")))
    session.ray_started = True
    for engine in engines.values():
        wait_for_room(engine, session.cluster.nodes_wait_s, session.progress.say)


def _work(session: Session, stage: Stage, planned: Planned, expected: Expected | None, before: Record | None) -> Record:
    """`before` is what this run recorded of the same folder with fewer units: seconds spent then count as well."""
    store, progress, plan, folder = session.store, session.progress, planned.plan, planned.folder
    started, began = time.monotonic(), now()
    pending = plan.pending
    ended: list[float] = []
    begun: float | None = None
    progress.begin(stage.name, len(plan.units), len(plan.units) - len(pending))
    tally = tally_of(store, folder, plan, folding=not session.rehearsal)
    model, replicas = _asked(session, stage)
    since = (before or {}).get("began", began)
    history = Since(since, before is not None, stage.reads or ())
    session.observer.step_began(stage.name, folder, plan, tally, model, replicas, history)
    if pending:
        folding = _folding(session)(store, folder, len(plan.done))
        for receipt in _receipts(session, stage, planned):
            tally.spend(receipt)
            if receipt.commit is not None:
                tally.add(receipt.commit)
                folding.add()
                ended.append(time.monotonic())
                begun = begun or ended[0] - float(receipt.spent.get("seconds", 0))
            progress.unit(receipt)
            session.observer.unit(receipt)
        folding.end()
        if stage.model_role is not None:
            count_engine_starts(session)
    spent = session.spent.setdefault(stage.name, Counter())
    spent.update(tally.spent_now)
    tally.check(stage.name, expected)
    wall = time.monotonic() - started
    earlier = (before["ledger"].get("engine_seconds", 0), before["wall_seconds"]) if before else (0, 0)
    write_outputs(store, session.run, stage.name, (item for unit in plan.units for item in tally.outputs[unit.unit_id]))
    replicas = session.served[stage.model_role].engine.replicas if stage.model_role and pending else 0
    replicas *= session.member.completions
    done = {
        "step": stage.name,
        "folder": folder,
        "plan": planned.digest,
        "reads": list(stage.reads or ()),
        "units": len(plan.units),
        "units_reused": len(plan.units) - len(pending),
        "counts": tally.counts.to_json(),
        "reasons": {side: dict(reasons) for side, reasons in tally.reasons.items()},
        "facts": dict(tally.facts),
        "ledger": {**tally.ledger, "engine_seconds": earlier[0] + wall * replicas},
        "spent_now": dict(spent),
        "paid": {run: dict(ledger) for run, ledger in sorted(tally.paid.items())},
        "split": {kind: largest(groups, GROUPS) for kind, groups in tally.split.items()},
        "tail": tail_of(ended, begun) if begun is not None else (before or {}).get("tail", {}),
        "lost": lost_attempts(store, folder, tally.attempts),
        "engines": list(tally.engines.values()),
        "input_digest": tally.input_digest,
        "accepted_digest": tally.accepted_digest,
        "wall_seconds": earlier[1] + wall,
        "began": since,
        "ended": now(),
    }
    write_done(store, session.run, done)
    progress.end(done)
    session.observer.step_ended(done)
    return done


def _stand_aside(session: Session, line: str) -> None:
    """Says for whom the run waits, without models in memory: on a cluster that has room for one, whoever it waits for
    may be waiting for just that room."""
    session.progress.say(line)
    count_engine_starts(session)
    make_room(session)


def _asked(session: Session, stage: Stage) -> tuple[str | None, int]:
    """The model that a stage asks, and by how many replicas; a rehearsal serves none."""
    served = session.served.get(stage.model_role) if stage.model_role else None
    return (served.model.id, served.engine.replicas) if served else (None, 0)


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
    from factory.engine.build import slots_of
    from factory.run.execute import run_llm, run_work

    if session.cluster.executor == "processes":
        from factory.run.shared_stage import led

        yield from led(session, stage, planned)
        return
    ensure_ray(session)
    run = StepRun(planned.folder, session.run, session.cluster.attempt_deadline_s, session.observer.on_workers)
    pending = planned.plan.pending
    if stage.model_role is None:
        with patient(session.cluster.grace_seconds):
            yield from run_work(session.store, cast(WorkStep, planned.step), run, pending)
        return
    engine = session.served[stage.model_role].engine
    pool = pool_of(session, stage.model_role)
    info = asdict(pool.info())
    in_flight = engine.units_in_flight * engine.replicas
    step = cast(LlmStep, planned.step)
    slots, adaptive = slots_of(engine), engine.adaptive_units
    with patient(session.cluster.grace_seconds):
        yield from run_llm(session.store, step, run, pending, pool, info, in_flight, slots, adaptive)


def _folding(session: Session) -> type[Folding]:
    if session.cluster.executor == "ray":
        return Folding
    from factory.run.processes import FoldingHere

    return FoldingHere
