"""The gates that a domain pack brings (`gates` of its checks.py): share of samples in which each finds something.

Design: the pack's function says what is wrong with each sample of a batch; only how many, and the first examples, are
kept, so any number of samples takes the same room. Passages are read, batch by batch, only where a gate asks for them.
Where a function raises or returns what is none of that, the batch is asked sample by sample, and those it cannot answer
for count as found: a gate that cannot look does not let a dataset pass, and its evidence has the sample, the file and
the line.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.domains.checks import Checks, Gate, Sample, Terms
from factory.domains.pack_code import in_words, where
from factory.errors import ConfigError
from factory.publish.gates.batch import Batch
from factory.publish.gates.config import GateConfig, PackGateConfig
from factory.publish.gates.measure import Context, share
from factory.publish.gates.results import GateResult, at_most
from factory.publish.gates.summaries import Counted
from factory.run.outputs import fetch_texts
from factory.store.base import Store

PREFIX = "pack."
"""Of the names of these gates in results, report and manifest."""

SHOWN_CHARACTERS = 300

Find = Callable[[Sequence[Sample]], Iterable[str | None]]


def refuse_unknown(config: GateConfig, gates: Collection[str], pack: str) -> None:
    """Raises ConfigError where `gate.pack` names a gate that the pack of that name has not."""
    if unknown := sorted(config.pack.keys() - set(gates)):
        near = difflib.get_close_matches(unknown[0], gates, n=1)
        raise ConfigError(
            f"gate.pack.{unknown[0]}: the domain pack {pack} has no such gate"
            + (f"; did you mean `{near[0]}`?" if near else ""),
            cause=f"gates of its checks.py: {', '.join(gates) or 'none'}",
            remedy="name one of these, or take the key out",
        )


@dataclass
class OwnGates:
    """`store` is the root that the passages of samples lie in; `vocabulary` the run's, None where it has none."""

    config: GateConfig
    checks: Checks
    store: Store | None = field(default=None, repr=False)
    vocabulary: Terms | None = field(default=None, repr=False)
    rows: int = 0
    found: dict[str, Counted] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        asks = self.store is not None and any(gate.passages for gate in self.checks.gates.values())
        samples = samples_of(batch, self.store if asks else None, self.vocabulary)
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
        evidence = (*self._without_terms(gate.vocabulary), *counted.examples.lines())
        return at_most(PREFIX + name, threshold, measured, strict, gate.meaning, evidence)

    def _without_terms(self, kind: str | None) -> tuple[str, ...]:
        if kind is None or (self.vocabulary is not None and self.vocabulary.has_kind(kind)):
            return ()
        lacks = "has no term of it" if self.vocabulary is not None else "is not there (domain.vocabulary.files)"
        return (f"judged by the passages alone: a vocabulary of kind `{kind}` {lacks}",)


def samples_of(batch: Batch, store: Store | None = None, terms: Terms | None = None) -> list[Sample]:
    """`store`: with the passages, read from there."""
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
        _passages(batch, store) if store is not None else [()] * len(batch.ids),
        strict=True,
    )
    return [
        Sample(
            sample_id, question, answer, final, level, edu_level, subject, tuple(concepts or ()), verdict, own, terms
        )
        for sample_id, question, answer, final, level, edu_level, subject, concepts, verdict, own in columns
    ]


def _passages(batch: Batch, store: Store) -> list[tuple[str, ...]]:
    sources = [(lineage or {}).get("sources") or () for lineage in batch.values("lineage")]
    texts = fetch_texts(store, (source for each in sources for source in each))
    return [tuple(dict.fromkeys(texts[source["chunk_id"]] for source in each)) for each in sources]


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
