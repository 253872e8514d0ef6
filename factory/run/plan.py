"""Which units a step needs, and which of them are committed already.

Design: a row-wise plan walks the parent's files. A file whose planned rows are committed as one unit is
reused as it is. Where a smaller run (`limit`) committed some of a file's rows, those units are kept and one
new unit takes the rest: nobody pays twice for a row. The listing of commits is the only thing read, plus
the few commits whose file matches but whose rows do not. Cost: O(units) in the driver, no rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from factory.identity import fingerprint, make_id
from factory.run.step import LlmStep, WorkStep
from factory.run.units import HALF, FileRef, Unit, unit_over
from factory.store.base import Store
from factory.store.commit_index import each_commit


@dataclass(frozen=True)
class Part:
    """A committed file and which of its rows the step is to read (None: all). `parameters` say what else a unit over
    it needs to know."""

    file: FileRef
    picks: tuple[int, ...] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A step's units in this run, and the ids of those that were committed before."""

    units: tuple[Unit, ...]
    done: frozenset[str]

    @property
    def pending(self) -> list[Unit]:
        return [unit for unit in self.units if unit.unit_id not in self.done]


def plan_rows(
    store: Store, folder: str, parts: Sequence[Part], done: set[str], parameters: Mapping[str, Any] | None = None
) -> Plan:
    """Covers every part's rows, reusing committed units of the same step over the same content."""
    wholes = [unit_over(part.file, part.picks, **{**(parameters or {}), **part.parameters}) for part in parts]
    over_file: dict[str, list[str]] = {whole.unit_id[:HALF]: [] for whole in wholes if whole.unit_id not in done}
    for unit_id in done:
        if unit_id[:HALF] in over_file:
            over_file[unit_id[:HALF]].append(unit_id)
    other_rows = [unit_id for found in over_file.values() for unit_id in found]
    picks = {commit.unit: commit.picks for commit in each_commit(store, folder, other_rows)}
    units: list[Unit] = []
    for part, whole in zip(parts, wholes, strict=True):
        candidates = [] if whole.unit_id in done else sorted(over_file[whole.unit_id[:HALF]])
        units.extend(
            _tiles(part, {unit_id: picks[unit_id] for unit_id in candidates}, whole) if candidates else [whole]
        )
    return Plan(tuple(units), frozenset(done) & {unit.unit_id for unit in units})


def _tiles(part: Part, committed: Mapping[str, tuple[int, ...] | None], whole: Unit) -> list[Unit]:
    """Committed units (by id: their rows) that fit disjointly into the part's rows, and one for the rows left over."""
    left = set(range(part.file.rows) if part.picks is None else part.picks)
    tiles: list[Unit] = []
    for picks in committed.values():
        covered = set(range(part.file.rows) if picks is None else picks)
        if covered and covered <= left:
            left -= covered
            tiles.append(unit_over(part.file, tuple(sorted(covered)), **whole.parameters))
    if left:
        tiles.append(unit_over(part.file, tuple(sorted(left)), **whole.parameters))
    return tiles


def plan_units(units: Sequence[Unit], done: set[str]) -> Plan:
    """A plan of units that are what they are: source ranges, shards."""
    return Plan(tuple(units), frozenset(done & {unit.unit_id for unit in units}))


def plan_global(folder: str, parameters: Mapping[str, Any], done: set[str]) -> Plan:
    """One unit that covers everything the folder's fingerprint names; `parameters` only say where it lies."""
    return plan_units([Unit(make_id("unit", folder), parameters=dict(parameters))], done)


def row_wise_folder(step: LlmStep | WorkStep, model: Mapping[str, Any] | None) -> str:
    """Folder of a step whose units stand for themselves: what can change a row, and nothing else."""
    return _folder(step, step_identity(step, model))


def global_folder(step: LlmStep | WorkStep, unit_ids: Sequence[str], extra: Any = None) -> str:
    """Folder of a step whose result depends on everything it reads: also the sorted set of unit ids."""
    return _folder(step, {**step_identity(step, None), "reads": sorted(set(unit_ids)), "extra": extra})


def step_identity(step: LlmStep | WorkStep, model: Mapping[str, Any] | None) -> dict[str, Any]:
    """Everything that can change a row the step makes; its hash names the step's folder."""
    identity: dict[str, Any] = {"name": step.name, "version": step.version, "own": step.identity()}
    if model is not None:
        asks = cast("LlmStep", step)
        identity |= {"model": dict(model), "sampling": asdict(asks.sampling), "response_schema": asks.response_schema}
    return identity


def _folder(step: LlmStep | WorkStep, identity: Mapping[str, Any]) -> str:
    return f"{step.name}-{fingerprint(dict(identity))[:FOLDER_DIGITS]}"


FOLDER_DIGITS = 16
"""64 bits: two configurations of one step in one root never meet."""
