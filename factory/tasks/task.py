"""What a task type is: the few functions that make it a stage of questions, one of answers, and a check.

Design: the stages are the same for all types (question.py, answer.py); a type says what one question of a reply looks
like, turns it into a question row or names what is wrong with it, says what the answer prompt needs to know, and holds
a finished answer against what the row says of itself. `task_data` is JSON and holds all that the row's check and its
chat need, so that neither asks the run. Draws come from (seed, passage, index), never from a model. Words that a model
or a reader of the dataset sees are the pack's: prompts, and `wording_<type>.md` for sentences that code puts together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from factory.answers.grounding import Grounding
from factory.answers.verify.verdict import Verdict
from factory.tasks.config import TaskConfig
from factory.tasks.wording import Wording

OPEN = "open"
"""What `task` says of a question of levels 1 to 3 in a dataset that holds other types too."""

Data = Mapping[str, Any]
"""`task_data`, read."""


@dataclass(frozen=True)
class About:
    """The passage a question is drafted from: `text`, its id, where it begins in its document (characters), and the
    run's seed. `index` is the question's place in the reply, `wording` the pack's sentences."""

    text: str
    chunk_id: str
    span_start: int
    seed: int
    wording: Wording
    index: int = 0


@dataclass(frozen=True)
class Drafted:
    """A question as its row will hold it. `asks` is the part of `text` that is held against the checks of
    questions."""

    text: str
    asks: str
    data: Data


@dataclass(frozen=True)
class Problem:
    """Why a drafted question is turned away; `text` is what a reader of the rejects sees of it."""

    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None


@dataclass(frozen=True)
class Given:
    """One answer to check: `text` as it is published, `final` its marked final answer or, of types whose answer stands
    before anybody answers, what the answer stage found."""

    text: str
    final: str | None
    grounding: Grounding


@dataclass(frozen=True)
class Tried:
    """What running the samples of a question said: the place of the one that wins, the share that behaves as it does,
    how many samples did how well, and the row's `task_data` with what was found."""

    winner: int
    agreement: float
    votes: Sequence[tuple[str, int]]
    data: Data


@runtime_checkable
class Trying(Protocol):
    """A type whose samples are run against each other once all are there."""

    def tried(self, samples: Sequence[str], data: Data) -> Tried: ...


class TaskType(Protocol):
    """Frozen dataclass; pickled to every worker."""

    @property
    def name(self) -> str:
        """What `task` says, and the end of the names of its stages and prompts."""
        ...

    @property
    def config(self) -> TaskConfig: ...

    @property
    def shows_passage(self) -> bool:
        """Whether the passage belongs to the question: then the published chat shows it, and a question may speak of
        it."""
        ...

    @property
    def quotes(self) -> bool:
        """Whether an answer is to be the passage's own words: then nobody asks how much of it is copied."""
        ...

    @property
    def votes(self) -> bool:
        """Whether samples that say the same are counted; otherwise the first that passes the check is the answer."""
        ...

    @property
    def asks_in_words(self) -> bool:
        """Whether what is asked has to be a question or a task by the pack's list of words."""
        ...

    @property
    def wording(self) -> tuple[str, ...]:
        """Names of the sentences it needs of `wording_<type>.md`; empty for a type without that file."""
        ...

    @property
    def framed(self) -> Mapping[str, str] | None:
        """What `message_<type>.md`, the form of its chats, shows beside passage and question; None for a type whose
        chats are nothing but question and answer."""
        ...

    def item_schema(self) -> dict[str, Any]:
        """Properties of one question of a reply, beside its school level."""
        ...

    def definitions(self) -> dict[str, Any]:
        """`$defs` that the item's schema refers to; empty for most types."""
        ...

    def asked_with(self, about: About) -> Mapping[str, str]:
        """Values of the question prompt's placeholders, beside document, levels and questions."""
        ...

    def draft(self, item: Mapping[str, Any], about: About) -> Drafted | Problem: ...

    def answered_with(self, data: Data) -> Mapping[str, str]:
        """Values of the answer prompt's placeholders, beside question, document and answer style."""
        ...

    def answer_schema(self) -> dict[str, Any] | None:
        """JSON schema of an answer, or None for free text."""
        ...

    def published(self, sample: str, data: Data) -> tuple[str, str | None] | None:
        """Answer and final answer as the row holds them, made of a sample; None for a sample that is no answer."""
        ...

    def verify(self, data: Data, given: Given) -> Verdict: ...

    def identity(self) -> dict[str, Any]:
        """What beyond prompt and schema can change a question row."""
        ...

    def check_identity(self) -> dict[str, Any]:
        """What can change a verdict."""
        ...
