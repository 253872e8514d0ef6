"""A whole run: plan each stage, work what is pending, check conservation, publish.

Design: the store owns progress. Stages (factory/run/chain.py) are worked one after another, each from what is
committed (factory/run/stage.py); a run with nothing to do imports neither Ray nor an engine. The same command given
twice at once is one run: the second waits for the first, before it starts anything. Cost of an unchanged, finished
run: the listing of the corpus and about 15 small reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from factory.config import FactoryConfig
from factory.cost.engines import folded_use
from factory.credentials import blanked
from factory.errors import ConservationError, GateError, StoreError
from factory.evaluate.report import write_report
from factory.observe.session import observing, state_of
from factory.publish.config import PublishConfig
from factory.publish.gates.losses import explained
from factory.run.chain import Chain, build_chain
from factory.run.engines import Served, count_engine_starts
from factory.run.forced_end import at_forced_end
from factory.run.losses import passed_on
from factory.run.progress import Progress
from factory.run.publication import gate_results, publish, version_of, write_records
from factory.run.record import Record, now, read_record, write_record
from factory.run.registration import check_index, note_newer, pin, register
from factory.run.rounds import draw_until_enough, draw_walks
from factory.run.sharing import grown, member_of
from factory.run.stage import Session, Stage, ensure_ray, work_stage
from factory.run.withdrawn import as_noted, note_withdrawn, pin_withdrawn
from factory.store.base import Store, in_a_hurry
from factory.store.lease import HURRY_S, held

if TYPE_CHECKING:
    from factory.engine.models import ResolvedModel


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


def execute(config: FactoryConfig, store: Store, progress: Progress) -> RunResult:
    """Runs to a published dataset, or says that there is nothing to do.

    Raises FactoryError; the run record then says `failed` and why. Running the same command again goes on
    where this one stopped.
    """
    started = time.monotonic()
    chain = build_chain(config)
    previous = read_record(store, chain.run)
    if previous and _nothing_to_do(store, chain, previous):
        return _result(previous, 0, True, started)
    if config.diversity.model is not None:
        from factory.evaluate.diversity.embedding import embedding_model

        embedding_model(config.diversity)  # a report that fails for want of a model comes days too late
    if config.publish.version is not None:
        from factory.publish.finalise import require_free

        require_free(store, config.publish.name, config.publish.version, chain.run)
    check_index(store, config, chain.run)
    with ExitStack() as stack:
        session = _session(store, progress, chain, stack)
        lease, what = f"run-{chain.run}", f"the same run, {chain.run}"
        with held(store, lease, what, progress.say, meanwhile=_meanwhile(session, chain)) as waited:
            if waited:
                previous = read_record(store, chain.run)
                if previous and _nothing_to_do(store, chain, previous):
                    return _result(previous, _requests(session), not _requests(session), started)
            session.record = record_of(chain, previous)
            spent = _executed(session, chain)
        return _result(session.record, spent, False, started)


def _session(store: Store, progress: Progress, chain: Chain, stack: ExitStack) -> Session:
    """Raises ConfigError where this is no pod of those that share the run."""
    config = chain.settings.config
    served = {role: Served(model, config.engine) for role, model in chain.settings.models.items()}
    observer = stack.enter_context(observing(config, chain.run, store, progress.say))
    session = Session(chain.run, store, progress, {}, stack, config.cluster, served, config.seed, observer=observer)
    if config.cluster.executor == "processes":
        session.member = member_of(config.cluster)
        session.grown = partial(grown, chain)
    return session


def _meanwhile(session: Session, chain: Chain) -> Callable[[], bool] | None:
    """What to do while another process works on the run: help it, where the configuration says so."""
    if session.member.completions == 1:
        return None
    from factory.run.shared_stage import Helper

    return Helper(session, chain)


def _executed(session: Session, chain: Chain) -> int:
    """Works the chain and writes record and report; returns the requests this execution made."""
    store, progress, record = session.store, session.progress, session.record
    chain.rounds.ends.clear()  # a pod that has helped until now knows of rounds that it is about to go through itself
    chain.rounds.visits.clear()
    write_record(store, record)
    # engines have ended when the lease is given back
    with at_forced_end(partial(_note_forced_end, store, record)), session.stack:
        for note in chain.notes:
            progress.say(f"note: {note}")
        try:
            spent = _stages(session, chain)
        except BaseException as error:
            record |= {"state": state_of(error), "error": blanked(str(error)), "finished": now()}
            record |= {"error_type": type(error).__name__}
            # First of all: what follows asks Ray, which a signal to every process may have ended already.
            note_failure(store, record)
            count_engine_starts(session, ask=False)
            note_failure(store, record)
            _report_failure(session, error)
            raise
        count_engine_starts(session)
        record |= {"state": "finished", "finished": now()}
        write_record(store, record)
        from factory.run.execute import on_worker

        # In a worker: reading samples and counting for the report took 70 MiB of the driver's memory.
        on_worker(partial(write_report, store, chain.run))
    return spent


def _note_forced_end(store: Store, record: Record, state: str, error: str, error_type: str) -> None:
    if record["state"] == "running":
        ended = {"state": state, "error": blanked(error), "finished": now(), "error_type": error_type}
        note_failure(store, record | ended)


def note_failure(store: Store, record: Record) -> None:
    """Writes the record of a run that ends with an error, if the store lets it: where the store itself is what failed,
    it has been waited for, and what a user has to read is the error that ended the run."""
    with suppress(StoreError):
        write_record(in_a_hurry(store, HURRY_S), record)


def record_of(chain: Chain, previous: Record | None) -> Record:
    """The record of a run that starts, or that goes on where `previous` stopped."""
    config = chain.settings.config
    record: Record = {
        "run": chain.run,
        "state": "running",
        "config": config.model_dump(mode="json"),
        "inputs": chain.inputs_digest(),
        **({"notes": list(chain.notes)} if chain.notes else {}),
        **({"strata": list(chain.settings.pack.strata)} if chain.settings.pack.strata else {}),
        "models": {role: _about(model) for role, model in chain.settings.models.items()},
        "steps": {},
        "dataset": None,
        "started": previous["started"] if previous else now(),
        "resumed": [*previous.get("resumed", []), now()] if previous else [],
        "engine_starts": dict(previous.get("engine_starts", {})) if previous else {},
        "engine_use": folded_use(previous.get("engine_use", [])) if previous else [],
    }
    same = previous is not None and previous["inputs"] == record["inputs"]
    record["rounds"] = [dict(item) for item in previous.get("rounds", [])] if previous and same else []
    return record


def _nothing_to_do(store: Store, chain: Chain, previous: Record) -> bool:
    """Whether the run is finished over this very corpus, and its dataset still stands."""
    if previous["state"] != "finished" or previous["inputs"] != chain.inputs_digest():
        return False
    return store.head(f"{previous['dataset']}/manifest.json") is not None and as_noted(store, previous)


def _report_failure(session: Session, error: BaseException) -> None:
    """The report of a run that a gate or a conservation check stopped: it shows what to look at. Other
    failures may be the store's, and must not be hidden behind a second one."""
    if isinstance(error, GateError | ConservationError):
        from factory.run.execute import on_worker

        write = partial(write_report, session.store, session.run)
        key = on_worker(write) if session.ray_started else write()
        session.progress.say(f"report: {session.store.uri.rstrip('/')}/{key}")


