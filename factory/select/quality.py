"""The filter `quality`: heuristics of Gopher, C4 and FineWeb, each a bound on one measure, each switched by config.

Design: a rule is a key `min_<measure>` or `max_<measure>` of QualityConfig, and that key is the reason it gives:
what a reject names is what one sets to change it. Rules are asked in the order of the configuration, cheap ones
first; the first that is broken decides, and the evidence names the others. Every measure of a rule that is on
travels with the documents that pass. Texts are measured together, as arrays (text_arrays.py).

Cost: 51 microseconds a text of 1,500 characters with the recommended rules, 59 with all of them, where a bare
fastText prediction of the text took 182 (medians of 9 on a busy machine).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from factory.select.config import QualityConfig
from factory.select.filters import Candidate, Judge, Verdict
from factory.select.measures import MEASURES, Batch
from factory.select.text_arrays import F64, Mask
from factory.store.base import Store

QUALITY_VERSION = 1
"""Raise when the same text can get another value of a measure."""

TOGETHER_CHARACTERS = 1 << 19
"""Of texts measured together: enough that calls cost nothing, few enough for the cache. Arrays take 40 bytes each."""

MEASURED_CHARACTERS = 1 << 22
"""A longer text is judged by as many of its characters, in evenly spread windows, so that memory stays below
200 MB; its counts (words, sentences, ...) are brought up to its length."""

MEASURED_WINDOWS = 64

COUNTS = frozenset({"words", "sentences"})
"""Measures that grow with a text."""


class Rule(NamedTuple):
    """`key` is its name in the configuration; the measure may not be below (`least`) or above the bound."""

    key: str
    measure: str
    least: bool
    bound: float

    def broken(self, values: F64) -> Mask:
        return values < self.bound if self.least else values > self.bound

    def evidence(self, value: float) -> dict[str, float]:
        return {self.measure: value, "minimum" if self.least else "maximum": self.bound}


def rules_of(config: QualityConfig) -> tuple[Rule, ...]:
    """The rules that are on, in the order of the configuration."""
    rules = []
    for key, bound in config:
        if key != "stop_words" and bound is not None:
            side, measure = key.split("_", 1)
            rules.append(Rule(key, measure, side == "min", bound))
    return tuple(rules)


@dataclass(frozen=True)
class Quality:
    """Keeps documents that break no rule. Reasons are the keys of `config`. Finding: `quality`, by measure."""

    config: QualityConfig

    name = "quality"

    def identity(self) -> dict[str, Any]:
        identity: dict[str, Any] = {"version": QUALITY_VERSION}
        for rule in rules_of(self.config):
            identity[rule.key] = rule.bound
            if rule.measure == "stop_words":
                identity["stop_words"] = list(self.config.stop_words)
        return identity

    def prepare(self, store: Store) -> None:
        """Nothing to prepare."""

    def open(self, store: Store) -> Judge:
        rules = rules_of(self.config)

        def judge(documents: Sequence[Candidate]) -> list[Verdict | None]:
            return [verdict for some in _batches(documents) for verdict in self._judged(rules, some)]

        return judge

    def _judged(self, rules: Sequence[Rule], documents: Sequence[Candidate]) -> list[Verdict | None]:
        columns = measure([document.text for document in documents], rules, self.config.stop_words)
        values = zip(*[column.tolist() for column in columns.values()], strict=True)
        rows = [dict(zip(columns, row, strict=True)) for row in values]
        broken: dict[int, list[Rule]] = {}
        for rule in rules:
            for index in np.flatnonzero(rule.broken(columns[rule.measure])).tolist():
                broken.setdefault(index, []).append(rule)
        verdicts: list[Verdict | None] = []
        for index, (document, row) in enumerate(zip(documents, rows, strict=True)):
            if index in broken:
                verdicts.append(_verdict(broken[index], row))
            else:
                document.findings["quality"] = row
                verdicts.append(None)
        return verdicts


def measure(texts: Sequence[str], rules: Sequence[Rule], stop_words: Sequence[str]) -> dict[str, F64]:
    """By name the measures that the rules bound, each one number a text, rounded to 6 digits."""
    measured = [_spread(text) for text in texts]
    batch = Batch(measured, stop_words)
    columns = {name: MEASURES[name](batch).round(6) for name in dict.fromkeys(rule.measure for rule in rules)}
    for name in COUNTS & columns.keys():
        for index, (text, part) in enumerate(zip(texts, measured, strict=True)):
            if len(part) < len(text):
                columns[name][index] = round(columns[name][index] * len(text) / len(part))
    return columns


def _verdict(broken: Sequence[Rule], values: Mapping[str, float]) -> Verdict:
    first, *others = broken
    evidence: dict[str, Any] = first.evidence(values[first.measure])
    if others:
        evidence["also"] = {rule.key: values[rule.measure] for rule in others}
    return Verdict(first.key, evidence)


def _batches(documents: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    start = size = 0
    for index, document in enumerate(documents):
        if index > start and size + len(document.text) > TOGETHER_CHARACTERS:
            yield documents[start:index]
            start, size = index, 0
        size += len(document.text)
    if start < len(documents):
        yield documents[start:]


def _spread(text: str) -> str:
    """The text, or MEASURED_CHARACTERS of it in evenly spread windows."""
    if len(text) <= MEASURED_CHARACTERS:
        return text
    window = MEASURED_CHARACTERS // MEASURED_WINDOWS
    last = len(text) - window
    starts = [last * number // (MEASURED_WINDOWS - 1) for number in range(MEASURED_WINDOWS)]
    return "\n".join(text[start : start + window] for start in starts)
