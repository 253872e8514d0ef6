"""Arrow tables without erased rows: emptied where rows are referred to by their place, taken out where they are not.

Design: rows of a step's files are named by file and place (lineage, picks of units, numbers in postings), so an erased
row keeps its place and holds nothing: empty strings and lists, zeros. Nulls would do as well for Parquet and not for
code that expects a value. Every other row keeps its content, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from factory.govern.erasure.matching import OWN, Matcher, flat

Mask = npt.NDArray[np.bool_]


def erased_rows(table: pa.Table, matcher: Matcher, by_words: bool = False) -> Mask:
    """bool[N]: rows that are erased. `by_words`: also those that hold a name which only erased extractions have."""
    found = np.zeros(table.num_rows, np.bool_)
    for name in table.column_names:
        if name in OWN or (name == "lineage" and pa.types.is_struct(table.schema.field(name).type)):
            column = table.column(name)
            if name == "lineage":
                column = _inside(column, "sample_id")
                if column is None:
                    continue
            found |= _holds(column, matcher.id_values)
        if by_words and name in ("topics", "concepts", "normal"):
            found |= _holds(table.column(name), matcher.name_values)
        if by_words and name == "trace":
            subjects = _inside(table.column(name), "subject")
            found |= _holds(subjects, matcher.name_values) if subjects is not None else False
    return found


def _inside(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray | None:
    names = [field.name for field in column.type]
    return pc.struct_field(column, name) if name in names else None


def _holds(column: pa.ChunkedArray, wanted: pa.Array) -> Mask:
    kind = column.type
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        inner = column.combine_chunks()
        inner = inner if isinstance(inner, pa.Array) else pa.concat_arrays(inner.chunks)
        mask = np.zeros(len(column), np.bool_)
        inside = pc.is_in(pc.list_flatten(inner), wanted)
        mask[pc.list_parent_indices(inner).filter(inside).to_numpy()] = True
        return mask
    if not pa.types.is_string(kind):
        return np.zeros(len(column), np.bool_)
    held = pc.fill_null(pc.is_in(column, wanted), False)
    mask = held.to_numpy()
    return np.asarray(mask, np.bool_)


def emptied(table: pa.Table, rows: Mask) -> pa.Table:
    """The table with `rows` holding nothing, at their places."""
    whole = table.combine_chunks()
    places = pa.array(np.where(rows, table.num_rows, np.arange(table.num_rows)))
    columns = []
    for field, column in zip(whole.schema, whole.columns, strict=True):
        nothing = pa.array([empty_value(field.type)], field.type)
        columns.append(pa.concat_arrays([*column.chunks, nothing]).take(places))
    return pa.Table.from_arrays(columns, schema=whole.schema)


def empty_value(kind: pa.DataType) -> Any:
    """What a cell of this type holds when it holds nothing."""
    if pa.types.is_struct(kind):
        return {field.name: empty_value(field.type) for field in kind}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        return []
    if pa.types.is_fixed_size_list(kind):
        return [empty_value(kind.value_type)] * kind.list_size
    if pa.types.is_fixed_size_binary(kind):
        return b"\0" * kind.byte_width
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return b""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return ""
    if pa.types.is_boolean(kind):
        return False
    return 0 if pa.types.is_integer(kind) else 0.0 if pa.types.is_floating(kind) else None


def without_cells(table: pa.Table, change: Callable[[str], str], skip: Sequence[str] = ()) -> tuple[pa.Table, int]:
    """The table with `change` applied to every string in it, however deep, and how many rows it changed."""
    changed = np.zeros(table.num_rows, np.bool_)
    for place, field in enumerate(table.schema):
        if field.name in skip or not _has_strings(field.type):
            continue
        column = table.column(place)
        every = {value for value in _leaves(column) if change(value) != value}
        if not every:
            continue
        values = column.to_pylist()
        new = [_changed(value, every, change) for value in values]
        changed |= np.array([one != other for one, other in zip(values, new, strict=True)], np.bool_)
        table = table.set_column(place, field, pa.array(new, field.type))
    return table, int(changed.sum())


def _has_strings(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_has_strings(field.type) for field in kind)
    if pa.types.is_map(kind):
        return _has_strings(kind.key_type) or _has_strings(kind.item_type)
    if pa.types.is_list(kind):
        return _has_strings(kind.value_type)
    return bool(pa.types.is_string(kind))


def _leaves(column: pa.ChunkedArray) -> set[str]:
    """Every distinct string of a column."""
    kind = column.type
    if pa.types.is_struct(kind):
        return {value for field in kind for value in _leaves(pc.struct_field(column, field.name))}
    if pa.types.is_map(kind):
        return set(flat([pair for cell in column.to_pylist() if cell for pair in cell]))
    if pa.types.is_list(kind):
        return _leaves(pc.list_flatten(column)) if _has_strings(kind.value_type) else set()
    if not pa.types.is_string(kind):
        return set()
    return {value for value in pc.unique(column).to_pylist() if value is not None}


def _changed(value: Any, every: set[str], change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value) if value in every else value
    if isinstance(value, list | tuple):
        return [_changed(item, every, change) for item in value]
    if isinstance(value, dict):
        return {name: _changed(item, every, change) for name, item in value.items()}
    return value