def _stages(session: Session, chain: Chain) -> int:
    """Works every stage and publishes; returns the requests this execution made."""
    dones: dict[str, Record] = {}
    work_stages(session, chain, dones)
    ensure_ray(session)
    if chain.settings.config.curate.index.register:
        _registered(session, chain, dones)
    session.record["dataset"] = publish(session.store, chain, dones, session.record["started"])
    session.record["samples"] = dones["shards"]["counts"]["accepted"]
    session.progress.say(write_records(session.store, session.record["dataset"]))
    if (note := empty_splits_note(chain.settings.config.publish, dones["samples"]["facts"])) is not None:
        session.progress.say(f"note: {note}")
    return _requests(session)


def _requests(session: Session) -> int:
    return int(sum(spent["requests"] for spent in session.spent.values()))


def empty_splits_note(asked: PublishConfig, rows: Mapping[str, int]) -> str | None:
    """What to say where no row is in a split that was asked for; `rows` are the facts of the samples step."""
    shares = {"validation": asked.validation, "test": asked.test}
    empty = [name for name, share in shares.items() if share and not rows.get(f"{name}_rows")]
    if not empty:
        return None
    wanted = ", ".join(f"publish.{name}={shares[name]:g}" for name in empty)
    return (
        f"no row is in {' or '.join(empty)} ({wanted}): none of the rows' documents fell into it; more documents or a "
        "larger share give it rows"
    )


