"""Where rows were lost on the way to samples, and which setting did it: for the gates on their number and yield.

Design: a loss is a step with the rows it read and passed on and the commonest reasons for what it turned away, as the
done records of the run have them. The step that lost most rows, and its commonest reason, give cause and remedy; a
reason without words of its own gives none, and the gate's general ones stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.publish.gates.measure import percent, share

REASONS = 3
"""Reasons of a step that evidence names; the report has all."""

REPEATS = "repeat_published"
"""The reason given where most of what a step turned away repeats questions of the index, however nearly."""


SELECTION = "select"
"""The step that turns documents away; its loss is counted in these."""


@dataclass(frozen=True)
class Loss:
    """`reasons` are (reason, rows), commonest first; `repeats` of the rows turned away repeat published questions."""

    step: str
    read: int
    accepted: int
    reasons: tuple[tuple[str, int], ...] = ()
    repeats: int = 0

    @property
    def lost(self) -> int:
        return self.read - self.accepted

    @property
    def commonest(self) -> str:
        if 2 * self.repeats > self.lost:
            return REPEATS
        return self.reasons[0][0] if self.reasons else ""

    def to_json(self) -> list[Any]:
        return [self.step, self.read, self.accepted, [list(each) for each in self.reasons], self.repeats]

    def in_words(self) -> str:
        said = (
            f"{self.step}: {self.accepted} of {self.read} rows passed on ({percent(share(self.accepted, self.read))})"
        )
        if self.reasons:
            said += "; turned away: " + ", ".join(f"{reason} {rows}" for reason, rows in self.reasons)
        if self.repeats:
            said += f"; {self.repeats} of them repeat published questions (curate.index.use)"
        return said


def loss_of(step: str, read: int, accepted: int, reasons: Iterable[Mapping[str, int]], repeats: int = 0) -> Loss:
    """The loss of a step whose rejects were counted by side in `reasons`."""
    found = sorted(((name, rows) for side in reasons for name, rows in side.items()), key=lambda one: (-one[1], one[0]))
    return Loss(step, read, accepted, tuple(found[:REASONS]), repeats)


def from_json(value: Sequence[Any]) -> Loss:
    step, read, accepted, reasons, repeats = value
    return Loss(step, read, accepted, tuple((name, rows) for name, rows in reasons), repeats)


def explained(losses: Sequence[Loss]) -> tuple[str, str] | None:
    """(cause, remedy) by the step that lost most rows; None where its commonest reason has no words here."""
    if not losses:
        return None
    # A small step that lost nearly all explains more than a large one that lost a little. That a selection turns most
    # of a corpus away is what it is for: it explains where nothing behind it does.
    lossy = sorted((loss for loss in losses if 2 * loss.lost > loss.read), key=lambda loss: -loss.lost)
    if not lossy:
        return FEW_LOST
    most = next((loss for loss in lossy if loss.step != SELECTION), lossy[0])
    if most.step == SELECTION:
        found: tuple[str, str] | None = _SELECTED.get(most.commonest, _SELECTED_OTHERWISE)
    else:
        found = _EXPLAINED.get(most.commonest)
    if found is None:
        return None
    cause, remedy = (
        text.replace("{role}", "answer" if most.step.startswith("answer") else "question") for text in found
    )
    return f"{cause} (step {most.step}, {most.lost} of {most.read} rows)", remedy


FEW_LOST = (
    "few questions were written for this threshold: no step turned away more than half of its rows",
    "give the run more documents (limit) or more questions a passage",
)

_SAME_AGAIN = (
    "the questions of this run repeat each other",
    "raise question.sampling.temperature, ask fewer questions a passage, or take another model; curate.threshold says "
    "what counts as a repeat",
)

_SELECTED = {
    "too_long": (
        "select.max_characters turns longer documents away; preset=demo sets it to 1000",
        "raise select.max_characters, or null: documents of any length, in passages of select.chunk_tokens",
    ),
    "too_short": (
        "select.min_characters turns shorter documents away",
        "lower select.min_characters, or join what belongs together into longer documents",
    ),
}
_SELECTED_OTHERWISE = (
    "most documents are turned away before anything is asked about them",
    "the run's report has the reasons, docs/select.md the setting of each",
)

_EXPLAINED = {
    "unverified": (
        "answer.require turns away answers that nothing could check: answer.verify.kind=recompute can check only "
        "computations, and code only answers with code whose question states tests",
        "set answer.require=not_wrong or any (docs/answers.md; the report has what each setting costs in rows), or a "
        "fitting answer.verify.kind",
    ),
    "verified_wrong": (
        "answer.require turns away answers that were found wrong",
        "take another model for answers, or set answer.require=any to publish them with their label",
    ),
    REPEATS: (
        "curate.index.use leaves out what published datasets below this root ask already; preset=production sets it",
        "set curate.index.use=null, or a list of the datasets to hold it against (docs/index.md), or take documents "
        "that they did not have",
    ),
    "exact_duplicate": _SAME_AGAIN,
    "near_duplicate": _SAME_AGAIN,
    "template_variant": (
        "curate.template_variants caps questions that differ in numbers alone",
        "raise curate.template_variants, or null: no cap",
    ),
    "contaminated": (
        "questions repeat items of curate.benchmarks",
        "look whether the corpus holds the benchmark; leave that source out, or take it from curate.benchmarks",
    ),
    "withdrawn": (
        "documents that rows rest on were withdrawn (factory withdraw)",
        "give the run more documents; `factory withdraw --reinstate` takes a withdrawal back (docs/withdrawal.md)",
    ),
    "crosses_splits": (
        "questions rest on documents of different splits (publish.validation, publish.test)",
        "set publish.validation=0 publish.test=0, or ask fewer questions across documents",
    ),
    "truncated": (
        "what the model wrote was cut off at {role}.sampling.max_tokens",
        "raise {role}.sampling.max_tokens, and model.max_model_len where that is the limit",
    ),
    "degenerate_repetition": (
        "the model went round in circles",
        "raise {role}.sampling.temperature, or take a larger model",
    ),
}
"""Reason of a reject -> (cause, remedy), where a setting decides about it."""
