"""Some samples as gates look at them: columns as plain lists, decoded and tokenised once for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from factory.curate.words import TokenArray, tokenise

GATE_COLUMNS = [
    "sample_id", "messages", "question", "answer", "final_answer", "doc_ids", "license", "licenses", "copied_share",
    "level", "origin", "edu_level", "subject", "domain", "concepts", "attribution", "lineage", "verified",
]  # fmt: skip
"""Columns of samples that gates read, whether of a run (KEYED_SAMPLE) or of a published dataset (SAMPLE)."""


@dataclass(frozen=True)
class Batch:
    """`table` has the columns of GATE_COLUMNS."""

    table: pa.Table

    @cached_property
    def ids(self) -> list[str]:
        return self.values("sample_id")

    @cached_property
    def questions(self) -> list[str]:
        return self.texts("question")

    @cached_property
    def answers(self) -> list[str]:
        return self.texts("answer")

    @cached_property
    def everything(self) -> list[str]:
        """What a row says, in one text: question, answer, final answer, concepts and subject."""
        concepts = ["\n".join(words or ()) for words in self.values("concepts")]
        columns = (self.questions, self.answers, self.texts("final_answer"), concepts, self.texts("subject"))
        return ["\n\n".join(parts) for parts in zip(*columns, strict=True)]

    @cached_property
    def tokens(self) -> TokenArray:
        """Of the questions."""
        return tokenise(self.questions)

    @cached_property
    def answer_tokens(self) -> TokenArray:
        return tokenise(self.answers)

    def values(self, column: str) -> list[Any]:
        values: list[Any] = self.table.column(column).to_pylist()
        return values

    def texts(self, column: str) -> list[str]:
        """A column of texts, nulls as empty ones."""
        return [text or "" for text in self.values(column)]