def work_stages(session: Session, chain: Chain, dones: dict[str, Record], last: str | None = None) -> None:
    """Works every stage in order, in as many rounds as the run takes; fills `dones`. Ends behind the stage `last`."""
    config = chain.settings.config
    for stage in chain.stages:
        if stage.name == "match":
            pin(session, chain)
        if stage.name == "recheck":
            note_newer(session, chain, dones)
        if stage.name == "samples":
            pin_withdrawn(session)
        if stage.name == "select":
            _select_enough(session, chain, stage, dones)
        elif stage.name == "walk":
            draw_walks(session, chain, dones)
        else:
            dones[stage.name] = work_stage(session, stage, dones)
        if stage.name == "merge" and _sample_is_short(chain, dones):
            _select_enough(session, chain, chain.stage("select"), dones, all_ranges=True)
            for again in chain.between("select", "merge"):
                dones[again.name] = work_stage(session, again, dones)
        if stage.name == "samples" and config.target_samples is not None:
            draw_until_enough(session, chain, dones)
        if stage.name == "samples":
            note_withdrawn(session)
        if stage.name == "gate":
            _require_gates(session, explained(passed_on(dones, chain.questions)))
        if stage.name == last:
            return


def _require_gates(session: Session, why: tuple[str, str] | None = None) -> None:
    from factory.publish.gates.results import require_passed, warnings

    results = gate_results(session.store, session.run)
    for gate in warnings(results):
        session.progress.say(f"gate warning: {gate.in_words()}")
    require_passed(results, why)


def _registered(session: Session, chain: Chain, dones: dict[str, Record]) -> None:
    """Puts what is about to be published on the list, compared with everything that is there."""
    while not register(session, chain, dones, version_of(chain, dones)):
        note_newer(session, chain, dones, again=True)
        for stage in chain.through("recheck", "segment"):
            dones[stage.name] = work_stage(session, stage, dones)
            if stage.name == "gate":
                _require_gates(session, explained(passed_on(dones, chain.questions)))


def _sample_is_short(chain: Chain, dones: Mapping[str, Record]) -> bool:
    """Whether duplicates left fewer documents than `limit` although more of the corpus could be read."""
    limit, taken = chain.settings.config.limit, chain.ranges_taken
    short = limit is not None and dones["merge"]["facts"]["documents"] < limit
    return short and taken < len(chain.source_units)


def _select_enough(
    session: Session, chain: Chain, stage: Stage, dones: dict[str, Record], *, all_ranges: bool = False
) -> None:
    """Reads source ranges until `limit` documents are there, doubling; without a limit, all of them at once."""
    ranges = chain.source_units
    limit = chain.settings.config.limit
    take = len(ranges) if limit is None or all_ranges else min(len(ranges), FIRST_WAVE)
    while True:
        chain.ranges_taken = take
        dones["select"] = work_stage(session, stage, dones)
        if take == len(ranges) or (limit is not None and dones["select"]["counts"]["used"] >= limit):
            return
        take = min(len(ranges), take * 2)


FIRST_WAVE = 8
"""Source ranges a limited run reads at least, so that its sample does not come from one corner of the corpus."""


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
