"""`--where COLUMN=VALUE`: which rows of a dataset are exported.

Design: a condition is a column, a comparison and values; a row has to meet all conditions. `=` and `!=` take several
values, separated by commas, of which one is enough (or none may be); a list column is met where one of its items is.
`a.b` looks into a column of structures, and `tags.bloom` for the value of the tag of that name. What is not known
(null) meets nothing. Conditions are checked against the
schema before a row is read. Cost: Arrow's kernels.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from factory.curate.words import Mask
from factory.errors import ConfigError

_CONDITION = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(!=|>=|<=|=|>|<)(.*)", re.DOTALL)
_ORDERED: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": pc.greater_equal, "<=": pc.less_equal, ">": pc.greater, "<": pc.less
}  # fmt: skip
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


@dataclass(frozen=True)
class Condition:
    """`column` may look into a structure (a.b); `values` have the type of what is compared."""

    column: str
    comparison: str
    values: tuple[Any, ...]

    def rows(self, table: pa.Table) -> Mask:
        """bool[N]: which rows of a table that has the column meet it."""
        found = column_in(table, self.column)
        if pa.types.is_list(found.type):
            inside = pc.fill_null(
                pc.is_in(pc.list_flatten(found), value_set=_set(self.values, found.type.value_type)), False
            )
            met = np.zeros(table.num_rows, np.bool_)
            met[np.asarray(pc.list_parent_indices(found))[np.asarray(inside)]] = True
            return ~met & ~np.asarray(found.is_null()) if self.comparison == "!=" else met
        if self.comparison in ("=", "!="):
            listed = np.asarray(pc.is_in(found, value_set=_set(self.values, found.type)), np.bool_)
            known = ~np.asarray(found.is_null(), np.bool_)
            return known & ~listed if self.comparison == "!=" else known & listed
        ordered = _ORDERED[self.comparison](found, pa.scalar(self.values[0], found.type))
        return np.asarray(pc.fill_null(ordered, False), np.bool_)


def _set(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, kind)


def conditions(given: Sequence[str], schema: pa.Schema) -> tuple[Condition, ...]:
    """Raises ConfigError naming a condition that is none, or a column that is not there or cannot be compared so."""
    return tuple(_condition(text, schema) for text in given)


def _condition(text: str, schema: pa.Schema) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"--where {text!r} is no condition",
            cause="it takes a column, a comparison (= != >= <= > <) and a value; < and > need quotes in a shell",
            remedy="write for example --where level=1,2 or --where 'judge_score>=0.8'",
        )
    column, comparison, rest = match.groups()
    kind = _type_of(column, schema, text)
    compared = kind.value_type if pa.types.is_list(kind) else kind
    if not _comparable(compared) or (
        comparison in _ORDERED and (pa.types.is_list(kind) or pa.types.is_boolean(compared))
    ):
        raise ConfigError(
            f"--where {text!r}: {column} holds {kind}, which cannot be compared with {comparison}",
            cause="lists can be asked whether they hold a value (=, !=), structures only for one of their parts",
            remedy="name a column of text, numbers or yes and no, or a part of a structure: a.b",
        )
    items = [rest] if comparison in _ORDERED else rest.split(",")
    return Condition(column, comparison, tuple(_value(item.strip(), compared, text) for item in items))


def _type_of(column: str, schema: pa.Schema, text: str) -> pa.DataType:
    kind: Any = schema
    for place, name in enumerate(column.split(".")):
        names = _names(kind)
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise ConfigError(
                f"--where {text!r}: there is no column {column}",
                cause="a misspelt name" if names else f"{'.'.join(column.split('.')[:place])} has no parts",
                remedy=f"did you mean {near[0]}?" if near else f"columns here: {', '.join(names) or 'none'}",
            )
        kind = kind.field(name).type
        if _is_tags(kind) and column.count(".") == place + 1:
            return kind.value_type.field("value").type
    return kind


def _is_tags(kind: Any) -> bool:
    """Whether a column holds tags, {name, value} each (factory/tables.py)."""
    return bool(pa.types.is_list(kind)) and set(_names(kind.value_type)) == {"name", "value"}


def _names(kind: Any) -> list[str]:
    if isinstance(kind, pa.Schema):
        return list(kind.names)
    return [kind.field(place).name for place in range(kind.num_fields)] if pa.types.is_struct(kind) else []


def _comparable(kind: pa.DataType) -> bool:
    known = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    return any(test(kind) for test in known)


def _value(text: str, kind: pa.DataType, condition: str) -> Any:
    try:
        if pa.types.is_integer(kind):
            return pa.scalar(int(text), kind).as_py()
        if pa.types.is_floating(kind):
            return float(text)
        if pa.types.is_boolean(kind):
            return {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}[text.lower()]
    except (KeyError, ValueError, OverflowError, pa.ArrowException):
        raise ConfigError(
            f"--where {condition!r}: {text!r} is no {kind}",
            cause="the column holds numbers, or true and false",
            remedy="write a value of that kind",
        ) from None
    return text


def column_in(table: pa.Table, path: str) -> pa.Array:
    """The column a.b of a table, as one array."""
    first, *rest = path.split(".")
    found = table.column(first).combine_chunks()
    if isinstance(found, pa.ChunkedArray):
        found = pa.concat_arrays(found.chunks) if found.num_chunks else pa.array([], found.type)
    for name in rest:
        found = _tag(found, name) if _is_tags(found.type) else pc.struct_field(found, name)
    return found


def _tag(tags: pa.ListArray, name: str) -> pa.Array:
    """value[N] of the tag `name`; null where a row has none of it."""
    inside = pc.list_flatten(tags)
    of_name = pc.equal(pc.struct_field(inside, "name"), name)
    rows = np.asarray(pc.list_parent_indices(tags).filter(of_name))
    place = np.full(len(tags), -1)
    place[rows] = np.arange(len(rows))
    return pc.struct_field(inside, "value").filter(of_name).take(pa.array(place, mask=place < 0))


def meeting(table: pa.Table, given: Sequence[Condition]) -> Mask:
    """bool[N]: rows that meet every condition."""
    met: Mask = np.ones(table.num_rows, np.bool_)
    for each in given:
        met &= each.rows(table)
    return met


def columns_of(given: Sequence[Condition]) -> list[str]:
    """Columns of a table that the conditions look at."""
    return sorted({each.column.split(".")[0] for each in given})
