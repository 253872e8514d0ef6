"""What turns a document away: filters look at a batch of normalised texts and give reasons, or nothing.

Design: a filter is a frozen value with its settings, pickled to every worker; `open` gives it what it needs
there (a model, an index), once a process. Filters are asked in order, in batches because models are far
faster that way, and each sees only what the ones before let pass; the first that objects decides. A verdict
carries the figures it was decided by, so that a threshold can be judged from the rejects alone. What a
filter finds of a document it keeps travels on with it (`Candidate.findings`, columns of tables.DOCUMENT).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from factory.store.base import Store


@dataclass(slots=True)
class Candidate:
    """A document on its way through the filters; mutable, because they replace its text (masking) and add
    findings: values of the columns of tables.FINDINGS."""

    text: str
    source: str
    license: str
    url: str
    findings: dict[str, Any] = field(default_factory=dict)
    excerpt: str | None = None
    """What a reject may show instead of the text; None: the text's beginning."""


@dataclass(frozen=True)
class Verdict:
    """Why a document is turned away, and the figures that say so (JSON)."""

    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    side: Literal["input", "quarantine"] = "input"


Judge = Callable[[Sequence[Candidate]], Sequence[Verdict | None]]
"""Verdicts parallel to the candidates; None: nothing against it."""


class Filter(Protocol):
    @property
    def name(self) -> str:
        """What the report calls the filter, for example "language"."""
        ...

    def identity(self) -> dict[str, Any]:
        """Everything that can change a verdict, a finding or the text: settings, version, hash of a model."""
        ...

    def prepare(self, store: Store) -> None:
        """Puts what workers will need into the store; called once, on the driver. Most filters need nothing."""
        ...

    def open(self, store: Store) -> Judge:
        """The filter ready to judge. Called in workers; loads models once a process. Raises ConfigError."""
        ...


@dataclass(frozen=True)
class Length:
    """Characters of the normalised text; `maximum` None: however long."""

    minimum: int
    maximum: int | None

    name = "length"

    def identity(self) -> dict[str, Any]:
        return {"minimum": self.minimum, "maximum": self.maximum}

    def prepare(self, store: Store) -> None:
        """Nothing to prepare."""

    def open(self, store: Store) -> Judge:
        return self.judge

    def judge(self, documents: Sequence[Candidate]) -> list[Verdict | None]:
        return [self._verdict(len(document.text)) for document in documents]

    def _verdict(self, characters: int) -> Verdict | None:
        if characters < max(1, self.minimum):
            return Verdict("too_short", {"characters": characters, "minimum": self.minimum})
        if self.maximum is not None and characters > self.maximum:
            return Verdict("too_long", {"characters": characters, "maximum": self.maximum})
        return None


def judge(judges: Sequence[Judge], documents: Sequence[Candidate]) -> list[Verdict | None]:
    """The first verdict against each document, parallel to `documents`."""
    verdicts: list[Verdict | None] = [None] * len(documents)
    passing = list(range(len(documents)))
    for ask in judges:
        if not passing:
            break
        given = ask([documents[index] for index in passing])
        for index, verdict in zip(passing, given, strict=True):
            verdicts[index] = verdict
        passing = [index for index in passing if verdicts[index] is None]
    return verdicts
