"""What a comparison says of each run: plain, frozen data, read from the store once and shown without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from factory.cost.runs import RunCost

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Metric:
    """One figure of quality. `value` None: it could not be measured. `failed`: a gate did not pass."""

    value: float | None
    better: Better = "neither"
    unit: str = ""
    meaning: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Compared:
    """One run, or one point of a sweep that has none yet.

    `state`: finished | running | stopped (killed) | failed | interrupted | waiting. `at` says where a run is that has
    not finished. `differs`: what tells it apart (dotted key -> value). Numbers are of the steps that have finished;
    None where the step that counts them has not. `rejected`: "step.reason" -> rows. `metrics`: "gate", "verified" and
    "evaluation" figures by name.
    """

    name: str
    state: str
    run: str | None = None
    point: int | None = None
    same_as: int | None = None
    at: str = ""
    error: str = ""
    started: str = ""
    dataset: str = ""
    differs: Mapping[str, Any] = field(default_factory=dict)
    documents: int | None = None
    written: int | None = None
    questions: int | None = None
    samples: int | None = None
    rejected: Mapping[str, int] = field(default_factory=dict)
    cost: RunCost | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return self.state == "finished"

    @property
    def share_of_written(self) -> float | None:
        """Samples of the questions written."""
        return None if self.samples is None or not self.written else self.samples / self.written

    @property
    def label(self) -> str:
        """What a row is called in a picture."""
        return f"{self.point}" if self.point is not None else (self.run or "")[:RUN_DIGITS]


RUN_DIGITS = 8
"""Digits of a run's id that tell it from the others of a root."""


@dataclass(frozen=True)
class Comparison:
    """`sweep` is "" for the runs of a root. `problems` name what could not be read and is left out."""

    root: str
    rows: tuple[Compared, ...]
    sweep: str = ""
    sweep_state: str = ""
    command: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def distinct(self) -> tuple[Compared, ...]:
        """Each run once: points that are the same run cost once."""
        return tuple(row for row in self.rows if row.same_as is None)

    @property
    def incomplete(self) -> int:
        return sum(not row.complete for row in self.rows)
