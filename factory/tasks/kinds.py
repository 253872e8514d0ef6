"""The task types there are, by the name of their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from factory.tasks.config import RecordsConfig, TasksConfig
from factory.tasks.dialogue import Dialogue
from factory.tasks.extractive import Extractive
from factory.tasks.instruction import Instruction
from factory.tasks.multiple_choice import MultipleChoice
from factory.tasks.program import Program
from factory.tasks.record_schema import read_record_schema
from factory.tasks.records import Records
from factory.tasks.summary import Summary
from factory.tasks.task import TaskType


def _records(config: RecordsConfig) -> Records:
    assert config.schema_file is not None  # RecordsConfig refuses to be on without one
    return Records(config, read_record_schema(config.schema_file))


KINDS: Mapping[str, Callable[[Any], TaskType]] = {
    "multiple_choice": MultipleChoice,
    "extractive": Extractive,
    "summary": Summary,
    "instruction": Instruction,
    "dialogue": Dialogue,
    "records": _records,
    "program": Program,
}
"""Key of `tasks` -> the type made of its settings."""


def task_types(config: TasksConfig) -> tuple[TaskType, ...]:
    """The types that a run asks for, in the order of their stages. Raises ConfigError for a schema that is none."""
    return tuple(KINDS[name](own) for name, own in config.on().items())
