"""What a run would do, found out by starting it over a store that keeps nothing.

Design: the stages are gone through by the code that runs them, in their rounds, over an overlay of the store; a stage
whose units are all committed settles there as it would in the run (also where another run committed them), the first
with work to do ends the rehearsal. No engine, no Ray, nothing written. Cost: that of starting a finished run again,
plus the commits of stages this very run has not recorded as done.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from factory.errors import GateError
from factory.run.chain import Chain
from factory.run.progress import SilentProgress
from factory.run.record import Record, read_record
from factory.run.runner import record_of, work_stages
from factory.run.stage import Planned, Session, UnworkedError
from factory.store.base import Store
from factory.store.overlay import Overlay


@dataclass(frozen=True)
class Rehearsed:
    """`dones` are records of the stages that have nothing left to do; `first` is the one that has, None where none
    has; `stopped_by` is what a gate says of rows that are all there."""

    dones: Mapping[str, Record]
    first: Planned | None
    first_name: str | None
    rounds: int
    stopped_by: str | None = None


def rehearse(chain: Chain, store: Store) -> Rehearsed:
    """Goes as far as the run could without working a unit. Raises FactoryError as a run would at its start."""
    config = chain.settings.config
    overlay = Overlay(store)
    dones: dict[str, Record] = {}
    record = record_of(chain, read_record(store, chain.run))
    with ExitStack() as stack:
        session = Session(
            chain.run, overlay, SilentProgress(), record, stack, config.cluster, {}, config.seed, rehearsal=True
        )
        try:
            work_stages(session, chain, dones)
        except UnworkedError as unworked:
            dones.pop(unworked.stage.name, None)
            return Rehearsed(dones, unworked.planned, unworked.stage.name, len(record["rounds"]))
        except GateError as error:
            return Rehearsed(dones, None, None, len(record["rounds"]), str(error))
    return Rehearsed(dones, None, None, len(record["rounds"]))
