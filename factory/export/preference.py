"""`--as preference`: two answers to one question, of which one is better, from the samples that the run asked for.

Format: TRL 1.16's preference type with an explicit prompt: prompt, chosen, rejected; chats or, with `plain`, texts.

Design: the dataset holds the answer that most samples gave; the others lie in the requests of the answer step. They are
counted again as the run counted them (answers/agreement.py), so votes are votes for the same answers, and checked by
the run's own verifier. `by` says why one is better: `verified` (a verifier said yes to it and no to the other) or
`majority` (more samples gave it, and no verifier says otherwise). The published answer may be the rejected one, where
a verifier said no to it and yes to a rarer one: `published` tells. Samples that were cut off, looping or empty voted
for nothing and are no rejected answers either: they would teach to be long enough, and no more. Of several losers the
most common one is taken: the mistake that the model makes most.
Cost: one read of the answer step's requests, and the verifier once for every distinct answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from factory.answers.agreement import Vote, count_votes
from factory.answers.verify.config import VerifyConfig
from factory.answers.verify.decide import verify_answer
from factory.engine.api import Completion
from factory.errors import ConfigError, StoreError
from factory.export.carried import with_carried
from factory.export.prompt_completion import BETWEEN
from factory.export.recipe import Recipe
from factory.export.run_of import require_run, run_config
from factory.export.shaped import Shaped
from factory.export.source import Source
from factory.publish.samples import MESSAGES
from factory.store.base import Store
from factory.store.commits import read_commit
from factory.store.parquet import read_parquet
from factory.tasks.task import OPEN

COLUMNS = ("question", "answer", "verified", "lineage")

ONE_ANSWER, NOT_TOLD_APART, REMOVED = "one_answer", "not_told_apart", "requests_removed"
OTHER_TASK = "not_an_open_question"
"""Task types choose among their samples in ways of their own, and not by votes."""

Basis = Literal["verified", "majority"]

NOT_AGAINST = frozenset({("unchecked", "unchecked"), ("yes", "unchecked"), ("unchecked", "no")})
"""Verdicts on the more and the less common answer where the majority decides."""


@dataclass(frozen=True)
class Told:
    """An answer that samples gave, and what a verifier says of it."""

    text: str
    votes: int
    verified: str


@dataclass(frozen=True)
class Pair:
    chosen: Told
    rejected: Told
    by: Basis


def check(source: Source, recipe: Recipe) -> None:
    """Raises ConfigError for a dataset whose run asked for one answer a question."""
    config = run_config(source, recipe)
    if config.answer.samples == 1:
        raise ConfigError(
            f"{source.title} has one answer a question: there is nothing to prefer it to",
            cause="its run had answer.samples=1",
            remedy="run the same command with answer.samples=4 (and a temperature above 0): documents, concepts and "
            "questions are found again, only answers are asked for anew",
        )


def files_of(rows: pa.Table) -> list[str]:
    """The unit of the answer step that each row's answer is from."""
    found: list[str] = pc.struct_field(rows.column("lineage"), "answer_file").to_pylist()
    return found


def shape(source: Source, recipe: Recipe, rows: pa.Table) -> Shaped:
    root, config = require_run(source, recipe), run_config(source, recipe).answer.verify
    given = rows.num_rows
    rows = rows.filter(pa.array(_open(rows), pa.bool_()))
    samples = _samples(root, rows)
    places: list[int] = []
    pairs: list[Pair] = []
    left_out = {OTHER_TASK: given - rows.num_rows} if given > rows.num_rows else {}
    columns = (rows.column(name).to_pylist() for name in ("question", "answer", "verified"))
    for place, (question, answer, verified) in enumerate(zip(*columns, strict=True)):
        found = pairs_of(question, answer, verified, samples[place], config, recipe.basis)
        if isinstance(found, str):
            left_out[found] = left_out.get(found, 0) + 1
            continue
        pairs += found[: recipe.pairs]
        places += [place] * len(found[: recipe.pairs])
    taken = rows.take(pa.array(np.array(places, np.int64)))
    questions: list[str] = taken.column("question").to_pylist()
    told = {"chosen": [pair.chosen for pair in pairs], "rejected": [pair.rejected for pair in pairs]}
    published: list[str] = taken.column("answer").to_pylist()
    columns_made: dict[str, tuple[list[Any], pa.DataType]] = {
        "prompt": ([_said("user", text, recipe.plain) for text in questions], _kind(recipe)),
        **{
            name: ([_said("assistant", each.text, recipe.plain) for each in answers], _kind(recipe))
            for name, answers in told.items()
        },
        "by": ([pair.by for pair in pairs], pa.string()),
        "published": (
            ["chosen" if pair.chosen.text == text else "rejected" for pair, text in zip(pairs, published, strict=True)],
            pa.string(),
        ),
        **{f"{name}_votes": ([each.votes for each in answers], pa.int32()) for name, answers in told.items()},
        **{f"{name}_verified": ([each.verified for each in answers], pa.string()) for name, answers in told.items()},
    }
    facts = {f"pairs_by_{basis}": sum(pair.by == basis for pair in pairs) for basis in ("verified", "majority")}
    return Shaped(with_carried(source, columns_made, taken), left_out, facts)


