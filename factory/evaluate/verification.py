"""Verdicts of a run's answers, and what every setting of `answer.require` costs in rows: one small table each.

Design: counted from the facts that the check step committed (factory/answers/check.py), so the tables also say what a
filter that is not set would have cost. Grounding and shares have their histograms among the distributions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from factory.evaluate.facts import ReportInput
from factory.publish.required import TURNED_AWAY
from factory.run.record import section_of
from factory.select.findings import findings_of

VERDICTS = ("yes", "no", "unchecked")


@dataclass(frozen=True)
class VerdictRow:
    """Answers of one stratum or verifier, by verdict."""

    name: str
    yes: int
    no: int
    unchecked: int

    @property
    def rows(self) -> int:
        return self.yes + self.no + self.unchecked


@dataclass(frozen=True)
class FilterRow:
    """What a setting of answer.require turns away; `chosen` is this run's."""

    name: str
    lost: Mapping[str, int]
    kept: int
    rows: int
    chosen: bool


@dataclass(frozen=True)
class Verification:
    levels: tuple[VerdictRow, ...]
    verifiers: tuple[VerdictRow, ...]
    filters: tuple[FilterRow, ...]


def verification(data: ReportInput) -> Verification | None:
    """None where the run has checked nothing yet."""
    step = data.step("check")
    if step is None or not step.finished or not step.facts:
        return None
    levels = _counted(findings_of(step.facts, "verified"))
    verifiers = _counted(findings_of(step.facts, "verified_by"))
    total = {verdict: sum(getattr(row, verdict) for row in levels) for verdict in VERDICTS}
    chosen = section_of(data.config, "answer").get("require", "any")
    filters = []
    for name, reasons in TURNED_AWAY.items():
        lost = {reason: total[verdict] for verdict, reason in reasons.items()}
        rows = sum(total.values())
        filters.append(FilterRow(name, lost, rows - sum(lost.values()), rows, name == chosen))
    return Verification(levels, verifiers, tuple(filters))


def _counted(counts: Mapping[str, int]) -> tuple[VerdictRow, ...]:
    """Rows from counts named "<name>: <verdict>", by name."""
    table: dict[str, dict[str, int]] = {}
    for key, count in counts.items():
        name, _, verdict = key.rpartition(": ")
        table.setdefault(name, dict.fromkeys(VERDICTS, 0))[verdict] += count
    return tuple(VerdictRow(name, **table[name]) for name in sorted(table))
