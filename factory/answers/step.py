"""Answers: k samples a question in rounds, the one most of them agree on, and how sure that is.

Design: a round is one request for several completions (shared prefill); the next round is asked only where
the samples still allowed could change the winner. The row keeps the winning text, every vote and the
agreement; it is only counted here, and verified in check.py. A question without one usable sample is a reject that
says whether its samples were cut off, looping or empty.

Cost: 180 microseconds a row of one sample of 2,500 characters of formulas (490 words).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from factory.answers.agreement import Ballot, count_votes
from factory.answers.config import AnswerConfig
from factory.answers.copied import NGRAM_WORDS, copied_share
from factory.concepts.extract import sampling_from
from factory.domains.pack import Pack
from factory.domains.prompt import Prompt
from factory.engine.api import Completion, Message, Sampling
from factory.identity import make_id
from factory.run.reject import Reject
from factory.run.step import Parsed, Row, Texts
from factory.tables import ANSWER, QUESTION, with_tags
from factory.vocabulary.given import Vocabulary

STEP_VERSION = 4
PROMPT = "answer"


@dataclass(frozen=True)
class AnswerStep:
    """LlmStep: QUESTION rows -> ANSWER rows."""

    config: AnswerConfig
    pack: Pack
    seed: int
    vocabulary: Vocabulary | None = None

    @property
    def name(self) -> str:
        return "answer"

    @property
    def version(self) -> int:
        return STEP_VERSION

    @property
    def schema(self) -> pa.Schema:
        return with_tags(ANSWER, self.pack.tags)

    @property
    def id_column(self) -> str:
        return "answer_id"

    @property
    def response_schema(self) -> dict[str, Any] | None:
        return None

    @cached_property
    def sampling(self) -> Sampling:
        return replace(sampling_from(self.config.sampling, self.seed), samples=self.samples_for_round(0))

    @property
    def max_rounds(self) -> int:
        return -(-self.config.samples // self.config.samples_per_round)

    def samples_for_round(self, number: int) -> int:
        """Completions of round `number` (0-based): all rounds together ask for config.samples."""
        left = self.config.samples - number * self.config.samples_per_round
        return max(0, min(self.config.samples_per_round, left))

    def saved_samples(self, rounds: Sequence[Completion]) -> int:
        """Samples that were allowed but not needed."""
        return self.config.samples - sum(len(completion.texts) for completion in rounds)

    @cached_property
    def _prompt(self) -> Prompt:
        return self.pack.prompt(PROMPT)

    def identity(self) -> dict[str, Any]:
        return {
            "prompt": self._prompt.prompt_id,
            "answer_style": self.pack.answer_style,
            "samples": self.config.samples,
            "samples_per_round": self.config.samples_per_round,
            "copied_ngram_words": NGRAM_WORDS,
            **({"vocabulary": self.vocabulary.identity()} if self.vocabulary else {}),
        }

    def item_id(self, row: Row) -> str:
        question_id: str = row["question_id"]
        return question_id

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        wants_document = "document" in self._prompt.placeholders
        return self._prompt.messages(
            question=row["text"],
            answer_style=self.pack.answer_style,
            edu_level=row["edu_level"] or "",
            subject=row["subject"] or "",
            document="\n\n".join(passages_of(row, texts)) if wants_document else "",
            vocabulary=self.vocabulary.words(passages_of(row, texts)) if self.vocabulary else "",
        )

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        remaining = self.saved_samples(rounds)
        return remaining > 0 and not count_votes(rounds).decided(remaining)

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """One ANSWER row, or the question turned away as truncated, degenerate_repetition or empty_answer."""
        ballot = count_votes(rounds)
        winner = ballot.winner
        if winner is None:
            return Parsed(rejects=[turned_away(row["question_id"], ballot)])
        votes = sorted(ballot.votes.values(), key=lambda vote: -vote.count)
        asked = with_tags(QUESTION, self.pack.tags).names
        accepted = {name: row[name] for name in asked} | {
            "answer_id": make_id("answer", row["question_id"], folder),
            "answer": winner.text,
            "final_answer": winner.final,
            "votes": [{"final_answer": vote.final, "count": vote.count} for vote in votes],
            "samples": ballot.voted,
            "agreement": winner.count / ballot.voted,
            "copied_share": copied_share(winner.text, passages_of(row, texts)),
            "answer_prompt_id": self._prompt.prompt_id,
            "answer_request_ids": [completion.request_id for completion in rounds],
        }
        return Parsed(accepted=[accepted])


def passages_of(row: Row, texts: Texts) -> list[str]:
    """Texts of a row's distinct source passages, in the order of its `sources`."""
    chunk_ids = dict.fromkeys(source["chunk_id"] for source in row["sources"] or ())
    return [texts[chunk_id] for chunk_id in chunk_ids if chunk_id in texts]


def turned_away(question_id: str, ballot: Ballot, unread: str | None = None) -> Reject:
    """The reason most samples share, of equal ones the first met; `unread` where samples were not spoilt and yet no
    answer."""
    reason = unread or (max(ballot.spoilt, key=lambda name: ballot.spoilt[name]) if ballot.spoilt else "empty_answer")
    evidence = {"samples": ballot.samples, "reasons": dict(ballot.spoilt), **ballot.evidence.get(reason, {})}
    first = next(iter(ballot.votes.values())).text if unread and ballot.votes else ballot.texts.get(reason)
    return Reject(question_id, reason, "input", evidence, first)
