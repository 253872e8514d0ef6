"""What a domain classifier learns from: texts with a score from 1 (another field) to 10 (exemplary).

Design: one frozen value for all origins, so that cold start, users' positives and ratings train the same way.
Texts travel with their examples while training; the artefact keeps ids, scores and raters only
(`ratings_table`), because the texts are under their owners' licences and `sha256` of the set pins them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

Origin = Literal["cold_start_positive", "corpus_negative", "user_positive", "rated"]

LOWEST, HIGHEST = 1.0, 10.0
"""Bounds of a score, as in the paper (SynthLLM, section 4.1): a rater gives 1 to 10."""

EXAMPLE = pa.schema(
    [
        ("text", pa.string()),
        ("score", pa.float64()),
        ("doc_id", pa.string()),
        ("source", pa.string()),
        ("origin", pa.string()),
        ("rater", pa.string()),
    ]
)

RATING = pa.schema([field for field in EXAMPLE if field.name != "text"])


@dataclass(frozen=True)
class Example:
    """A text, the score it should get, and who says so. `rater` names a model, a file or a person; "" where the
    score follows from the origin (cold start)."""

    text: str
    score: float
    doc_id: str
    source: str
    origin: Origin
    rater: str

    def __post_init__(self) -> None:
        if not LOWEST <= self.score <= HIGHEST:
            raise ValueError(f"a score lies between {LOWEST:.0f} and {HIGHEST:.0f}, not at {self.score}")
        if self.origin not in get_args(Origin):
            raise ValueError(f"{self.origin!r} is no origin of examples; they are {', '.join(get_args(Origin))}")


def to_table(examples: Iterable[Example]) -> pa.Table:
    """Rows of EXAMPLE, in the given order."""
    rows = [[getattr(example, name) for name in EXAMPLE.names] for example in examples]
    columns = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(EXAMPLE)]
    return pa.table(columns, schema=EXAMPLE)


def from_table(table: pa.Table) -> list[Example]:
    """The examples of a table with at least the columns of EXAMPLE. Raises ValueError for a score or an origin
    that there is not, KeyError for a missing column."""
    columns = [table.column(name).to_pylist() for name in EXAMPLE.names]
    return [Example(*values) for values in zip(*columns, strict=True)]


def ratings_table(examples: Iterable[Example]) -> pa.Table:
    """Rows of RATING, sorted, without texts: what an artefact keeps of the examples."""
    table = to_table(examples).select(RATING.names)
    return table.sort_by([(name, "ascending") for name in ("doc_id", "rater", "origin", "source", "score")])


def digest(examples: Sequence[Example]) -> str:
    """SHA-256 (hexadecimal) over every field of the examples, in order: training depends on the order."""
    hasher = hashlib.sha256()
    for example in examples:
        for part in (example.text, repr(example.score), example.doc_id, example.source, example.origin, example.rater):
            data = part.encode("utf-8", "surrogatepass")
            hasher.update(b"%d:" % len(data))
            hasher.update(data)
    return hasher.hexdigest()
