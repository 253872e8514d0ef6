"""Where columns come from: of the published rows, and of the tables of the steps before them.

Design: read off the tables themselves wherever a column is passed on (`ANSWER` holds `QUESTION`, `SAMPLE` takes columns
of `ANSWER`, `CHECK` and `JUDGED` by name), so that a new column is in here without anybody thinking of it. What is
made out of others is listed, and a test changes one column of the answers after the other and looks which published
columns change (tests/govern/lineage/test_columns.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from factory.concepts.walks.tables import PAIRED_WALK
from factory.publish.judged import JUDGE_COLUMNS
from factory.publish.required import CHECKED
from factory.publish.samples import KEYED_SAMPLE, SAMPLE, keyed_schema, sample_schema
from factory.run.strands import kind_of, of_kind
from factory.select.merge import ORIGINS
from factory.tables import (
    ANSWER,
    CHECK,
    CONCEPTS,
    DOCUMENT,
    JUDGED,
    QUESTION,
    SOURCE,
    TASK_ANSWER,
    TASK_COLUMNS,
    TASK_QUESTION,
)


@dataclass(frozen=True)
class From:
    """A column of another step's table. `subtype` as the standard names it: IDENTITY or TRANSFORMATION for values,
    SORT, FILTER or JOIN for what only decides about rows."""

    step: str
    column: str
    subtype: str = "IDENTITY"


Columns = Mapping[str, tuple[From, ...]]

TABLES: Mapping[str, pa.Schema] = {
    "select": DOCUMENT,
    "extract": CONCEPTS,
    "merge": ORIGINS,
    "pair": PAIRED_WALK,
    "question_1": QUESTION,
    "question_2": QUESTION,
    "question_3": QUESTION,
    "curate": QUESTION,
    "semantic": QUESTION,
    "answer": ANSWER,
    "check": CHECK,
    "judge": JUDGED,
    "samples": KEYED_SAMPLE,
    "shards": SAMPLE,
}
"""Tables that steps commit, of those that published columns rest on."""

MADE: Columns = {
    "sample_id": (From("answer", "answer_id", "TRANSFORMATION"),),
    "messages": (From("answer", "text", "TRANSFORMATION"), From("answer", "answer", "TRANSFORMATION")),
    "question": (From("answer", "text"),),
    "question_tokens": (From("answer", "text", "TRANSFORMATION"),),
    "answer_tokens": (From("answer", "answer", "TRANSFORMATION"),),
    **{
        name: (
            From("answer", "sources", "TRANSFORMATION"),
            From("merge", "doc_id", "TRANSFORMATION"),
            From("merge", "origins", "TRANSFORMATION"),
        )
        for name in ("urls", "licenses", "license", "duties", "attribution")
    },
    "lineage": tuple(
        From("answer", name, "TRANSFORMATION")
        for name in (
            *("question_id", "answer_id", "prompt_id", "answer_prompt_id", "request_id", "walk_id"),
            *("answer_request_ids", "level", "sources"),
        )
    ),
    "split": (From("answer", "doc_ids", "TRANSFORMATION"),),
    "key": (From("answer", "answer_id", "TRANSFORMATION"),),
}
"""Published columns that are no column of another table under its own name."""

CONSTANTS = (
    *("domain", "synthetic", "digital_source_type"),
    *("question_model", "question_model_revision", "answer_model", "answer_model_revision"),
)
"""Published columns that are the same in every row: the run says them, no table does."""

DECIDING: Mapping[str, tuple[From, ...]] = {
    "samples": (
        From("answer", "answer_id", "SORT"),
        From("answer", "doc_ids", "FILTER"),
        From("check", "answer_id", "JOIN"),
        From("check", "verified", "FILTER"),
        From("judge", "answer_id", "JOIN"),
    ),
    "shards": (From("samples", "split", "FILTER"), From("samples", "key", "SORT")),
    "publish": (),
}
"""Columns that decide which rows there are and in what order, by step."""


def columns_of(step: str, inputs: Sequence[str], with_tasks: bool = False) -> Columns:
    """Column of the step's table -> the columns of `inputs` that it is made of; empty for steps whose tables no
    published column rests on. `with_tasks`: the run has task types."""
    made = dict(_made(step, inputs, with_tasks))
    answers = of_kind("answer", inputs) or ("answer",)
    return {
        name: tuple(
            each
            for item in found
            for each in ([replace(item, step=one) for one in answers] if item.step == "answer" else [item])
            if each.step in inputs
        )
        for name, found in made.items()
    }


def table_of(step: str, with_tasks: bool = False) -> pa.Schema | None:
    """The columns of a step's table; None for steps whose tables are their own affair."""
    if with_tasks and step in ("samples", "shards"):
        return keyed_schema(True) if step == "samples" else sample_schema(True)
    of_task = {"question": TASK_QUESTION, "curate": TASK_QUESTION, "semantic": TASK_QUESTION, "answer": TASK_ANSWER}
    return TABLES[step] if step in TABLES else of_task.get(kind_of(step)) if kind_of(step) != step else None


