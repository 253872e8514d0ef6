"""A finished answer of a task held against what its row says of itself, and what a unit of such rows looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from factory.answers.grounding import Grounding
from factory.answers.verify.verdict import Verdict
from factory.tasks.answer import data_of
from factory.tasks.task import Given, TaskType


def verify_task(task: TaskType, row: Mapping[str, Any], grounded: Grounding) -> Verdict:
    """The verdict on one row of TASK_ANSWER; `grounded` is how its answer stands on its passages."""
    return task.verify(data_of(row), Given(row["answer"] or "", row["final_answer"], grounded))


def stratum_of(row: Mapping[str, Any]) -> str:
    """What verdicts are counted by: the level, the task type, of programs also the language."""
    task = row.get("task")
    if task == "program":
        return f"program, {data_of(row)['language']}"
    return task or f"level {row['level']}"


def task_facts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Where the right options stand, as the report shows it."""
    facts: Counter[str] = Counter()
    for row in rows:
        if row.get("task") == "multiple_choice":
            facts[f"right_option={data_of(row)['letter']}"] += 1
    return dict(facts)
