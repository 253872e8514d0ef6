"""The stages that decide what repeats what: documents, questions, and rephrased questions.

    sketch -> match -> compare -> decide

Design: units over all rows of a sketch, named by their places in the order of its files; so the folders are named by
that order, by the units that were sketched, and by what is published where rows are compared with that as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from factory.curate.compare import compare_units
from factory.curate.decide import decide_units
from factory.curate.index.pin import View, pin_key
from factory.curate.match import match_units, sketched_files
from factory.identity import fingerprint
from factory.run.outputs import outputs_key, read_outputs
from factory.run.plan import global_folder, plan_units
from factory.run.record import planned_units
from factory.run.stage import Dones, Planned, Stage
from factory.run.step import WorkStep
from factory.run.steps import DuplicateSteps
from factory.run.units import Unit
from factory.store.base import Store
from factory.store.commits import committed_units


def deciding(run: str, steps: DuplicateSteps, view: Callable[[Store], View] = lambda _store: View()) -> Iterator[Stage]:
    """The stages from match to decide. `view` is what is published, where rows are compared with that as well."""
    sketch, match, compare = (outputs_key(run, step.name) for step in (steps.sketch, steps.match, steps.compare))

    def planner(step: WorkStep, reads: WorkStep, units: Callable[[Store, str, str | None], list[Unit]]) -> Stage:
        def plan(store: Store, dones: Dones) -> Planned:
            order = fingerprint([output.file.name for output in read_outputs(store, sketch)])
            known = view(store)
            upstream = [dones[reads.name]["folder"], order, *([known.digest] if known.parts else [])]
            folder = global_folder(step, planned_units(store, run, reads.name), upstream)
            named = units(store, folder, pin_key(run) if known.parts else None)
            return Planned(step, folder, plan_units(named, committed_units(store, folder)))

        return Stage(step.name, plan, (reads.name,), step=step)

    def match_plan(store: Store, folder: str, index: str | None) -> list[Unit]:
        return match_units(folder, sketch, read_outputs(store, sketch), index)

    def compare_plan(store: Store, folder: str, index: str | None) -> list[Unit]:
        sketched, pairs = sketched_files(read_outputs(store, sketch)), steps.compare.pairs_a_unit
        return compare_units(folder, sketch, match, sketched, read_outputs(store, match), index, pairs)

    def decide_plan(store: Store, folder: str, _index: str | None) -> list[Unit]:
        return decide_units(folder, sketch, match, compare, read_outputs(store, sketch), read_outputs(store, compare))

    yield planner(steps.match, steps.sketch, match_plan)
    yield planner(steps.compare, steps.match, compare_plan)
    yield planner(steps.decide, steps.compare, decide_plan)