def deciding(step: str, inputs: Sequence[str]) -> tuple[From, ...]:
    return tuple(item for item in DECIDING.get(step, ()) if item.step in inputs)


def _made(step: str, inputs: Sequence[str], with_tasks: bool) -> Iterator[tuple[str, tuple[From, ...]]]:
    kind = kind_of(step)
    own = OF_TASKS if kind != step else ()
    if step == "samples":
        for name in keyed_schema(with_tasks).names:
            yield name, _of_tasks(name, inputs) if name in OF_TASKS else _published(name)
    elif step == "publish":
        for name in sample_schema(with_tasks).names:
            yield name, (From("shards", name),)
    elif step == "shards":
        for name in sample_schema(with_tasks).names:
            yield name, (From("samples", name),)
    elif kind in ("curate", "semantic"):
        asked = [name for name in inputs if kind_of(name) in ("curate", "question")]
        for name in (*QUESTION.names, *own):
            yield name, tuple(From(each, name) for each in asked)
    elif kind == "answer":
        curated = [name for name in inputs if kind_of(name) in ("curate", "semantic", "question")]
        for name in (*ANSWER.names, *own):
            yield name, _answered(name, curated)
    elif kind == "question" and step not in ASKED:
        for name in (*QUESTION.names, *own):
            yield name, (_PASSAGE,) if name == "task_data" else ASKED["question_1"].get(name, ())
    elif step in ASKED:
        for name in QUESTION.names:
            yield name, ASKED[step].get(name, ())


def _published(name: str) -> tuple[From, ...]:
    if name in MADE:
        return MADE[name]
    if name in CONSTANTS:
        return ()
    for step, columns in (("check", CHECKED), ("judge", JUDGE_COLUMNS), ("answer", ANSWER.names)):
        if name in columns:
            return (From(step, name),)
    raise ValueError(f"nobody says where the published column {name} comes from: it belongs into MADE or CONSTANTS")


OF_TASKS = tuple(field.name for field in TASK_COLUMNS)
"""Columns that only the stages of task types have, and published rows of runs with such types."""


def _of_tasks(name: str, inputs: Sequence[str]) -> tuple[From, ...]:
    return tuple(From(each, name) for each in of_kind("answer", inputs) if each != "answer")


def _answered(name: str, curated: Sequence[str]) -> tuple[From, ...]:
    if name in QUESTION.names or name in OF_TASKS:
        return tuple(From(step, name) for step in curated)
    if name == "answer_prompt_id":
        return ()
    if name in ("answer_id", "answer_request_ids"):
        return tuple(From(step, "question_id", "TRANSFORMATION") for step in curated)
    # A model wrote it, or it was counted in what a model wrote, with question and passages in the prompt.
    return (*(From(step, "text", "TRANSFORMATION") for step in curated), From("select", "text", "TRANSFORMATION"))


_PASSAGE = From("select", "text", "TRANSFORMATION")
"""Passages stand in the prompt of every question."""

_OF_A_SOURCE = {column.name for column in SOURCE}

ASKED: Mapping[str, Columns] = {
    "question_1": {
        **dict.fromkeys(("question_id", "request_id"), (From("select", "chunk_id", "TRANSFORMATION"),)),
        **dict.fromkeys(("text", "origin", "edu_level", "concepts"), (_PASSAGE,)),
        "doc_ids": (From("select", "doc_id", "TRANSFORMATION"),),
        "sources": tuple(
            From("select", column.name, "TRANSFORMATION") for column in SOURCE if column.name in DOCUMENT.names
        ),
    },
    "question_2": {
        **dict.fromkeys(("question_id", "request_id"), (From("extract", "chunk_id", "TRANSFORMATION"),)),
        **dict.fromkeys(("text", "origin"), (_PASSAGE, From("extract", "topics", "TRANSFORMATION"))),
        "edu_level": (_PASSAGE, From("extract", "edu_level", "TRANSFORMATION")),
        "concepts": (From("extract", "topics", "TRANSFORMATION"),),
        "subject": (From("extract", "subject"),),
        "doc_ids": (From("extract", "doc_id", "TRANSFORMATION"),),
        "sources": (From("extract", "sources"),),
    },
    "question_3": {
        **dict.fromkeys(("question_id", "request_id"), (From("pair", "walk_id", "TRANSFORMATION"),)),
        **dict.fromkeys(("text", "origin"), (_PASSAGE, From("pair", "concepts", "TRANSFORMATION"))),
        "edu_level": (_PASSAGE, From("pair", "edu_level", "TRANSFORMATION")),
        "concepts": (From("pair", "concepts", "TRANSFORMATION"),),
        **{name: (From("pair", name),) for name in ("subject", "doc_ids", "walk_id", "sources")},
    },
}
"""Columns of questions; `prompt_id` and `level` are the step's own, the same in every row."""
