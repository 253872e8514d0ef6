"""Column lineage is what the code does: one column of the answers is changed after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from factory.engine.tokenizer import Tokenizer
from factory.govern.lineage.columns import CONSTANTS, TABLES, columns_of
from factory.publish.judged import JUDGE_COLUMNS
from factory.publish.required import CHECKED
from factory.publish.samples import KEYED_SAMPLE, SAMPLE, Generator, SamplesStep, build_samples
from factory.tables import ANSWER, CHECK, JUDGED, SOURCE

INPUTS = ("check", "answer", "judge", "merge")
READ = pa.schema([*ANSWER, *(CHECK.field(name) for name in CHECKED), *(JUDGED.field(name) for name in JUDGE_COLUMNS)])
"""What `samples` makes a row of: an answer, with what was checked and judged."""

STEP = SamplesStep(
    run="r",
    seed=1,
    domain="general",
    validation=0.45,
    test=0.1,
    question_generator=Generator("q", "1"),
    answer_generator=Generator("a", "1"),
    folders=(("question_1", "question_1-0"), ("question_2", "question_2-0"), ("answer", "answer-0")),
    tokenizer=Tokenizer("words"),
    tokenizer_name="words",
)
PLACE = {"source": "site", "license": "MIT", "url": "https://site.example/1"}


def _value(kind: pa.DataType, number: int) -> Any:
    """Some value of a type; another one for another number."""
    if pa.types.is_string(kind):
        return " ".join(["word"] * (number + 1))
    if pa.types.is_floating(kind):
        return 0.5 + number
    if pa.types.is_integer(kind):
        return 1 + number
    if pa.types.is_list(kind):
        return [_value(kind.value_type, number)]
    return {field.name: _value(field.type, number) for field in kind}


def _source(number: int) -> dict[str, Any]:
    own = {"license": ("MIT", "CC-BY-SA-4.0")[number], "url": f"https://site.example/{number}", "doc_id": "d"}
    return {**_value(SOURCE, number), **own, "duties": [("attribution", "share-alike")[number]]}


def _row() -> dict[str, Any]:
    return {**{field.name: _value(field.type, 0) for field in READ}, "sources": [_source(0)]}


def _made(row: dict[str, Any], origins: Any = None) -> dict[str, Any]:
    table, rejects = build_samples(STEP, pa.Table.from_pylist([row], schema=READ), "f/u/0", [0], origins or {})
    assert not rejects
    return dict(table.to_pylist()[0])


def _changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in KEYED_SAMPLE.names if before[name] != after[name]}


def _said(step: str, column: str) -> set[str]:
    made = columns_of("samples", INPUTS)
    return {name for name, found in made.items() if any((item.step, item.column) == (step, column) for item in found)}


@pytest.mark.parametrize("column", READ.names)
def test_a_changed_column_of_an_answer_changes_the_columns_that_name_it(column: str) -> None:
    row = _row()
    others: Callable[[int], Any] = lambda number: _value(READ.field(column).type, number)  # noqa: E731
    if column == "sources":
        others = lambda number: [_source(number)]  # noqa: E731
    elif column == "doc_ids":  # some of these documents are in another split
        changed = set[str]().union(*(_changed(_made(row), _made({**row, column: [f"d{n}"]})) for n in range(9)))
        assert changed == _said("answer", column)
        return
    step = "check" if column in CHECKED else "judge" if column in JUDGE_COLUMNS else "answer"
    assert _changed(_made(row), _made({**row, column: others(1)})) == _said(step, column)


def test_a_document_met_again_elsewhere_changes_the_columns_that_name_the_origins() -> None:
    met = {"d": ({**PLACE, "license": "GPL-3.0-only", "url": "https://other.example"},)}
    assert _changed(_made(_row()), _made(_row(), met)) == _said("merge", "origins") == _said("merge", "doc_id")


def test_every_published_column_comes_from_somewhere_or_is_the_same_in_every_row() -> None:
    for step, inputs in (("samples", INPUTS), ("shards", ("samples",)), ("publish", ("shards",))):
        made = columns_of(step, inputs)
        assert set(made) >= set(SAMPLE.names)
        assert {name for name, found in made.items() if not found} == (set(CONSTANTS) if step == "samples" else set())


@pytest.mark.parametrize(
    ("step", "inputs"),
    [
        ("question_1", ("merge", "select")),
        ("question_2", ("extract", "select")),
        ("question_3", ("pair", "select")),
        ("curate", ("question_1", "question_2", "question_3")),
        ("semantic", ("curate", "semantic_decide")),
        ("answer", ("semantic", "select")),
        ("samples", INPUTS),
        ("shards", ("samples",)),
    ],
)
def test_the_columns_named_are_columns_of_the_tables_named(step: str, inputs: tuple[str, ...]) -> None:
    made = columns_of(step, inputs)
    assert set(made) == set(TABLES[step].names)
    for name, found in made.items():
        for item in found:
            column = TABLES[item.step].field(item.column)
            if item.subtype == "IDENTITY":
                assert column.type.equals(TABLES[step].field(name).type), (name, item)
