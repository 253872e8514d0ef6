"""A whole run: plan each stage, work what is pending, check conservation, publish.

Design: the store owns progress. Each stage is planned from the committed outputs of the stages before it
(factory/run/chain.py), only pending units are worked, and `done` records make a finished stage cost one
read. Ray and the engines are started at the first unit that needs them, once; a run with nothing to do
imports neither. Cost of an unchanged, finished run: the listing of the corpus and about 15 small reads.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from factory.config import FactoryConfig
from factory.errors import ConservationError, FactoryError, GateError
from factory.evaluate.report import write_report
from factory.identity import canonical_json, fingerprint
from factory.run.attempt import Receipt, StepRun
from factory.run.chain import Chain, Planned, Stage, build_chain
from factory.run.ledger import Expected, Tally, expected_from, lost_attempts
from factory.run.outputs import write_outputs
from factory.run.plan import step_identity
from factory.run.progress import Progress
from factory.run.publication import gate_results, publish
from factory.run.record import Record, now, plan_key, read_done, read_record, write_done, write_record
from factory.run.step import LlmStep, WorkStep
from factory.store.base import Store
from factory.store.commits import read_commits

if TYPE_CHECKING:
    from factory.engine.models import ResolvedModel
    from factory.engine.pool import EnginePool


@dataclass(frozen=True)
class RunResult:
    """What a run left: keys below the root, and what this execution itself asked of engines."""

    run: str
    dataset: str
    report: str
    samples: int
    requests: int
    already_finished: bool
    seconds: float


@dataclass
class Session:
    """What is alive during one execution; mutable, never pickled."""

    config: FactoryConfig
    store: Store
    chain: Chain
    progress: Progress
    record: Record
    stack: ExitStack
    pools: dict[str, EnginePool] = field(default_factory=dict)
    ray_started: bool = False

    @property
    def run(self) -> str:
        return self.chain.run


def execute(config: FactoryConfig, store: Store, progress: Progress) -> RunResult:
    """Runs to a published dataset, or says that there is nothing to do.

    Raises FactoryError; the run record then says `failed` and why. Running the same command again goes on
    where this one stopped.
    """
    started = time.monotonic()
    chain = build_chain(config)
    previous = read_record(store, chain.run)
    if previous and previous["state"] == "finished" and previous["inputs"] == chain.inputs_digest():
        return _result(previous, 0, True, started)
    record: Record = {
        "run": chain.run,
        "state": "running",
        "config": config.model_dump(mode="json"),
        "inputs": chain.inputs_digest(),
        "models": {role: _about(model) for role, model in chain.settings.models.items()},
        "steps": {},
        "dataset": None,
        "started": previous["started"] if previous else now(),
        "resumed": [*previous.get("resumed", []), now()] if previous else [],
        "engine_starts": dict(previous.get("engine_starts", {})) if previous else {},
    }
    write_record(store, record)
    with ExitStack() as stack:
        session = Session(config, store, chain, progress, record, stack)
        try:
            spent = _stages(session)
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            record |= {"state": "interrupted" if interrupted else "failed", "error": str(error), "finished": now()}
            _count_engine_starts(session)
            write_record(store, record)
            _report_failure(session, error)
            raise
        _count_engine_starts(session)
        record |= {"state": "finished", "finished": now()}
        write_record(store, record)
        from factory.run.execute import on_worker

        # In a worker: reading samples and counting for the report took 70 MiB of the driver's memory.
        on_worker(partial(write_report, store, chain.run))
    return _result(record, spent, False, started)


def _report_failure(session: Session, error: BaseException) -> None:
    """The report of a run that a gate or a conservation check stopped: it shows what to look at. Other
    failures may be the store's, and must not be hidden behind a second one."""
    if isinstance(error, GateError | ConservationError):
        key = write_report(session.store, session.run)
        session.progress.say(f"report: {session.store.uri.rstrip('/')}/{key}")


def _stages(session: Session) -> int:
    """Works every stage in order; returns the requests this execution made."""
    dones: dict[str, Record] = {}
    requests = 0
    for stage in session.chain.stages:
        if stage.name == "select":
            _select_enough(session, stage, dones)
        else:
            dones[stage.name] = _stage(session, stage, dones)
        if stage.name == "merge" and _sample_is_short(session, dones):
            _select_enough(session, session.chain.stage("select"), dones, all_ranges=True)
            for again in session.chain.between("select", "merge"):
                dones[again.name] = _stage(session, again, dones)
        if stage.name == "gate":
            from factory.publish.gates import require_passed

            require_passed(gate_results(session.store, session.run))
        requests += int(dones[stage.name]["spent_now"].get("requests", 0))
    _ensure_ray(session)
    session.record["dataset"] = publish(session.store, session.chain, dones)
    session.record["samples"] = dones["shards"]["counts"]["accepted"]
    return requests


def _sample_is_short(session: Session, dones: Mapping[str, Record]) -> bool:
    """Whether duplicates left fewer documents than `limit` although more of the corpus could be read."""
    limit, taken = session.config.limit, session.chain.ranges_taken
    short = limit is not None and dones["merge"]["facts"]["documents"] < limit
    return short and taken < len(session.chain.source_units)


