"""What a step is: data the runner needs, and pure functions it calls.

Design: a row-wise step says how one input row becomes requests and how completions become rows; it does no
I/O and knows neither the store nor the engine. The runner reads units, fetches source texts, calls the
engine, checks conservation and commits. An input that yields no accepted row becomes a reject, so nothing
can vanish: inputs = used + rejected + quarantined, outputs = accepted + rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from factory.engine.api import Completion, Message, Sampling
from factory.run.reject import Reject
from factory.run.units import Unit, UnitResult
from factory.store.base import Store

Row = dict[str, Any]
Texts = Mapping[str, str]
"""chunk_id -> text of the committed source passage."""


@dataclass(frozen=True)
class Parsed:
    """What came of one input row."""

    accepted: list[Row] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class LlmStep(Protocol):
    """A row-wise step that asks a language model. Frozen dataclass; pickled to every worker."""

    @property
    def name(self) -> str:
        """Stem of the step's folder, for example "extract" or "question_1"."""
        ...

    @property
    def version(self) -> int:
        """STEP_VERSION, raised by hand when code changes what rows come out."""
        ...

    @property
    def schema(self) -> pa.Schema: ...

    @property
    def id_column(self) -> str:
        """Column of `schema` that holds the accepted rows' ids."""
        ...

    @property
    def sampling(self) -> Sampling: ...

    @property
    def response_schema(self) -> dict[str, Any] | None:
        """JSON schema of a completion, or None for free text."""
        ...

    @property
    def max_rounds(self) -> int:
        """How often one input may be sent; 1 unless the step samples until it has decided."""
        ...

    def samples_for_round(self, number: int) -> int:
        """Completions to ask for in round `number` (0-based); sampling.samples unless the last is smaller."""
        ...

    def identity(self) -> dict[str, Any]:
        """Everything beyond name, version, model and sampling that can change a row: own config, prompt
        hashes, response schema."""
        ...

    def item_id(self, row: Row) -> str: ...

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...] | Reject:
        """Messages for one input row, or a reject where the row cannot be asked about. `folder` is the
        step's folder name (with fingerprint), from which seeds and ids derive."""
        ...

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        """Whether the row needs another round, given the completions so far (at least one)."""
        ...

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """Accepted rows (matching `schema`) and rejects. Must not raise on any model output. `rounds` has
        one completion a round, each with `samples` texts; a completion with `error` never reaches here."""
        ...


class WorkStep(Protocol):
    """A step without a language model: one function from a unit to its result, run in a Ray task.

    Frozen dataclass; pickled to every worker. `work` reads what it needs from the store (inputs through
    `unit.file` and `unit.picks`, or, for global steps, through keys in `unit.parameters`), and writes
    nothing: the runner writes and commits.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    def identity(self) -> dict[str, Any]: ...

    def work(self, store: Store, unit: Unit) -> UnitResult: ...
