"""Every task type, and an item of each that becomes a question row about the planted passage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.tasks.config import MultipleChoiceConfig
from factory.tasks.multiple_choice import MultipleChoice
from factory.tasks.task import TaskType
from tests.tasks.test_multiple_choice import GOOD as CHOICE

TYPES: tuple[TaskType, ...] = (MultipleChoice(MultipleChoiceConfig(questions=3)),)
EXAMPLES: Mapping[str, dict[str, Any]] = {"multiple_choice": CHOICE}
