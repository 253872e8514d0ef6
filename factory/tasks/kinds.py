"""The task types there are, by the name of their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from factory.tasks.config import TasksConfig
from factory.tasks.multiple_choice import MultipleChoice
from factory.tasks.task import TaskType

KINDS: Mapping[str, Callable[[Any], TaskType]] = {"multiple_choice": MultipleChoice}
"""Key of `tasks` -> the type made of its settings."""


def task_types(config: TasksConfig) -> tuple[TaskType, ...]:
    """The types that a run asks for, in the order of their stages."""
    return tuple(KINDS[name](own) for name, own in config.on().items())
