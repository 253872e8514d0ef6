"""How units are shared out to tasks: every unit once, in order, in a bounded number of tasks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from factory.run.execute import TASKS_AT_MOST, shared_out
from factory.run.units import Unit


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
