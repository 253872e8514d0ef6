from __future__ import annotations

import pyarrow as pa
import pytest

from factory.govern.columns import Column, column, columns_of
from factory.publish.samples import SAMPLE


def by_arrow(name: str, kind: pa.DataType) -> Column:
    """The same tree from the type itself instead of its text."""
    if pa.types.is_list(kind):
        inner = by_arrow(name, kind.value_type)
        return Column(name, inner.kind, inner.lists + 1, inner.fields)
    if pa.types.is_struct(kind):
        return Column(name, "struct", 0, tuple(by_arrow(field.name, field.type) for field in kind))
    return Column(name, str(kind))


def test_columns_read_from_text_are_those_of_the_published_schema() -> None:
    found = columns_of((field.name, str(field.type)) for field in SAMPLE)
    assert found == tuple(by_arrow(field.name, field.type) for field in SAMPLE)


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.list_(pa.int8())),
        pa.struct([("a", pa.struct([("b", pa.list_(pa.float32()))])), ("c", pa.large_string())]),
        pa.list_(pa.struct([pa.field("a", pa.string(), nullable=False)])),
        pa.large_list(pa.bool_()),
    ],
)
def test_other_types_are_read_too(kind: pa.DataType) -> None:
    found = column("x", str(kind))
    assert found.lists + len(found.fields) > 0


@pytest.mark.parametrize("text", ["", "list<item: ", "struct<a>", "struct<a: string", "list<item: string>>", "a>b"])
def test_what_is_no_type_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="column question"):
        column("question", text)
