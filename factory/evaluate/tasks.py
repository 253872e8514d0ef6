"""Task types of a run: what became of each from passage to verdict, and how evenly right options lie.

Design: counted from the done records of the types' own stages (factory/run/strands.py) and from the facts of the check
step; open questions stand in the funnel and among the verified answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from factory.evaluate.facts import ReportInput, StepFacts
from factory.run.record import section_of
from factory.select.findings import findings_of

REASONS_SHOWN = 4
"""Commonest reasons of a type; the funnel has all."""


@dataclass(frozen=True)
class TaskRow:
    """Rows of one type: `written` by the model, `accepted` by the type's own checks, `curated` left by deduplication,
    `answered`, and the answers by verdict. `reasons` for what was turned away, commonest first."""

    name: str
    written: int
    accepted: int
    curated: int
    answered: int
    yes: int
    no: int
    unchecked: int
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Tasks:
    """`letters`: right options of multiple choice by letter, in order of the letters."""

    rows: tuple[TaskRow, ...]
    letters: tuple[tuple[str, int], ...]

    @property
    def most_letter(self) -> float:
        """Share of the commonest letter."""
        whole = sum(count for _, count in self.letters)
        return max((count for _, count in self.letters), default=0) / whole if whole else 0.0


def tasks(data: ReportInput) -> Tasks | None:
    """None for a run without task types."""
    names = [name for name in section_of(data.config, "tasks") if data.step(f"question_{name}") is not None]
    if not names:
        return None
    check = data.step("check")
    facts = check.facts if check is not None else {}
    letters = tuple(sorted(findings_of(facts, "right_option").items()))
    return Tasks(tuple(_row(data, name, findings_of(facts, "verified")) for name in names), letters)


def _row(data: ReportInput, name: str, verdicts: Mapping[str, int]) -> TaskRow:
    asked, answered = data.step(f"question_{name}"), data.step(f"answer_{name}")
    curated = data.step(f"semantic_{name}") or data.step(f"curate_{name}")
    reasons: dict[str, int] = {}
    for step in (asked, curated, answered):
        for side in step.reasons.values() if step is not None else ():
            for reason, rows in side.items():
                reasons[reason] = reasons.get(reason, 0) + rows
    return TaskRow(
        name,
        _count(asked, "produced"),
        _count(asked, "accepted"),
        _count(curated, "accepted"),
        _count(answered, "accepted"),
        verdicts.get(f"{name}: yes", 0),
        verdicts.get(f"{name}: no", 0),
        verdicts.get(f"{name}: unchecked", 0),
        tuple(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:REASONS_SHOWN]),
    )


def _count(step: StepFacts | None, name: str) -> int:
    return step.count(name) if step is not None else 0
