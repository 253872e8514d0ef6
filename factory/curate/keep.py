"""Which of two questions that repeat each other is kept: the order that a user declares, as one number a question.

Design: `curate.keep` names criteria, the weightiest first; each takes some bits of a 64-bit number, the highest first,
and of two questions the one with the lower number stays (of equal ones that with the smaller id). `sample` is the place
of the first source in the sampling order, which makes a larger run keep what a smaller one kept and answered; without
it among the first criteria, a grown corpus may displace answered questions. Agreement of answers cannot be one: repeats
are taken out before anything is answered, because answers are what costs. Questions across documents (level 3) come
after all others, among themselves as their walks do: a later round must not displace what is answered already.

Cost: 0.2 microseconds a question, most of it the dictionary of file names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from factory.corpus.sample import sample_keys
from factory.curate.words import U64, Mask

Criterion = Literal["sample", "level", "score"]

DEFAULT: tuple[Criterion, ...] = ("sample", "level")

ACROSS = 3
"""Level of questions across documents."""

SCORE_STEPS = 4095
"""Domain scores are told apart to a 4,095th of the highest."""

HIGHEST_SCORE = 10.0


def question_columns(keep: Sequence[Criterion]) -> tuple[str, ...]:
    """Of QUESTION rows, what curation reads. The other parts of their sources take longer to read than all the rest."""
    parts = ("file", "row", "domain_score") if "score" in keep else ("file", "row")
    return "question_id", "level", "text", *(f"sources.list.element.{part}" for part in parts)


def keep_keys(questions: pa.Table, keep: Sequence[Criterion]) -> U64:
    """uint64[N]: the lower stays. `questions` has the columns that `question_columns` names."""
    total = np.zeros(questions.num_rows, np.uint64)
    left = 64
    for criterion in keep:
        bits, value = CRITERIA[criterion]
        left -= bits
        total |= value(questions) << np.uint64(left)
    return total


def _sample(questions: pa.Table) -> U64:
    """Place of the first source in the sampling order (corpus/sample.py); first of all for one without."""
    order = np.zeros(questions.num_rows, np.uint64)
    stated, first = _first_source(questions)
    if stated.any():
        rows = pc.struct_field(first, "row").to_numpy()
        order[stated] = sample_keys(pc.struct_field(first, "file"), rows) >> np.uint64(64 - SAMPLE_BITS)
    return order


def _level(questions: pa.Table) -> U64:
    levels: U64 = np.clip(questions.column("level").to_numpy(), 0, (1 << LEVEL_BITS) - 1).astype(np.uint64)
    return levels


def _score(questions: pa.Table) -> U64:
    """The highest domain score first; last of all where none was given."""
    order = np.full(questions.num_rows, SCORE_STEPS, np.uint64)
    stated, first = _first_source(questions)
    if stated.any():
        scores = pc.fill_null(pc.struct_field(first, "domain_score"), 0.0).to_numpy()
        order[stated] = np.clip((1 - scores / HIGHEST_SCORE) * SCORE_STEPS, 0, SCORE_STEPS).astype(np.uint64)
    return order


def _first_source(questions: pa.Table) -> tuple[Mask, pa.Array]:
    """Which questions have a source, and the first of those that have."""
    lists = questions.column("sources").combine_chunks()
    stated = lists.value_lengths().fill_null(0).to_numpy() > 0
    return stated, pc.list_element(lists.filter(pa.array(stated)), 0)


SAMPLE_BITS, LEVEL_BITS, SCORE_BITS = 44, 3, 12
CRITERIA: Mapping[Criterion, tuple[int, Callable[[pa.Table], U64]]] = {
    "sample": (SAMPLE_BITS, _sample),
    "level": (LEVEL_BITS, _level),
    "score": (SCORE_BITS, _score),
}
