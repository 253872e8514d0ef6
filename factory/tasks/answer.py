"""The stage that answers the questions of one task type.

Design: as the answer stage of open questions: rounds of samples of which one wins. A type whose answers are short votes
on them; of one whose answers are prose the first sample that passes the type's own check is the answer, and no further
round is asked for once there is one. Samples of a type that runs them (task.py, Trying) are all drawn and tried
against each other. A row keeps how many samples agreed, or passed. Looping, empty and cut-off samples
count for nothing, as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import orjson

from factory.answers.agreement import Ballot, Vote, count_votes, usable_samples
from factory.answers.config import AnswerConfig
from factory.answers.copied import NGRAM_WORDS, copied_share
from factory.answers.grounding import grounding
from factory.answers.step import passages_of, turned_away
from factory.concepts.extract import sampling_from
from factory.domains.pack import Pack
from factory.domains.prompt import Prompt
from factory.engine.api import Completion, Message, Sampling
from factory.identity import canonical_json, make_id
from factory.run.step import Parsed, Row, Texts
from factory.tables import TASK_ANSWER, TASK_QUESTION
from factory.tasks.task import Given, TaskType, Trying

STEP_VERSION = 1

NO_ANSWER = "no_answer"
"""Of a sample that its type cannot read as an answer."""


@dataclass(frozen=True)
class Chosen:
    """The sample that wins: its answer and final answer as published, and the share of usable samples for it."""

    answer: str
    final: str | None
    agreement: float
    passed: bool = True
    votes: tuple[tuple[str | None, int], ...] | None = None
    """Of samples that were run: how many did how well. None: those of the ballot."""
    data: Mapping[str, Any] | None = None
    """`task_data` with what was found by running them."""


@dataclass(frozen=True)
class TaskAnswerStep:
    """LlmStep: TASK_QUESTION rows -> TASK_ANSWER rows. `config` has what all answers share: sampling, and samples where
    the type says none of its own."""

    task: TaskType
    config: AnswerConfig
    pack: Pack
    seed: int

    version = STEP_VERSION
    schema = TASK_ANSWER
    id_column = "answer_id"

    @property
    def name(self) -> str:
        return f"answer_{self.task.name}"

    @property
    def samples(self) -> int:
        return self.task.config.samples or self.config.samples

    @cached_property
    def sampling(self) -> Sampling:
        found = sampling_from(self.config.sampling, self.seed)
        most = self.task.config.answer_tokens or found.max_tokens
        return replace(found, max_tokens=most, samples=self.samples_for_round(0))

    @property
    def max_rounds(self) -> int:
        return -(-self.samples // self.config.samples_per_round)

    @cached_property
    def response_schema(self) -> dict[str, Any] | None:
        return self.task.answer_schema()

    @cached_property
    def _prompt(self) -> Prompt:
        return self.pack.prompt(self.name)

    def samples_for_round(self, number: int) -> int:
        left = self.samples - number * self.config.samples_per_round
        return max(0, min(self.config.samples_per_round, left))

    def identity(self) -> dict[str, Any]:
        own = {
            "prompt": self._prompt.prompt_id,
            "answer_style": self.pack.answer_style,
            "samples": self.samples,
            "samples_per_round": self.config.samples_per_round,
            "copied_ngram_words": NGRAM_WORDS,
        }
        # Of one sample nothing is chosen, so what its check demands changes no row that was paid for; what was found by
        # running it stands in the row.
        chooses = isinstance(self.task, Trying) or (self.samples > 1 and not self.task.votes)
        return {**own, "checks": self.task.check_identity()} if chooses else own

    def item_id(self, row: Row) -> str:
        question_id: str = row["question_id"]
        return question_id

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        return self._prompt.messages(
            question=row["text"],
            document="\n\n".join(passages_of(row, texts)),
            answer_style=self.pack.answer_style,
            edu_level=row["edu_level"] or "",
            subject=row["subject"] or "",
            **self.task.answered_with(data_of(row)),
        )

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        remaining = self.samples - sum(len(completion.texts) for completion in rounds)
        if remaining <= 0:
            return False
        if isinstance(self.task, Trying):
            return True
        ballot = count_votes(rounds)
        if self.task.votes:
            return not ballot.decided(remaining)
        # Without passages: a check that needs them passes nothing here, and all samples are drawn.
        chosen = self._chosen(ballot, row, ())
        return chosen is None or not chosen.passed

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """One TASK_ANSWER row, or the question turned away as truncated, degenerate_repetition, empty_answer or
        no_answer."""
        ballot = count_votes(rounds)
        passages = passages_of(row, texts)
        chosen = self._tried(rounds, row) if isinstance(self.task, Trying) else self._chosen(ballot, row, passages)
        if chosen is None:
            return Parsed(rejects=[turned_away(row["question_id"], ballot, NO_ANSWER if ballot.votes else None)])
        cast = sorted(ballot.votes.values(), key=lambda vote: -vote.count)
        votes = [(vote.final, vote.count) for vote in cast] if chosen.votes is None else chosen.votes
        data = row["task_data"] if chosen.data is None else canonical_json(dict(chosen.data)).decode()
        accepted = {name: row[name] for name in TASK_QUESTION.names} | {
            "task_data": data,
            "answer_id": make_id("answer", row["question_id"], folder),
            "answer": chosen.answer,
            "final_answer": chosen.final,
            "votes": [{"final_answer": final, "count": count} for final, count in votes],
            "samples": ballot.voted,
            "agreement": chosen.agreement,
            "copied_share": None if self.task.quotes else copied_share(chosen.answer, passages),
            "answer_prompt_id": self._prompt.prompt_id,
            "answer_request_ids": [completion.request_id for completion in rounds],
        }
        return Parsed(accepted=[accepted])

    def _tried(self, rounds: Sequence[Completion], row: Row) -> Chosen | None:
        assert isinstance(self.task, Trying)
        data = data_of(row)
        read = [self.task.published(sample, data) for sample in usable_samples(rounds)]
        usable = [found for found in read if found is not None]
        if not usable:
            return None
        tried = self.task.tried([answer for answer, _ in usable], data)
        answer, final = usable[tried.winner]
        return Chosen(answer, final, tried.agreement, votes=tuple(tried.votes), data=tried.data)

    def _chosen(self, ballot: Ballot, row: Row, passages: Sequence[str]) -> Chosen | None:
        data = data_of(row)
        votes = (
            sorted(ballot.votes.values(), key=lambda vote: -vote.count) if self.task.votes else ballot.votes.values()
        )
        read = [(vote, self.task.published(vote.text, data)) for vote in votes]
        usable = [(vote, found) for vote, found in read if found is not None]
        if not usable:
            return None
        if self.task.votes:
            vote, (answer, final) = usable[0]
            return Chosen(answer, final, vote.count / ballot.voted)
        return self._first_that_passes(usable, data, passages)

    def _first_that_passes(
        self, usable: Sequence[tuple[Vote, tuple[str, str | None]]], data: Mapping[str, Any], passages: Sequence[str]
    ) -> Chosen:
        passing = []
        for vote, (answer, final) in usable:
            given = Given(answer, final, grounding(answer, passages))
            if self.task.verify(data, given).verified == "yes":
                passing.append((vote, (answer, final)))
        _, (answer, final) = (passing or usable)[0]
        share = sum(vote.count for vote, _ in passing) / sum(vote.count for vote, _ in usable)
        return Chosen(answer, final, share, bool(passing))


def data_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """`task_data`, read: canonical JSON that a stage of this run wrote."""
    found: Mapping[str, Any] = orjson.loads(row["task_data"])
    return found
