"""Keys of `tasks`: which task types a run asks for, how many a passage, and what their checks demand.

Design: a type is off until its `questions` are above 0, so a run without tasks keeps its steps and its id.
"""

from __future__ import annotations

from pydantic import Field

from factory.section import Section

OFF = 0


class TaskConfig(Section):
    """What every task type is asked for by."""

    questions: int = Field(default=OFF, ge=0, le=20, description="of this type, a passage at most; 0: off")
    samples: int | None = Field(default=None, ge=1, le=64, description="answers a question; null: answer.samples")


class MultipleChoiceConfig(TaskConfig):
    options: int = Field(default=4, ge=2, le=10, description="options a question, the right one among them")
    max_length_ratio: float = Field(
        default=2.0,
        gt=1,
        le=20,
        description="characters of the right option to those of the longest wrong one, and of the shortest to it: "
        "beyond it a reader picks by length",
    )


class TasksConfig(Section):
    multiple_choice: MultipleChoiceConfig = MultipleChoiceConfig()

    def on(self) -> dict[str, TaskConfig]:
        """Name -> settings of the task types that are asked for, in the order of the stages."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: config for name, config in found.items() if config.questions > OFF}
