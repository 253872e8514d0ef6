"""Strands of a run's chain: the open questions, and each task type beside them.

Design: duplicates are looked for among all questions, and then each strand is curated and answered by stages of its
own. So a task type that is added to a run leaves the answers of open questions where they are, and a type may ask for
its answers in its own way; and what a stage has read is conserved strand by strand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from factory.run.steps import Steps

OPEN = "open"

STAGES = ("question", "curate", "semantic", "answer")
"""Stages that each strand has its own of."""


@dataclass(frozen=True)
class Strand:
    """`task` names the type; `questions` are the stages that ask for it."""

    task: str
    questions: tuple[str, ...]

    def stage(self, name: str) -> str:
        """The strand's own stage of a kind: `curate` of open questions, `curate_<task>` of a type's."""
        return name if self.task == OPEN else f"{name}_{self.task}"


def strands_of(steps: Steps) -> tuple[Strand, ...]:
    """Open questions first, where any are asked, then task types in the order of their stages."""
    own = {f"question_{task.name}" for task in steps.tasks}
    opened = Strand(OPEN, tuple(name for name in steps.questions if name not in own))
    return (
        *([opened] if opened.questions else []),
        *(Strand(task.name, (f"question_{task.name}",)) for task in steps.tasks),
    )


def lineage_steps(steps: Steps) -> tuple[str, ...]:
    """The steps whose folders a row's lineage names."""
    across = ("graph_edges", "graph_joined", "walk", "pair", "question_3")
    asked = tuple(name for name in steps.questions if name not in ("question_1", "question_2", "question_3"))
    return ("select", "extract", "question_1", "question_2", *across, *asked, *steps.answers, "check", "judge")


def of_kind(kind: str, stages: Iterable[str]) -> tuple[str, ...]:
    """Those among `stages` that are of one kind: `answer` and `answer_multiple_choice`."""
    return tuple(name for name in stages if kind_of(name) == kind)


def kind_of(stage: str) -> str:
    """What a strand's stage is one of: `curate` of `curate_multiple_choice`; any other stage is its own kind. The
    passes that look for rephrased questions are stages over all strands."""
    for kind in STAGES:
        if stage == kind or (stage.startswith(f"{kind}_") and stage not in ALL_STRANDS):
            return kind
    return stage


ALL_STRANDS = ("semantic_sketch", "semantic_match", "semantic_compare", "semantic_decide")
