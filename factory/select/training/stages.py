"""The stages of a training job, over the same machinery as a run's (factory/run/stage.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from factory.run.outputs import outputs_key
from factory.run.plan import Part, global_folder, plan_global, plan_rows, plan_units, row_wise_folder
from factory.run.record import planned_units
from factory.run.stage import Dones, Planned, Stage
from factory.run.step import LlmStep, WorkStep
from factory.run.units import Unit
from factory.store.base import Store
from factory.store.commits import committed_units


def source_stage(
    name: str, step: WorkStep, units: Sequence[Unit], prepare: Callable[[Store], None] | None = None
) -> Stage:
    """A step over units that are what they are: ranges of a corpus, blocks of assignments."""

    def plan(store: Store, _dones: Dones) -> Planned:
        folder = row_wise_folder(step, None)
        return Planned(step, folder, plan_units(units, committed_units(store, folder)))

    return Stage(name, plan, step=step, prepare=prepare)


def sample_stage(run: str, name: str, step: WorkStep, over: str | None, texts: str = "") -> Stage:
    """One unit over everything the stage `over` gave, and over texts that lie in the store under `texts`."""

    def plan(store: Store, dones: Dones) -> Planned:
        units = planned_units(store, run, over) if over else []
        folder = global_folder(step, units, dones[over]["folder"] if over else None)
        parameters = {"outputs": outputs_key(run, over) if over else "", "texts": texts}
        return Planned(step, folder, plan_global(folder, parameters, committed_units(store, folder)))

    return Stage(name, plan, step=step)


def asking_stage(
    name: str,
    step: LlmStep,
    role: str,
    identity: Mapping[str, Any],
    parts: Sequence[Part],
    reads: tuple[str, ...] | None,
) -> Stage:
    """A model asked about the rows of `parts`; `reads` where these are all that a stage gave."""

    def plan(store: Store, _dones: Dones) -> Planned:
        folder = row_wise_folder(step, identity)
        return Planned(step, folder, plan_rows(store, folder, parts, committed_units(store, folder)))

    return Stage(name, plan, reads, role, identity, step)
