"""The `gate` step: checks on the whole set of samples; one that fails stops publishing.

Design: one streaming pass over the sample files gathers a small summary (`Stats`), which thresholds then
judge; judging is separate, so the report can show measured values of gates that are off. The commonest
question starts are counted with a Misra-Gries summary (Misra and Gries 1982; mergeable: Agarwal et al.,
PODS 2012): exact up to 50,000 distinct starts, above that the share is overstated by at most 1 / 25,000, in
fixed memory. Cost: three columns of every sample file.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from factory.config import GateConfig
from factory.errors import GateError
from factory.identity import add_digests, ids_digest
from factory.publish.left_out import published
from factory.run.outputs import read_outputs
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet

STEP_VERSION = 2

START_WORDS = 5
"""Words at the beginning of a question by which templates show (five is the method's own measure)."""

STARTS_KEPT = 50_000
"""Distinct starts counted exactly: about 5 MB. Beyond it counts are overstated by at most rows / 25,000."""

EXAMPLES = 5

Severity = Literal["error", "off"]


@dataclass(frozen=True)
class GateResult:
    """What one gate found. `severity` is "error" (a failure stops publishing) or "off" (measured only);
    `bound` says whether `measured` must be at least ("min") or at most ("max") the threshold."""

    name: str
    bound: Literal["min", "max"]
    threshold: float | None
    measured: float
    severity: Severity
    passed: bool
    meaning: str
    evidence: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "bound": self.bound,
            "threshold": self.threshold,
            "measured": self.measured,
            "severity": self.severity,
            "passed": self.passed,
            "meaning": self.meaning,
            "evidence": list(self.evidence),
        }


@dataclass
class Stats:
    """Running summary of samples; mutable because a run has as many as it has rows."""

    samples: int = 0
    invalid: int = 0
    copied: int = 0
    starts: Counter[str] = field(default_factory=Counter)
    starts_dropped: int = 0
    invalid_examples: list[str] = field(default_factory=list)
    copied_examples: list[tuple[float, str]] = field(default_factory=list)
    ids_digest: str = ids_digest(())

    def add(self, table: pa.Table, copied_answer: float) -> None:
        """Counts a table with the columns of `GATE_COLUMNS`."""
        ids: list[str] = table.column("sample_id").to_pylist()
        self.samples += len(ids)
        self.ids_digest = add_digests([self.ids_digest, ids_digest(ids)])
        faults = _faults(table)
        self.invalid += len(faults)
        self.invalid_examples += [f"{ids[row]}: {fault}" for row, fault in sorted(faults.items())][
            : EXAMPLES - len(self.invalid_examples)
        ]
        shares: list[float | None] = table.column("copied_share").to_pylist()
        copied = [(share, ids[row]) for row, share in enumerate(shares) if share is not None and share >= copied_answer]
        self.copied += len(copied)
        self.copied_examples = heapq.nlargest(EXAMPLES, self.copied_examples + copied)
        for text in table.column("question").to_pylist():
            self.starts[question_start(text or "")] += 1
        if len(self.starts) > STARTS_KEPT:
            self._shrink()

    def _shrink(self) -> None:
        """Misra-Gries: takes the count of the (k+1)-th commonest start off all, dropping those at zero."""
        cut = heapq.nlargest(STARTS_KEPT // 2 + 1, self.starts.values())[-1]
        self.starts = Counter({start: count - cut for start, count in self.starts.items() if count > cut})
        self.starts_dropped += cut


GATE_COLUMNS = ["sample_id", "messages", "question", "answer", "doc_ids", "license", "copied_share"]


def question_start(text: str) -> str:
    """The first five words in lower case."""
    return " ".join(text.lower().split(None, START_WORDS)[:START_WORDS])


def _faults(table: pa.Table) -> dict[int, str]:
    """Row -> what makes it unusable for training. Types are the schema's business; this is about content."""
    faults: dict[int, str] = {}
    for name in ("question", "answer", "license"):
        blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(table.column(name)), ""), True)
        faults |= dict.fromkeys(pc.indices_nonzero(blank).to_pylist(), f"{name} is empty")
    for name, least in (("messages", 2), ("doc_ids", 1)):
        short = pc.fill_null(pc.less(pc.list_value_length(table.column(name)), least), True)
        faults |= dict.fromkeys(pc.indices_nonzero(short).to_pylist(), f"{name} has too few entries")
    return faults


def gather_stats(tables: Iterable[pa.Table], copied_answer: float) -> Stats:
    """One pass over tables of KEYED_SAMPLE rows; an answer counts as copied from `copied_answer` on."""
    stats = Stats()
    for table in tables:
        stats.add(table, copied_answer)
    return stats


