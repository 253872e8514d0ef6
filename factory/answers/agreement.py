r"""Votes of several answers to one question: who leads, and whether more samples could change that.

Design: self-consistency (Wang et al. 2023, arXiv 2203.11171): the final answer that most samples give wins;
of equal ones, the one given first. Final answers whose normal forms differ are one vote where a verifier says that
they are equal (verify/equality.py: \frac12 and 0.5). Its settings are constants here: rows that a model was paid for
must not depend on what a user later asks of the checks. Sampling stops as soon as the samples still allowed cannot
change the winner. An empty, looping or cut-off sample does not vote.

Cost: 60 microseconds a sample of 2,500 characters, nearly all of it reading the final answer; 0.1 ms more for two
numbers that are written differently, equality.py's for formulas. One sample a question compares nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from factory.answers.final_answer import SHORT_ANSWER, vote_key
from factory.answers.repetition import ends_in_a_loop, repetition
from factory.answers.verify.equality import compare
from factory.concepts.reply import LOOPING, TRUNCATED
from factory.engine.api import FINISH_LENGTH, FINISH_REPETITION, Completion

REPETITION, EMPTY = LOOPING, "empty_answer"


MOST_COMPARED = 48
"""Comparisons a ballot makes beyond normal forms. Sixty-four different answers agree on nothing anyway."""


@dataclass(frozen=True)
class Vote:
    """All samples that gave one answer: `text` and `final` are those of the first of them."""

    text: str
    final: str | None
    count: int

    @property
    def says(self) -> str | None:
        """What is compared with other answers; None for a long text without a marked final answer."""
        return self.final if self.final is not None else self.text if len(self.text) <= SHORT_ANSWER else None


@dataclass
class Ballot:
    """Votes in the order in which the answers first came, and why the other samples did not count. `merged` leads from
    the key of an answer to that of the vote it counts for."""

    votes: dict[str, Vote] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    compared: int = 0
    spoilt: Counter[str] = field(default_factory=Counter)
    evidence: dict[str, dict[str, Any]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        return self.voted + sum(self.spoilt.values())

    @property
    def voted(self) -> int:
        return sum(vote.count for vote in self.votes.values())

    @property
    def winner(self) -> Vote | None:
        # max() keeps the first of equals, and votes stand in the order they came.
        return max(self.votes.values(), key=lambda vote: vote.count, default=None)

    def decided(self, remaining: int) -> bool:
        """Whether no outcome of `remaining` more samples changes the winner."""
        if remaining <= 0:
            return True
        winner = self.winner
        if winner is None or remaining > winner.count:  # an answer nobody gave yet could still win
            return False
        before = True
        for vote in self.votes.values():
            if vote is winner:
                before = False
            elif vote.count + remaining + (1 if before else 0) > winner.count:  # earlier answers win ties
                return False
        return True


def count_votes(completions: Iterable[Completion]) -> Ballot:
    """Reads every sample of a question's rounds, in order."""
    ballot = Ballot()
    for completion in completions:
        for text, reason in zip(completion.texts, completion.finish_reasons, strict=True):
            _cast(ballot, text.strip(), reason)
    return ballot


def usable_samples(completions: Iterable[Completion]) -> list[str]:
    """Every sample that may vote, as it was written: of answers that are no votes, such as programs."""
    samples = [
        (text.strip(), reason)
        for completion in completions
        for text, reason in zip(completion.texts, completion.finish_reasons, strict=True)
    ]
    return [text for text, reason in samples if _fault(text, reason) is None]


def _fault(text: str, finish_reason: str) -> tuple[str, dict[str, Any]] | None:
    """Why a sample does not vote, with evidence; None for one that does."""
    if not text:
        return EMPTY, {}
    if finish_reason == FINISH_LENGTH:
        return TRUNCATED, {"characters": len(text), "ends": text[-80:]}
    if finish_reason == FINISH_REPETITION:
        return REPETITION, ends_in_a_loop(text) or {"ends": text[-80:]}
    found = repetition(text)
    return None if found is None else (REPETITION, found)


def _cast(ballot: Ballot, text: str, finish_reason: str) -> None:
    if (fault := _fault(text, finish_reason)) is not None:
        _spoil(ballot, fault[0], text, fault[1])
    else:
        given, final = vote_key(text)
        own = Vote(text, final, 1)
        if given not in ballot.merged:
            ballot.merged[given] = _equal_vote(ballot, own) or given
        key = ballot.merged[given]
        known = ballot.votes.get(key)
        ballot.votes[key] = own if known is None else Vote(known.text, known.final, known.count + 1)


def _equal_vote(ballot: Ballot, own: Vote) -> str | None:
    """Key of the first vote that is the same answer in another writing."""
    if own.says is None:
        return None
    for key, vote in ballot.votes.items():
        if vote.says is None:
            continue
        if ballot.compared >= MOST_COMPARED:
            return None
        ballot.compared += 1
        if compare(vote.says, own.says).equal:
            return key
    return None


def _spoil(ballot: Ballot, reason: str, text: str, evidence: dict[str, Any]) -> None:
    ballot.spoilt[reason] += 1
    ballot.evidence.setdefault(reason, evidence)
    ballot.texts.setdefault(reason, text)