def _select_enough(session: Session, stage: Stage, dones: dict[str, Record], *, all_ranges: bool = False) -> None:
    """Reads source ranges until `limit` documents are there, doubling; without a limit, all of them at once."""
    ranges = session.chain.source_units
    limit = session.config.limit
    take = len(ranges) if limit is None or all_ranges else min(len(ranges), FIRST_WAVE)
    while True:
        session.chain.ranges_taken = take
        dones["select"] = _stage(session, stage, dones)
        if take == len(ranges) or (limit is not None and dones["select"]["counts"]["used"] >= limit):
            return
        take = min(len(ranges), take * 2)


FIRST_WAVE = 8
"""Source ranges a limited run reads at least, so that its sample does not come from one corner of the corpus."""


def _stage(session: Session, stage: Stage, dones: Mapping[str, Record]) -> Record:
    store, run = session.store, session.run
    planned = stage.plan(store, dones)
    plan_digest = fingerprint(sorted(unit.unit_id for unit in planned.plan.units))
    session.record["steps"][stage.name] = planned.folder
    done = read_done(store, run, stage.name)
    if done and done["folder"] == planned.folder and done["plan"] == plan_digest:
        return {**done, "spent_now": {}}
    expected = None if stage.reads is None else expected_from(dones[name] for name in stage.reads)
    identity = step_identity(planned.step, stage.model_identity)
    store.put_if_absent(f"steps/{planned.folder}/step.json", canonical_json(identity))
    body = {"step": stage.name, "folder": planned.folder, "units": [unit.unit_id for unit in planned.plan.units]}
    store.put(plan_key(run, stage.name), canonical_json(body))
    write_record(store, session.record)
    if stage.prepare is not None:
        stage.prepare(store)
    return _work(session, stage, planned, plan_digest, expected)


def _work(session: Session, stage: Stage, planned: Planned, plan_digest: str, expected: Expected | None) -> Record:
    store, progress, plan, folder = session.store, session.progress, planned.plan, planned.folder
    started = time.monotonic()
    pending = plan.pending
    progress.begin(stage.name, len(plan.units), len(plan.units) - len(pending))
    tally = Tally()
    for commit in read_commits(store, folder, [unit.unit_id for unit in plan.units if unit.unit_id in plan.done]):
        tally.add(commit)
    if pending:
        for receipt in _receipts(session, stage, planned):
            tally.spend(receipt)
            if receipt.commit is not None:
                tally.add(receipt.commit)
            progress.unit(receipt)
    tally.check(stage.name, expected)
    wall = time.monotonic() - started
    write_outputs(store, session.run, stage.name, (item for unit in plan.units for item in tally.outputs[unit.unit_id]))
    engine_seconds = wall * session.config.engine.replicas if stage.model_role and pending else 0.0
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
        "ledger": {**tally.ledger, "engine_seconds": engine_seconds},
        "spent_now": dict(tally.spent_now),
        "lost": lost_attempts(store, folder, tally.attempts) if pending else {},
        "engines": list(tally.engines.values()),
        "input_digest": tally.input_digest,
        "accepted_digest": tally.accepted_digest,
        "wall_seconds": wall,
    }
    write_done(store, session.run, done)
    progress.end(done)
    return done


def _receipts(session: Session, stage: Stage, planned: Planned) -> Iterator[Receipt]:
    from factory.run.execute import run_llm, run_work

    _ensure_ray(session)
    run = StepRun(planned.folder, session.run, session.config.cluster.attempt_deadline_s)
    pending = planned.plan.pending
    if stage.model_role is None:
        yield from run_work(session.store, cast(WorkStep, planned.step), run, pending)
        return
    pool = _pool(session, stage.model_role)
    info = asdict(pool.info())
    in_flight = session.config.engine.units_in_flight * session.config.engine.replicas
    yield from run_llm(session.store, cast(LlmStep, planned.step), run, pending, pool, info, in_flight)


def _ensure_ray(session: Session) -> None:
    if session.ray_started:
        return
    from factory.run.session import ray_session

    distinct = len({model.revision for model in session.chain.settings.models.values()})
    session.stack.enter_context(ray_session(session.config.cluster, distinct * session.config.engine.replicas))
    session.ray_started = True


def _pool(session: Session, role: str) -> EnginePool:
    """The pool of a role's model: started once a run; a model no later step needs makes room first."""
    from factory.engine.pool import start_pool

    model = session.chain.settings.models[role]
    if model.revision not in session.pools:
        for revision, other in list(session.pools.items()):
            _count_engine_starts(session)
            other.stop()
            del session.pools[revision]
        session.progress.say(f"starting engine: {model.id} ({session.config.engine.kind})")
        pool = start_pool(session.config.engine, model, seed=session.config.seed, run=session.run)
        session.stack.callback(pool.stop)
        session.pools[model.revision] = pool
    return session.pools[model.revision]


def _count_engine_starts(session: Session) -> None:
    for revision, pool in session.pools.items():
        try:
            starts = pool.starts()
        except FactoryError:
            continue
        model = next(model for model in session.chain.settings.models.values() if model.revision == revision)
        counted = {"starts": starts.first, "replacements": starts.replacements, "seconds": starts.seconds}
        session.record["engine_starts"][model.id] = counted


def _about(model: ResolvedModel) -> dict[str, str]:
    return {
        "id": model.id,
        "revision": model.revision,
        "license": model.license,
        "output_terms": model.output_terms,
    }


def _result(record: Mapping[str, Any], requests: int, finished_before: bool, started: float) -> RunResult:
    return RunResult(
        run=record["run"],
        dataset=record["dataset"],
        report=f"runs/{record['run']}/report.html",
        samples=record["samples"],
        requests=requests,
        already_finished=finished_before,
        seconds=time.monotonic() - started,
    )
