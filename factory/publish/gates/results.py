"""What a gate found: one plain value a gate, as the step commits it and manifest, card and report tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa

from factory.errors import GateError
from factory.store.base import Store
from factory.store.parquet import read_parquet

EXAMPLES = 5
"""Examples a gate names; its measured value says how much there is."""


@dataclass(frozen=True)
class GateResult:
    """What one gate found. `severity`: a failure stops publishing ("error"), is only told ("warn"), or there is no
    threshold and so no failure ("off"); `bound` says whether `measured` must be at least ("min") or at most ("max") the
    threshold. `evidence` are lines for people, rows named by their sample id."""

    name: str
    bound: Literal["min", "max"]
    threshold: float | None
    measured: float
    severity: Literal["error", "warn", "off"]
    passed: bool
    meaning: str
    evidence: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "evidence": list(self.evidence)}

    def in_words(self) -> str:
        """One line that says by how much the gate failed, or that it did not."""
        if self.threshold is None:
            return f"{self.name}: {self.meaning} is {self.measured:.4g}"
        relation = "at least" if self.bound == "min" else "at most"
        return f"{self.name}: {self.meaning} is {self.measured:.4g}, must be {relation} {self.threshold:g}"


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


def at_least(
    name: str,
    threshold: float | None,
    measured: float,
    severity: Literal["error", "warn"],
    meaning: str,
    evidence: Iterable[str] = (),
) -> GateResult:
    return _judged(name, "min", threshold, measured, severity, meaning, tuple(evidence))


def at_most(
    name: str,
    threshold: float | None,
    measured: float,
    severity: Literal["error", "warn"],
    meaning: str,
    evidence: Iterable[str] = (),
) -> GateResult:
    return _judged(name, "max", threshold, measured, severity, meaning, tuple(evidence))


def _judged(
    name: str,
    bound: Literal["min", "max"],
    threshold: float | None,
    measured: float,
    severity: Literal["error", "warn"],
    meaning: str,
    evidence: tuple[str, ...],
) -> GateResult:
    if threshold is None:
        return GateResult(name, bound, None, float(measured), "off", True, meaning, evidence)
    passed = measured >= threshold if bound == "min" else measured <= threshold
    return GateResult(name, bound, float(threshold), float(measured), severity, bool(passed), meaning, evidence)


def failures(results: Iterable[GateResult]) -> list[GateResult]:
    """Gates that stop publishing."""
    return [result for result in results if not result.passed and result.severity == "error"]


def warnings(results: Iterable[GateResult]) -> list[GateResult]:
    """Gates that failed and do not stop publishing."""
    return [result for result in results if not result.passed and result.severity == "warn"]


def require_passed(results: Iterable[GateResult], why: tuple[str, str] | None = None) -> None:
    """Raises GateError naming every gate that stops publishing, with what was measured and examples. `why` are cause
    and remedy of too few samples, where they are known (losses.py)."""
    failed = failures(results)
    if not failed:
        return
    lines = []
    for gate in failed:
        lines.append(f"  - {gate.in_words()}")
        lines.extend(f"      {example}" for example in gate.evidence)
    cause, remedy = OF_THE_PACK if all(gate.name.startswith("pack.") for gate in failed) else GENERAL
    if why is not None and failed[0].name in TOO_FEW:
        cause, remedy = why
    keys = [_key(gate.name) for gate in failed if gate.name.startswith(("min_", "max_", "pack."))] or ["gate.<name>"]
    severities = dict.fromkeys(_severity_key(gate.name) for gate in failed)
    raise GateError(
        "no dataset was published, these gates failed:\n" + "\n".join(lines),
        cause=cause,
        remedy=f"{remedy}; or set {', '.join(keys)} (null: off; a preset or the domain pack may have set it) or "
        f"{', '.join(severities)}. docs/gates.md has every gate. What was generated is kept, a new threshold costs no "
        "new tokens",
    )


def _key(name: str) -> str:
    return f"gate.{name}.threshold" if name.startswith("pack.") else f"gate.{name}"


def _severity_key(name: str) -> str:
    """The gates of a pack have theirs beside their threshold; the others have one of a name, or of a family."""
    return f"gate.{name}.severity=warn" if name.startswith("pack.") else "gate.severity.<name>=warn"


TOO_FEW = ("min_samples", "min_yield")
"""Gates that fail where too many rows were turned away on the way."""

OF_THE_PACK = (
    "what the domain pack's checks.py says of these samples, or an error in it, which then stands above",
    "look at the samples named and at the gate's function in checks.py",
)

GENERAL = (
    "the model or the prompts do not fit the corpus, or the thresholds do not fit the purpose",
    "look at the run's report; change the model, prompts or sampling",
)


def read_gates(store: Store, key: str) -> list[GateResult]:
    """The results that a GateStep committed at `key`."""
    rows: Sequence[Mapping[str, Any]] = read_parquet(store, key).to_pylist()
    return [GateResult(**{**row, "evidence": tuple(row["evidence"])}) for row in rows]