def _open(rows: pa.Table) -> list[bool]:
    """Which rows are open questions: all of a run without task types."""
    if "task" not in rows.column_names:
        return [True] * rows.num_rows
    return [task == OPEN for task in rows.column("task").to_pylist()]


def _kind(recipe: Recipe) -> pa.DataType:
    return pa.string() if recipe.plain else MESSAGES


def _said(role: str, text: str, plain: bool) -> Any:
    if plain:
        return text + BETWEEN if role == "user" else text
    return [{"role": role, "content": text}]


def pairs_of(
    question: str, answer: str, verified: str, samples: Sequence[Completion] | None, config: VerifyConfig, basis: str
) -> list[Pair] | str:
    """The pairs of a question, the most telling first, or why there is none. `samples` None: they were removed."""
    if samples is None:
        return REMOVED
    votes = sorted(count_votes(samples).votes.values(), key=lambda vote: -vote.count)
    if len(votes) < 2:
        return ONE_ANSWER
    winner = next((vote for vote in votes if vote.text == answer), None)
    if winner is None:
        raise StoreError(
            "an answer of the dataset is none that its requests give",
            cause="the requests were changed, or count_votes counts otherwise than it did when the run was made",
            remedy="run `factory verify` on the dataset; export with the version of factory that the manifest names",
        )
    own = Told(winner.text, winner.count, verified)
    others = [_told(question, vote, config) for vote in votes if vote is not winner]
    found = [pair for pair in _compared(own, others) if basis in ("any", pair.by)]
    return found or NOT_TOLD_APART


def _told(question: str, vote: Vote, config: VerifyConfig) -> Told:
    return Told(vote.text, vote.count, verify_answer(question, vote.text, vote.final, config).verified)


def _compared(own: Told, others: Sequence[Told]) -> Iterator[Pair]:
    """Pairs of the published answer with each other answer that is told apart from it; verified ones first."""
    for other in others:
        if {own.verified, other.verified} == {"yes", "no"}:
            better, worse = (own, other) if own.verified == "yes" else (other, own)
            yield Pair(better, worse, "verified")
    for other in others:
        if (own.verified, other.verified) in NOT_AGAINST and own.votes > other.votes:
            yield Pair(own, other, "majority")


def _samples(root: Store, rows: pa.Table) -> list[list[Completion] | None]:
    """The completions behind each row's answer, in the order they were asked; None where they were removed since."""
    lineage = rows.column("lineage")
    files = files_of(rows)
    ids: list[list[str]] = pc.struct_field(lineage, "answer_request_ids").to_pylist()
    found: list[list[Completion] | None] = [None] * rows.num_rows
    by_file: dict[str, list[int]] = {}
    for place, name in enumerate(files):
        by_file.setdefault(name, []).append(place)
    for name, places in sorted(by_file.items()):
        records = requests_of(root, name)
        for place in places:
            found[place] = _completions(records, ids[place], name)
    return found


def requests_of(root: Store, file: str) -> dict[str, Mapping[str, Any]]:
    """Request id -> what was recorded of it, of the unit whose file is called `file`."""
    folder, unit, _ = file.split("/")
    commit = read_commit(root, folder, unit)
    if "requests" not in commit.other_files:
        return {}
    table = read_parquet(root, commit.other_files["requests"]["key"], ["request_id", "texts", "finish_reasons"])
    return {str(row["request_id"]): row for row in table.to_pylist()}


def _completions(records: Mapping[str, Mapping[str, Any]], ids: Sequence[str], file: str) -> list[Completion] | None:
    if missing := [each for each in ids if each not in records]:
        raise StoreError(
            f"request {missing[0]} is in no requests file of {file}",
            cause="the root is not the one the dataset was made under, or files were removed from it",
            remedy="pass the right root with --root, or restore it",
        )
    told = [records[each] for each in ids]
    if not all(record["texts"] for record in told):
        return None
    return [
        Completion(each, tuple(record["texts"]), tuple(record["finish_reasons"]), 0, ())
        for each, record in zip(ids, told, strict=True)
    ]
