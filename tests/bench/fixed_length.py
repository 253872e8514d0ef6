"""The step that the engine benchmark runs: passages in, completions of exactly so many tokens out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from factory.engine.api import Completion, Message, Sampling
from factory.identity import ids_digest, make_id
from factory.run import llm
from factory.run.attempt import StepRun, begin, finish
from factory.run.step import Parsed, Row, Texts
from factory.run.units import Unit, UnitResult, unit_over
from factory.store.local import LocalStore
from factory.tables import SOURCES
from tests.bench.plain_loop import documents_table
from tests.corpora import row_of, text_of

ROWS = pa.schema([("chunk_id", pa.string()), ("text", pa.string()), ("request_id", pa.string()), ("sources", SOURCES)])


@dataclass(frozen=True)
class FixedLengthStep:
    """LlmStep: asks for a summary of `tokens` tokens, whatever the model would rather do."""

    tokens: int

    name = "fixed_length"
    version = 1
    schema = ROWS
    id_column = "chunk_id"
    response_schema = None
    max_rounds = 1

    @property
    def sampling(self) -> Sampling:
        return Sampling(temperature=0.7, top_p=0.95, max_tokens=self.tokens, ignore_eos=True)

    def samples_for_round(self, number: int) -> int:
        return 1

    def identity(self) -> dict[str, Any]:
        return {"tokens": self.tokens}

    def item_id(self, row: Row) -> str:
        chunk_id: str = row["chunk_id"]
        return chunk_id

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        return (Message("user", f"Write a summary of this text.\n\n{texts[row['chunk_id']]}"),)

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        return False

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        completion = rounds[-1]
        accepted = {
            "chunk_id": row["chunk_id"],
            "text": completion.texts[0],
            "request_id": completion.request_id,
            "sources": row["sources"],
        }
        return Parsed([accepted])


def commit_passages(store: LocalStore, pair: int, count: int, unit_rows: int, words: int) -> list[Unit]:
    """Commits `count` passages of `words` words that no other pair has, and gives the units over them."""
    rows = []
    for number in range(pair * count, (pair + 1) * count):
        text = " ".join(text_of(number, sentences=words // 12 + 2).split()[:words])
        rows.append({**row_of(number), "text": text})
    table = documents_table(rows)
    # documents_table numbers from 0; the pair keeps ids of different pairs apart
    ids = [make_id("chunk", pair, number) for number in range(count)]
    table = table.set_column(table.schema.get_field_index("chunk_id"), "chunk_id", pa.array(ids))
    tables = tuple(table.slice(start, unit_rows) for start in range(0, count, unit_rows))
    run = StepRun(f"select-{pair:016x}", "bench")
    result = UnitResult(count, count, tables, "chunk_id", input_ids_digest=ids_digest(ids))
    receipt = finish(store, run, begin(store, run, Unit(make_id("unit", pair)), {}), result)
    assert receipt.commit is not None
    return [unit_over(file) for file in receipt.commit.files]


def prompts_of(store: LocalStore, step: FixedLengthStep, units: Sequence[Unit]) -> list[tuple[Message, ...]]:
    """The messages that the step will send, in the order of the units."""
    folder = step.name
    return [request.messages for unit in units for request in llm.prepare(store, step, folder, unit).requests]
