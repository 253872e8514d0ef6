"""The passes that find duplicates, worked and committed one unit after another, without Ray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from factory.curate import compare
from factory.curate.compare import CompareStep, Questions, compare_units
from factory.curate.decide import DecideStep, decide_units
from factory.curate.match import MatchStep, match_units, sketched_files
from factory.curate.sketch import SketchStep
from factory.run.attempt import StepRun, begin, finish
from factory.run.outputs import Output, read_outputs, write_outputs
from factory.run.step import WorkStep
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.commits import Commit


class Passes(NamedTuple):
    sketch: WorkStep
    match: MatchStep
    compare: CompareStep
    decide: WorkStep


def passes_of(step: SketchStep, template_variants: int | None = None) -> Passes:
    """The passes over questions that follow a sketch step."""
    compare = CompareStep(step.parameters, Questions(step.parameters.shingling))
    return Passes(step, MatchStep(template_variants=template_variants), compare, DecideStep(step.parameters))


class Decided(NamedTuple):
    """Key of the outputs index of the pass that decides, and its commits."""

    key: str
    commits: list[Commit]


def decided_by(
    store: Store, passes: Passes, units: Sequence[Unit], folder: str = "0", index: str | None = None
) -> Decided:
    """Works all passes over the units of the first; step folders are named by step and `folder`. `index` is the key of
    a view of published questions."""
    sketches, _ = worked(store, passes.sketch, units)
    sketched = read_outputs(store, sketches)
    match_folder, compare_folder, decide_folder = (f"{step.name}-{folder}" for step in passes[1:])
    candidates, _ = worked(store, passes.match, match_units(match_folder, sketches, sketched, index), match_folder)
    found, files = read_outputs(store, candidates), sketched_files(sketched)
    to_compare = compare_units(compare_folder, sketches, candidates, files, found, index, compare.PAIRS_A_UNIT)
    edges, _ = worked(store, passes.compare, to_compare, compare_folder)
    to_decide = decide_units(decide_folder, sketches, candidates, edges, sketched, read_outputs(store, edges))
    return Decided(*worked(store, passes.decide, to_decide, decide_folder))


def worked(store: Store, step: WorkStep, units: Sequence[Unit], folder: str = "") -> tuple[str, list[Commit]]:
    """Works and commits units; returns the key of the step's outputs index."""
    commits = [commit(store, folder or f"{step.name}-0", unit, step.work(store, unit)) for unit in units]
    outputs = [Output(item.unit, item.parent, file) for item in commits for file in item.files]
    return write_outputs(store, "run", step.name, outputs), commits


def commit(store: Store, folder: str, unit: Unit, result: UnitResult) -> Commit:
    run = StepRun(folder, "run")
    committed = finish(store, run, begin(store, run, unit, {}), result).commit
    assert committed is not None
    return committed
