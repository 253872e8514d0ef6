"""Row conservation, checked again from the records: the equations a report prints, and whether they hold.

Design: the runner checked these before it committed; the report recomputes them, because a report that only
repeats what it was told cannot show that a record was damaged or edited afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from factory.evaluate.facts import ReportInput, StepFacts


@dataclass(frozen=True)
class Equation:
    """`total` named `left` against the sum of `terms` (name, rows)."""

    step: str
    left: str
    total: int
    terms: tuple[tuple[str, int], ...]

    @property
    def difference(self) -> int:
        """Rows unaccounted for (positive) or counted twice (negative)."""
        return self.total - sum(rows for _, rows in self.terms)

    @property
    def holds(self) -> bool:
        return self.difference == 0


def inputs_equation(step: StepFacts) -> Equation:
    terms = tuple((name, step.count(name)) for name in ("used", "rejected", "quarantined"))
    return Equation(step.name, "inputs", step.count("inputs"), terms)


def outputs_equation(step: StepFacts) -> Equation:
    terms = (("accepted", step.count("accepted")), ("rejected", step.count("output_rejected")))
    return Equation(step.name, "produced", step.count("produced"), terms)


def reason_equations(step: StepFacts) -> list[Equation]:
    """Every row turned away has exactly one reason."""
    sides = (("input", "rejected"), ("output", "output_rejected"), ("quarantine", "quarantined"))
    return [
        Equation(step.name, f"{count} ({side} side)", step.count(count), tuple(step.reasons.get(side, {}).items()))
        for side, count in sides
    ]


def handover_equation(step: StepFacts, steps: Sequence[StepFacts]) -> Equation | None:
    """What a step read is what the steps before it accepted; None where the record does not name them."""
    if not step.reads:
        return None
    accepted = {other.name: other.count("accepted") for other in steps}
    terms = tuple((name, accepted.get(name, 0)) for name in step.reads)
    return Equation(step.name, "inputs", step.count("inputs"), terms)


def broken_equations(data: ReportInput) -> list[Equation]:
    """Every equation of the run that does not hold; an empty list means no row vanished or doubled."""
    found: list[Equation] = []
    for step in data.steps:
        if not step.finished:
            continue
        handover = handover_equation(step, data.steps)
        equations = [inputs_equation(step), outputs_equation(step), *reason_equations(step)]
        found += [item for item in (*equations, handover) if item is not None and not item.holds]
    last = data.steps[-1] if data.steps else None
    if data.dataset is not None and last is not None and last.finished:
        published = Equation("dataset", "rows", data.dataset.rows, ((f"{last.name} accepted", last.count("accepted")),))
        found += [] if published.holds else [published]
    if data.dataset is not None and data.dataset.splits:
        splits = tuple((str(split["name"]), int(split["rows"])) for split in data.dataset.splits)
        summed = Equation("dataset", "rows", data.dataset.rows, splits)
        found += [] if summed.holds else [summed]
    return found
