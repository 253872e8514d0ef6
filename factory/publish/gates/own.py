"""The gates that a domain pack brings (`gates` of its checks.py): share of samples in which each finds something.

Design: the pack's function says what is wrong with each sample of a batch; only how many, and the first examples, are
kept, so any number of samples takes the same room. Where it raises or returns what is none of that, the batch is asked
sample by sample, and those it cannot answer for count as found: a gate that cannot look does not let a dataset pass,
and its evidence has the sample, the file and the line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.domains.checks import Checks, Gate, Sample
from factory.domains.pack_code import in_words, where
from factory.publish.gates.batch import Batch
from factory.publish.gates.config import GateConfig, PackGateConfig
from factory.publish.gates.measure import Context, share
from factory.publish.gates.results import GateResult, at_most
from factory.publish.gates.summaries import Counted

PREFIX = "pack."
"""Of the names of these gates in results, report and manifest."""

SHOWN_CHARACTERS = 300

Find = Callable[[Sequence[Sample]], Iterable[str | None]]


@dataclass
class OwnGates:
    config: GateConfig
    checks: Checks
    rows: int = 0
    found: dict[str, Counted] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        samples = samples_of(batch)
        self.rows += len(samples)
        for name, gate in self.checks.gates.items():
            counted = self.found.setdefault(name, Counted())
            for sample, wrong in zip(samples, look(gate.find, samples, self.checks.path), strict=True):
                if wrong is not None:
                    counted.add(sample.sample_id, wrong)

    def merge(self, other: OwnGates) -> None:
        self.rows += other.rows
        for name, counted in other.found.items():
            self.found.setdefault(name, Counted()).merge(counted)

    def results(self, context: Context) -> list[GateResult]:
        return [
            self._result(name, gate, self.config.pack.get(name, PackGateConfig()))
            for name, gate in self.checks.gates.items()
        ]

    def _result(self, name: str, gate: Gate, asked: PackGateConfig) -> GateResult:
        counted = self.found.get(name, Counted())
        given = gate.threshold if asked.threshold is None else asked.threshold
        severity = asked.severity or gate.severity
        threshold = None if severity == "off" or given is None else float(given)
        strict = "warn" if severity == "off" else severity
        measured = share(counted.rows, self.rows)
        return at_most(PREFIX + name, threshold, measured, strict, gate.meaning, counted.examples.lines())


def samples_of(batch: Batch) -> list[Sample]:
    columns = zip(
        batch.ids,
        batch.questions,
        batch.answers,
        batch.values("final_answer"),
        batch.values("level"),
        batch.texts("edu_level"),
        batch.texts("subject"),
        batch.values("concepts"),
        batch.texts("verified"),
        strict=True,
    )
    return [
        Sample(sample_id, question, answer, final, level, edu_level, subject, tuple(concepts or ()), verified)
        for sample_id, question, answer, final, level, edu_level, subject, concepts, verified in columns
    ]


def look(find: Find, samples: Sequence[Sample], path: str) -> list[str | None]:
    """What `find` says of each sample, or why it could not say."""
    said = _asked(find, samples, path)
    if not isinstance(said, str):
        return said
    if len(samples) == 1:
        return [said]
    return [each for sample in samples for each in look(find, [sample], path)]


def _asked(find: Find, samples: Sequence[Sample], path: str) -> list[str | None] | str:
    """The findings; a text that says why there are none."""
    try:
        said: list[Any] = list(find(samples))
    except (Exception, SystemExit) as error:
        return f"could not be looked at: {in_words(error)} at {where(error, path)}"
    if len(said) != len(samples):
        return f"could not be looked at: {path} gave {len(said)} findings on {len(samples)} samples"
    if wrong := next((each for each in said if each is not None and not isinstance(each, str)), None):
        return f"could not be looked at: {path} gave {wrong!r:.80}, neither a text nor None"
    return [None if each is None else " ".join(each.split())[:SHOWN_CHARACTERS] for each in said]
