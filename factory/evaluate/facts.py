"""What a run report is made of: plain, frozen data, read from the store once and rendered without it.

Design: `gather` fills these, `build_report` turns them into a page; nothing here knows the store or HTML.
Every size is bounded by the number of steps, reasons, bins and examples, never by the number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.cost.engines import EngineUse
from factory.cost.estimate.estimate import Estimate
from factory.evaluate.diversity.facts import DiversityFacts


@dataclass(frozen=True)
class ModelFacts:
    """One model in the roles it played. `parameters` is None where neither record nor name tells."""

    id: str
    roles: tuple[str, ...]
    revision: str = ""
    license: str = ""
    output_terms: str = ""
    parameters: int | None = None


@dataclass(frozen=True)
class StepFacts:
    """One step of the run. `finished` is False when it left no `done` record: the run stopped in it.

    counts: inputs, used, rejected, quarantined, produced, accepted, output_rejected (rows). reasons: side
    ("input", "output", "quarantine") -> reason -> rows. ledger: what the rows cost whoever paid (requests,
    tokens, seconds); spent_now: what this execution paid; lost: attempts that never became a commit; facts:
    counts of a step's own (for `select` what its filters found, see factory/select/findings.py).
    paid: the ledger by the run that paid; split: parts of it by level and subject; tail: see run/ledger.py. None and
    empty where that is not recorded.
    `reads` names the steps whose accepted rows it had to read exactly; empty where that is not recorded.
    """

    name: str
    folder: str
    finished: bool = True
    units: int = 0
    units_reused: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    ledger: Mapping[str, float] = field(default_factory=dict)
    spent_now: Mapping[str, float] = field(default_factory=dict)
    lost: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, int] = field(default_factory=dict)
    wall_seconds: float = 0.0
    reads: tuple[str, ...] = ()
    paid: Mapping[str, Mapping[str, float]] | None = None
    split: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    tail: Mapping[str, float] = field(default_factory=dict)
    engines: tuple[Mapping[str, Any], ...] = ()

    def record(self) -> dict[str, Any]:
        """What factory/cost reads of a step's record."""
        known = ("counts", "ledger", "spent_now", "lost", "facts", "paid", "split", "engines")
        return {name: getattr(self, name) for name in known}

    def count(self, name: str) -> int:
        return int(self.counts.get(name, 0))


@dataclass(frozen=True)
class EngineStarts:
    model: str
    starts: int
    replacements: int


@dataclass(frozen=True)
class GateFacts:
    """`bound` is "min" or "max"; `threshold` None means the gate is off and was only measured. A failed gate of
    `severity` "warn" is told, one of "error" stops publishing."""

    name: str
    bound: str
    threshold: float | None
    measured: float | None
    passed: bool
    meaning: str = ""
    evidence: tuple[str, ...] = ()
    severity: str = "error"

    @property
    def state(self) -> str:
        """off | pass | warn | fail"""
        if self.threshold is None:
            return "off"
        return "pass" if self.passed else "warn" if self.severity == "warn" else "fail"


@dataclass(frozen=True)
class Bin:
    """Rows with low <= value < high; `high` None: no upper end."""

    low: float
    high: float | None
    rows: int


@dataclass(frozen=True)
class Numbers:
    """Distribution of a numeric column; `missing` rows hold null. Bins cover every other row. Median and 95th
    percentile are values that rows have; `exact` False: rounded ones."""

    bins: tuple[Bin, ...]
    rows: int
    missing: int
    minimum: float
    median: float
    p95: float
    maximum: float
    mean: float
    exact: bool = True


@dataclass(frozen=True)
class Categories:
    """The commonest values of a column, most first. `other` counts the rows of all further values, `distinct`
    how many values there were (at least, where not `exact`: then counts may be too low, by what the bounded
    counter dropped, and `other` holds the difference)."""

    values: tuple[tuple[str, int], ...]
    other: int
    distinct: int
    rows: int
    exact: bool = True


@dataclass(frozen=True)
class Distributions:
    """Over every published row (or every sample, where a gate kept them from publication)."""

    rows: int = 0
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    categories: Mapping[str, Categories] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Rows of one value of a column. `agreement` and `answer_tokens` are means, None where no row has any."""

    name: str
    rows: int
    yes: int
    no: int
    unchecked: int
    agreement: float | None
    answer_tokens: float | None


@dataclass(frozen=True)
class Stratum:
    """`other` rows are in groups beyond those shown."""

    column: str
    groups: tuple[Group, ...]
    other: int


@dataclass(frozen=True)
class SourceFacts:
    """One passage a sample rests on; `excerpt` is None when its text could not be read, and `problem` why."""

    doc_id: str
    source: str
    url: str
    license: str
    span_start: int | None
    span_end: int | None
    shard: str
    shard_row: int | None
    excerpt: str | None
    problem: str = ""
    cut_before: bool = False
    cut_after: bool = False


@dataclass(frozen=True)
class Example:
    """One sample: `row` as published (without sources), its split, and the passages behind it."""

    row: Mapping[str, Any]
    split: str
    sources: tuple[SourceFacts, ...]

    @property
    def final_apart(self) -> bool:
        """Whether the final answer has to be shown: there is one, and the answer does not end with it."""
        final = str(self.row.get("final_answer") or "").strip()
        return bool(final) and not str(self.row.get("answer") or "").rstrip(" .\n").endswith(final.rstrip(" ."))


@dataclass(frozen=True)
class DatasetFacts:
    """What publish wrote; `address` is what `factory verify` takes. Splits: name, rows, bytes, shards."""

    name: str
    version: str
    address: str
    rows: int
    splits: tuple[Mapping[str, Any], ...] = ()
    license: str = ""
    combined_sources: str = ""
    licenses: Mapping[str, int] = field(default_factory=dict)
    tokenizer: str = ""
    digest: str = ""
    created: str = ""
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportInput:
    """Everything the report says. `started` and `finished` are ISO 8601; `config` is the resolved one; `index` is
    what the run record says of published questions (run/registration.py), empty where that is off; `rounds` what it
    says of rounds of walks (run/rounds.py); `notes` what the run said when it began."""

    run: str
    state: str
    root: str
    name: str
    domain: str
    engine_kind: str
    started: str = ""
    finished: str = ""
    error: str = ""
    resumed: int = 0
    models: tuple[ModelFacts, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    engine_starts: tuple[EngineStarts, ...] = ()
    software: Mapping[str, str] = field(default_factory=dict)
    dataset: DatasetFacts | None = None
    gates: tuple[GateFacts, ...] = ()
    distributions: Distributions = Distributions()
    examples: tuple[Example, ...] = ()
    diversity: DiversityFacts | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    index: Mapping[str, Any] = field(default_factory=dict)
    rounds: tuple[Mapping[str, Any], ...] = ()
    engine_use: tuple[EngineUse, ...] = ()
    estimate: Estimate | None = None
    strata: tuple[Stratum, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def step(self, name: str) -> StepFacts | None:
        return next((step for step in self.steps if step.name == name), None)