def evaluate_gates(stats: Stats, questions: int, config: GateConfig) -> list[GateResult]:
    """Every gate's result, in a fixed order. `questions` is how many questions the run produced."""
    commonest = stats.starts.most_common(EXAMPLES)
    # Both ends of the Misra-Gries interval differ by starts_dropped; a gate takes the worse one.
    top = (commonest[0][1] if commonest else 0) + stats.starts_dropped
    if top == 1:  # a start that one question has repeats nothing, also where there is one question only
        top = 0
    share = top / stats.samples if stats.samples else 0.0
    copied = stats.copied / stats.samples if stats.samples else 0.0
    produced = stats.samples / questions if questions else 0.0
    starts = tuple(f"{count + stats.starts_dropped} x {start!r}" for start, count in commonest)
    examples = tuple(f"{sample_id}: {value:.2f} of its word 8-grams" for value, sample_id in stats.copied_examples)
    return [
        _gate("schema", "max", 0.0, stats.invalid, "rows without question, answer, chat turns, documents or licence",
              tuple(stats.invalid_examples)),
        _gate("min_samples", "min", config.min_samples, stats.samples, "samples to publish",
              () if questions else ("no question was written at all: the report says what turned inputs away",)),
        _gate("min_yield", "min", config.min_yield if questions else None, produced, "samples a question produced",
              (f"{stats.samples} samples from {questions} questions",)),
        _gate("max_duplicate_start", "max", config.max_duplicate_start, share,
              "share of questions that begin with the commonest five words", starts),
        _gate("max_copied_share", "max", config.max_copied_share, copied,
              f"share of answers of which {config.copied_answer:.0%} or more stands in the source", examples),
    ]  # fmt: skip


def _gate(
    name: str,
    bound: Literal["min", "max"],
    threshold: float | None,
    measured: float,
    meaning: str,
    evidence: tuple[str, ...] = (),
) -> GateResult:
    if threshold is None:
        return GateResult(name, bound, None, float(measured), "off", True, meaning, evidence)
    passed = measured >= threshold if bound == "min" else measured <= threshold
    return GateResult(name, bound, float(threshold), float(measured), "error", passed, meaning, evidence)


def require_passed(results: Iterable[GateResult]) -> None:
    """Raises GateError naming every failed gate with what was measured and examples."""
    failed = [result for result in results if not result.passed]
    if not failed:
        return
    lines = []
    for gate in failed:
        relation = "at least" if gate.bound == "min" else "at most"
        lines.append(f"  - {gate.name}: {gate.meaning} is {gate.measured:.4g}, must be {relation} {gate.threshold:g}")
        lines.extend(f"      {example}" for example in gate.evidence)
    raise GateError(
        "no dataset was published, these gates failed:\n" + "\n".join(lines),
        cause="the model or the prompts do not fit the corpus, or the thresholds do not fit the purpose",
        remedy="look at the run's report; change the model, prompts or sampling, or set gate.<name> (null: off). "
        "What was generated is kept, a new threshold costs no new tokens",
    )


GATE = pa.schema(
    [
        ("name", pa.string()),
        ("bound", pa.string()),
        ("threshold", pa.float64()),
        ("measured", pa.float64()),
        ("severity", pa.string()),
        ("passed", pa.bool_()),
        ("meaning", pa.string()),
        ("evidence", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class GateStep:
    """Global: one unit with parameters `outputs` (key of the samples step's index) and `questions` (number
    produced); publish/left_out.py says what `without` is. Commits results whether they pass or not; who publishes
    calls `require_passed`."""

    config: GateConfig

    name = "gate"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"config": self.config.model_dump(mode="json")}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        stats = gather_stats(_sample_tables(store, unit.parameters), self.config.copied_answer)
        results = evaluate_gates(stats, unit.parameters["questions"], self.config)
        return UnitResult(
            inputs=stats.samples,
            used=stats.samples,
            tables=(pa.Table.from_pylist([result.to_json() for result in results], schema=GATE),),
            id_column="name",
            input_ids_digest=stats.ids_digest,
            accepted=stats.samples,
            accepted_ids_digest=stats.ids_digest,
            facts={"gates_failed": sum(not result.passed for result in results)},
        )


def _sample_tables(store: Store, parameters: Mapping[str, Any]) -> Iterator[pa.Table]:
    for output in read_outputs(store, parameters["outputs"]):
        yield published(store, parameters, read_parquet(store, output.file.key, GATE_COLUMNS))


def read_gates(store: Store, key: str) -> list[GateResult]:
    """The results that a GateStep committed at `key`."""
    rows: Sequence[Mapping[str, Any]] = read_parquet(store, key).to_pylist()
    return [GateResult(**{**row, "evidence": tuple(row["evidence"])}) for row in rows]
