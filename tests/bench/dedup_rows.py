"""Rows for the deduplication benchmark: generated questions with planted repeats, and the documents of given corpora.

Questions are 20 to 80 words drawn from a Zipf-distributed vocabulary of 20,000, so that common words are common; a
tenth of them repeats an earlier one: verbatim, in other case and punctuation, with one word changed, with one word in
twenty changed, cut to 85 %, or with a number changed. What a changed number makes is another question, and is planted
to see that it stays.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

KINDS = ("verbatim", "typeset", "one_word", "one_in_twenty", "cut", "number")
REPEATS = 0.1
VOCABULARY = 20_000
SEED = 5


@dataclass(frozen=True)
class Planted:
    """`texts`, and of every repeat its row, the row it was made of, and its kind."""

    texts: list[str]
    repeats: list[tuple[int, int, str]]


def questions(count: int) -> Planted:
    """`count` questions of which REPEATS are planted, in random order."""
    draw = random.Random(SEED)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 10))) for _ in range(VOCABULARY)]
    ranks = np.random.default_rng(SEED).zipf(1.2, size=2 * VOCABULARY + 60 * count) % VOCABULARY
    drawn = iter(ranks.tolist())
    originals = count - int(count * REPEATS)
    made = [_question(draw, words, drawn) for _ in range(originals)]
    sources: list[tuple[int, str]] = []
    for number in range(count - originals):
        source, kind = draw.randrange(originals), KINDS[number % len(KINDS)]
        made.append(_repeated(made[source], kind, draw, words))
        sources.append((source, kind))
    order = draw.sample(range(count), count)
    place = {row: number for number, row in enumerate(order)}
    repeats = [(place[originals + number], place[source], kind) for number, (source, kind) in enumerate(sources)]
    return Planted([made[row] for row in order], repeats)


def _question(draw: random.Random, words: Sequence[str], drawn: Iterator[int]) -> str:
    length = draw.randint(20, 80)
    text = [words[next(drawn)] for _ in range(length)]
    text[draw.randrange(length)] = str(draw.randint(2, 9999))
    return " ".join(text).capitalize() + "?"


def _repeated(text: str, kind: str, draw: random.Random, words: Sequence[str]) -> str:
    parts = text.rstrip("?").split()
    plain = [place for place, word in enumerate(parts) if not word.isdigit()]
    if kind == "typeset":
        return text.upper().replace(" ", ", ", 1) + "\n"
    if kind == "one_word":
        parts[draw.choice(plain)] = draw.choice(words)
    elif kind == "one_in_twenty":
        for place in draw.sample(plain, max(1, len(parts) // 20)):
            parts[place] = draw.choice(words)
    elif kind == "cut":
        parts = parts[: int(len(parts) * 0.85)]
    elif kind == "number":
        parts = [str(int(word) + 1) if word.isdigit() else word for word in parts]
    return " ".join(parts) + "?"


def documents(folder: Path) -> list[str]:
    """The texts of all Parquet files below a folder, each once."""
    found: dict[str, None] = {}
    for path in sorted(folder.rglob("*.parquet")):
        if "text" in pq.read_schema(path).names:
            found |= dict.fromkeys(text for text in pq.read_table(path, columns=["text"]).column(0).to_pylist() if text)
    return list(found)


def question_table(texts: Sequence[str], first: int) -> pa.Table:
    """QUESTION rows as far as curation reads them."""
    from factory.tables import QUESTION

    count = len(texts)
    columns: dict[str, pa.Array] = {
        "question_id": pa.array([f"{first + row:032x}" for row in range(count)]),
        "level": pa.array([1] * count, pa.int8()),
        "text": pa.array(texts),
        "sources": pa.array([_source(first + row) for row in range(count)], QUESTION.field("sources").type),
    }
    return pa.table([columns.get(field.name, pa.nulls(count, field.type)) for field in QUESTION], schema=QUESTION)


QUESTIONS_A_PASSAGE, PASSAGES_A_FILE = 5, 256


def _source(number: int) -> list[dict[str, Any]]:
    """One passage, as a run writes it: curation reads its file and row."""
    passage = number // QUESTIONS_A_PASSAGE
    name = f"{passage:032x}"
    return [
        {
            "doc_id": name,
            "chunk_id": name,
            "span_start": 0,
            "span_end": 2_000,
            "file": f"select-0123456789abcdef/{passage // PASSAGES_A_FILE:032x}/0",
            "row": passage % PASSAGES_A_FILE,
            "source": "generated",
            "license": "CC-BY-4.0",
            "url": f"https://example.org/{passage}",
            "shard": "generated/shard-00000.parquet",
            "shard_row": passage,
        }
    ]


def document_table(texts: Sequence[str], first: int) -> pa.Table:
    """DOCUMENT rows, each a document of one chunk."""
    from factory.tables import DOCUMENT

    count = len(texts)
    ids = pa.array([f"{first + row:032x}" for row in range(count)])
    zeros = pa.array([0] * count, DOCUMENT.field("chunk").type)
    columns = {"chunk_id": ids, "doc_id": ids, "text": pa.array(texts), "chunk": zeros}
    return pa.table([columns.get(field.name, pa.nulls(count, field.type)) for field in DOCUMENT], schema=DOCUMENT)
