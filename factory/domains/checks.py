"""What the checks.py of a domain pack may define: a verifier of answers, gates over published samples, or both.

    from collections.abc import Sequence

    from factory.domains.checks import FinalAnswer, Gate, Question, Sample, Verdict


    def verify(question: Question, answers: Sequence[FinalAnswer]) -> list[Verdict]:
        return [judged(question.text, answer.final) for answer in answers]


    def judged(asked: str, final: str | None) -> Verdict:
        if final is None or "boiling point of water" not in asked:
            return Verdict()  # nothing to say: the built-in verifiers look next
        right = "100" in final
        return Verdict("yes" if right else "no", evidence={"expected": "100 degrees Celsius"})


    def shouting(samples: Sequence[Sample]) -> list[str | None]:
        return ["all capitals" if sample.answer.isupper() else None for sample in samples]


    gates = {"shouting": Gate(shouting, "share of answers in capitals", threshold=0.05)}

Design: two plain functions over frozen values. `verify` is given every distinct final answer of a question at once,
the published one first, and returns one verdict each, in order: only one that is sure says yes or no. A gate's function
is given batches of samples in no particular order and says, for each, what is wrong with it or None; the share of
samples with something wrong is what is measured, so a set of any size is counted in one pass. The file is the pack's
only code: it may import installed packages and read files in the pack's folder `data/` (hashed with it) by
`Path(__file__).parent / "data"`, and runs with the rights of whoever starts the run. What it raises never ends a run:
an answer stays unchecked with the reason, a sample counts as wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from factory.answers.verify.verdict import Verdict

__all__ = ["FinalAnswer", "Gate", "Question", "Sample", "Terms", "Verdict", "Verify"]


class Terms(Protocol):
    """The run's vocabulary (`domain.vocabulary.files`) as checks may ask it: words without regard to case."""

    def has_kind(self, kind: str) -> bool:
        """Whether it has a term of that kind at all."""
        ...

    def is_name(self, word: str, kind: str) -> bool:
        """Whether `word` is a term or synonym of that kind."""
        ...

    def has_word(self, word: str, kind: str) -> bool:
        """Whether `word` is one of the words of a term or synonym of that kind."""
        ...


@dataclass(frozen=True)
class Question:
    """`level` is 1, 2 or 3, 0 for an item of items.jsonl without one; `passages` are the texts it was made from,
    `vocabulary` the run's, None where it has none."""

    text: str
    level: int = 0
    edu_level: str = ""
    subject: str = ""
    concepts: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    vocabulary: Terms | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class FinalAnswer:
    """One of the distinct final answers that the samples of a question came to. `final` is None where no final answer
    was marked; `text` is the whole answer of the published one, of others empty; `votes` how many samples said it."""

    final: str | None
    text: str = ""
    votes: int = 1


class Verify(Protocol):
    """A verdict on each of `answers`, in their order."""

    def __call__(self, question: Question, answers: Sequence[FinalAnswer]) -> Iterable[Verdict]: ...


@dataclass(frozen=True)
class Sample:
    """A row on its way to being published, as gates see it. `passages` is empty but for gates that ask for them,
    `vocabulary` None where the run has none."""

    sample_id: str
    question: str
    answer: str
    final_answer: str | None = None
    level: int = 0
    edu_level: str = ""
    subject: str = ""
    concepts: tuple[str, ...] = ()
    verified: str = "unchecked"
    """The verdict on its answer: yes, no or unchecked."""
    passages: tuple[str, ...] = ()
    vocabulary: Terms | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Gate:
    """`find` says for each sample of a batch what is wrong with it, None where nothing is. `threshold` is the largest
    share of such samples that passes (null: measured, not judged); a failed gate of severity "error" stops publishing.
    `gate.pack.NAME.threshold` and `.severity` of a run come before what stands here. `passages`: it reads the
    passages of every sample. `vocabulary`: the kind of terms it asks the run's vocabulary for; where there are none,
    its result says so."""

    find: Callable[[Sequence[Sample]], Iterable[str | None]]
    meaning: str
    threshold: float | None = 0.0
    severity: Literal["error", "warn"] = "warn"
    passages: bool = False
    vocabulary: str | None = None


@dataclass(frozen=True)
class Checks:
    """What a checks.py defines. `path` is for messages."""

    path: str
    verify: Verify | None
    gates: Mapping[str, Gate]
