"""Every task type, and an item of each that becomes a question row about the planted passage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.tasks.task import TaskType
from tests.tasks import (
    test_dialogue,
    test_extractive,
    test_instruction,
    test_multiple_choice,
    test_program,
    test_records,
    test_summary,
)

_MODULES = (
    test_multiple_choice,
    test_extractive,
    test_summary,
    test_instruction,
    test_dialogue,
    test_records,
    test_program,
)

TYPES: tuple[TaskType, ...] = tuple(module.TASK for module in _MODULES)
EXAMPLES: Mapping[str, dict[str, Any]] = {module.TASK.name: module.GOOD for module in _MODULES}
