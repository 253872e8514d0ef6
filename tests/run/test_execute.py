"""How units are shared out to tasks: every unit once, in order, in a bounded number of tasks; begun once."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.engine.places import Pressure
from factory.run import execute, window
from factory.run.attempt import Receipt, StepRun
from factory.run.execute import PAYLOAD, TASKS_AT_MOST, WorkTask, largest_first, run_llm, shared_out
from factory.run.units import Unit, unit_over
from factory.store.local import LocalStore
from tests.bench.units_root import FOLDER, STEP, parent_files


@given(st.integers(0, 30_000), st.integers(1, 8))
def test_every_unit_is_in_one_task_and_tasks_are_bounded(count: int, units_a_task: int) -> None:
    units = [Unit(str(number)) for number in range(count)]
    tasks = shared_out(units, units_a_task)
    assert [unit for task in tasks for unit in task] == units
    assert all(tasks)
    assert len(tasks) <= TASKS_AT_MOST


@given(st.integers(1, 30_000))
def test_the_last_tasks_have_one_unit_each_so_that_no_slot_waits_for_another(count: int) -> None:
    tasks = shared_out([Unit(str(number)) for number in range(count)], 1)
    assert {len(task) for task in tasks[-min(count, TASKS_AT_MOST // 2) :]} == {1}


def test_few_units_of_a_model_are_never_put_together() -> None:
    tasks = shared_out([Unit(str(number)) for number in range(TASKS_AT_MOST)], 1)
    assert {len(task) for task in tasks} == {1}


@given(st.lists(st.integers(1, 5), max_size=40))
def test_units_of_a_model_begin_with_the_largest_and_equal_ones_keep_their_order(sizes: list[int]) -> None:
    file = next(iter(parent_files(1))).file
    units = [unit_over(file, tuple(range(place * 5, place * 5 + size))) for place, size in enumerate(sizes)]
    ordered = largest_first(units)
    assert [unit.rows for unit in ordered] == sorted(sizes, reverse=True)
    places = [(-(unit.rows or 0), units.index(unit)) for unit in ordered]
    assert places == sorted(places)


def test_a_task_that_is_run_again_begins_no_unit_that_is_committed(local_store: LocalStore) -> None:
    """Ray runs a task again whose worker died, also where it died after a commit and before its answer."""
    units = tuple(unit_over(output.file) for output in parent_files(3))
    task = WorkTask(local_store, STEP, StepRun(FOLDER, "run"))

    def run(some: Sequence[Unit]) -> list[Receipt]:
        outcome: list[Receipt] = pickle.loads(
            task(pa.table({PAYLOAD: [pickle.dumps(tuple(some))]}))[PAYLOAD][0].as_py()
        )
        return outcome

    first = run(units[:2])
    again = run(units)
    assert [receipt.commit for receipt in again[:2]] == [receipt.commit for receipt in first]
    assert [bool(receipt.spent) for receipt in again] == [False, False, True], "what is committed costs nothing now"
    begun = [info.key for info in local_store.list(f"steps/{FOLDER}/attempts/")]
    assert len(begun) == 3


def test_a_step_begins_with_units_for_the_engines_that_are_there_not_for_those_that_may_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[int] = []

    @contextmanager
    def opened(opening: window.Window, _look: object) -> Iterator[None]:
        begun.append(opening.limit)
        yield

    monkeypatch.setattr(window, "opened", opened)
    monkeypatch.setattr(execute, "_until_committed", lambda *_: iter(()))
    pool: Any = SimpleNamespace(replicas=1000, pressure=lambda: Pressure(2 * 64, 0, 0, 0, 0.9))
    units, nothing = [Unit(str(number)) for number in range(3)], cast(Any, None)
    assert not list(run_llm(nothing, nothing, StepRun(FOLDER, "run"), units, pool, {}, 8000, 64, adaptive=True))
    assert begun == [2 * 64]
