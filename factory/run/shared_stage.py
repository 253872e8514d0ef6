"""A stage worked without Ray: by this process alone, or shared with the other pods of an Indexed Job (sharing.py).

Design: the pod that leads goes through the chain as every run does; here its stage's units are worked, and where there
are several of both, units and pods, they are offered. A pod that does not lead waits for the run's lease and, while it
waits, helps: it plans the stage that is on offer by the same code, from the same records, and takes shares of it. It
keeps its engines from one offer to the next, and for the case that it comes to lead itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from factory.errors import ClusterError
from factory.run.attempt import Receipt, StepRun
from factory.run.drain import is_leaving, patient, under_way
from factory.run.engines import pool_of
from factory.run.execute import PASSES, LlmTask, WorkTask, too_late
from factory.run.processes import Task, current, in_threads, in_worker, one_after_another
from factory.run.record import kept_plan_key, read_done
from factory.run.sharing import (
    SHARES_A_POD,
    Offer,
    Shares,
    by_share,
    clear_away,
    put_offer,
    read_offer,
)
from factory.run.stage import Planned, Session, Stage, ensure_ray
from factory.run.step import LlmStep, WorkStep
from factory.run.units import Unit
from factory.store.base import Store
from factory.store.objects import damaged, read_mapping

if TYPE_CHECKING:
    from factory.run.chain import Chain

OnUnit = Callable[[Unit], Sequence[Receipt]]


def led(session: Session, stage: Stage, planned: Planned) -> Iterator[Receipt]:
    """Works what is pending of a stage, here and in the pods that help; yields receipts as units are committed."""
    pending = planned.plan.pending
    if session.member.completions == 1 or len(pending) == 1:
        ensure_ray(session)
        work, threads = _worker(session, stage, planned)
        take = one_after_another(pending)
        with patient(session.cluster.grace_seconds):
            yield from in_threads(lambda: None if is_leaving() else take(), work, min(threads, len(pending)))
        return
    offer = _offer(session, stage, planned)
    put_offer(session.store, session.run, offer)  # before engines start: the others' start at the same time
    ensure_ray(session)
    shares = _shares(session, offer, pending, all_of_them=True)
    yield from _worked(session, stage, planned, shares)
    put_offer(session.store, session.run, None)
    clear_away(session.store, offer)


@dataclass
class Helper:
    """What a pod does while another one leads; called between two looks at the run's lease. Mutable: it remembers the
    offer it plans for."""

    session: Session
    chain: Chain
    _offer: Offer | None = None
    _here: tuple[Stage, Planned, Shares] | None = None
    _told: set[str] = field(default_factory=set)

    def __call__(self) -> bool:
        """Works what is on offer until there is nothing left to take; whether there was anything.

        Raises what a unit raised.
        """
        session = self.session
        offer = read_offer(session.store, session.run)
        if offer != self._offer:
            self._here = self._planned(offer) if offer is not None else None
            self._offer = offer
        if self._here is None or not self._here[2].free():
            return False
        stage, planned, shares = self._here
        ensure_ray(session)
        spent: Counter[str] = Counter()
        units = 0
        for receipt in _worked(session, stage, planned, shares):
            spent.update(receipt.spent)
            units += 1
        session.spent.setdefault(stage.name, Counter()).update(spent)
        if units:
            session.progress.say(f"{stage.name}: worked {units} units for the pod that leads")
        return units > 0

    def _planned(self, offer: Offer) -> tuple[Stage, Planned, Shares] | None:
        """None where this pod cannot help."""
        session, chain = self.session, self.chain
        stage = next((each for each in chain.stages if each.name == offer.stage), None)
        if stage is None:
            return None
        chain.ranges_taken = offer.ranges
        chain.rounds.ends[:], chain.rounds.visits[:] = offer.ends, offer.visits
        found = {each.name: read_done(session.store, chain.run, each.name) for each in chain.stages}
        try:
            planned = stage.plan(session.store, {name: done for name, done in found.items() if done is not None})
        except KeyError:  # the leader is further already: what this plan reads is being written anew
            return None
        if planned.folder != offer.folder:
            self._say_once(f"{offer.stage} is not helped with: it is {planned.folder} here and {offer.folder} there")
            return None
        return stage, planned, _shares(session, offer, planned.plan.pending, all_of_them=False)

    def _say_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self.session.progress.say(line)


def _offer(session: Session, stage: Stage, planned: Planned) -> Offer:
    """Names a plan that is kept already (stage.work_stage)."""
    shares = min(len(planned.plan.units), session.member.completions * SHARES_A_POD)
    return Offer(stage.name, planned.folder, planned.digest, shares, **session.grown())


def _shares(session: Session, offer: Offer, units: Sequence[Unit], *, all_of_them: bool) -> Shares:
    shared = by_share(units, _planned_ids(session.store, offer), offer.shares)
    return Shares(session.store, offer, shared, session.member, all_of_them=all_of_them)


def _planned_ids(store: Store, offer: Offer) -> list[str]:
    """The plan's units in the order that all pods go by. Raises StoreError where the plan is gone or damaged."""
    key = kept_plan_key(offer.folder, offer.plan)
    ids: Any = read_mapping(store, key, ("units",))["units"]
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise damaged(store.uri, key, "units: no list of ids")
    return ids


def _worked(session: Session, stage: Stage, planned: Planned, shares: Shares) -> Iterator[Receipt]:
    work, threads = _worker(session, stage, planned)

    def one(taken: tuple[int, Unit]) -> Sequence[Receipt]:
        share, unit = taken
        receipts = work(unit)
        if receipts:
            shares.settled(share)
        return receipts

    try:
        with patient(session.cluster.grace_seconds):
            yield from in_threads(shares.take, one, threads)
    finally:
        shares.stop()


def _worker(session: Session, stage: Stage, planned: Planned) -> tuple[OnUnit, int]:
    """What works a unit of the stage in this pod, and how many may be at it; an LLM stage's engines are started."""
    run = StepRun(planned.folder, session.run, session.cluster.attempt_deadline_s, session.observer.on_workers)
    task: Task
    if stage.model_role is None:
        workers = current()
        if workers is None:
            raise ClusterError("there are no worker processes", cause="a defect of the factory", remedy="report it")
        task = WorkTask(session.store, cast(WorkStep, planned.step), run)
        return partial(_until_committed, run, partial(workers.call, in_worker, task)), workers.count
    engine = session.served[stage.model_role].engine
    pool = pool_of(session, stage.model_role)
    task = LlmTask(session.store, cast(LlmStep, planned.step), run, pool, asdict(pool.info()))
    return partial(_until_committed, run, partial(in_worker, task)), engine.units_in_flight * engine.replicas


def _until_committed(run: StepRun, attempt: Callable[[Unit], Receipt], unit: Unit) -> Sequence[Receipt]:
    """Receipts of a unit's attempts, the last of which committed it; none where the run is leaving and it was not
    begun. Raises StoreError where none committed it."""
    receipts: list[Receipt] = []
    for _ in range(PASSES):
        with under_way(run.folder, unit.unit_id) as may_begin:
            if not may_begin:
                return ()
            receipts.append(attempt(unit))
        if receipts[-1].commit is not None:
            return receipts
    raise too_late(run, 1)
