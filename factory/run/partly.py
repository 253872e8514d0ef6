"""A run worked up to a stage, to learn from: `factory plan --measure` works a few documents up to their samples.

Design: it is a run like any other, under its own id and with its own record, that stops before gates and shards; what
it commits is what a larger run over the same corpus finds done. Its record says `interrupted` and why: the same
configuration goes on from there.
"""

from __future__ import annotations

from contextlib import ExitStack

from factory.config import FactoryConfig
from factory.credentials import blanked
from factory.observe.session import state_of
from factory.run.chain import build_chain
from factory.run.engines import Served, count_engine_starts
from factory.run.progress import Progress
from factory.run.record import Record, now, read_record, write_record
from factory.run.registration import check_index
from factory.run.runner import note_failure, record_of, work_stages
from factory.run.stage import Session
from factory.store.base import Store
from factory.store.lease import held

MEASURED = "worked up to its samples for a plan (factory plan --measure); the same configuration goes on from there"


def work_up_to(last: str, config: FactoryConfig, store: Store, progress: Progress) -> str:
    """Works every stage up to and with `last`; gives the run's id. Raises FactoryError as a run does."""
    chain = build_chain(config)
    check_index(store, config, chain.run)
    with held(store, f"run-{chain.run}", f"the same run, {chain.run}", progress.say), ExitStack() as stack:
        previous = read_record(store, chain.run)
        if previous is not None and previous.get("state") == "finished":
            return chain.run
        record = record_of(chain, previous)
        write_record(store, record)
        served = {role: Served(model, config.engine) for role, model in chain.settings.models.items()}
        session = Session(chain.run, store, progress, record, stack, config.cluster, served, config.seed)
        dones: dict[str, Record] = {}
        try:
            work_stages(session, chain, dones, last)
        except BaseException as error:
            note_failure(store, record | {"state": state_of(error), "error": blanked(str(error)), "finished": now()})
            raise
        count_engine_starts(session)
        write_record(store, record | {"state": "interrupted", "error": MEASURED, "finished": now()})
    return chain.run
