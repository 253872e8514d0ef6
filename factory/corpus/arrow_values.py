"""Arrow columns as plain Python values, whatever a writer put into them.

Design: Arrow holds what Python cannot: moments before the year 1 and after 9999, durations of ten thousand years, zones
that no machine knows, strings that are not UTF-8. Asked for a whole column it raises at the first of them; here the
others are kept and such a value is None, like one that was never written.

Cost: that of `to_pylist`; a column that holds such a value is gone through twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

NOT_IN_PYTHON = (ValueError, OverflowError, KeyError, pa.ArrowException)
"""What `as_py` raises: UnicodeDecodeError among ValueErrors, unknown time zones as KeyError or ArrowInvalid."""


def python_values(column: Any) -> list[Any]:
    """The values of an array or chunked array; None in place of one that Python has no value for."""
    try:
        values: list[Any] = column.to_pylist()
    except NOT_IN_PYTHON:
        values = [_value(item) for item in column]
    return values


def python_rows(table: Any) -> list[Mapping[str, Any]]:
    """The rows of a table or record batch, by column name."""
    columns = [python_values(column) for column in table.columns]
    return [dict(zip(table.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except NOT_IN_PYTHON:
        return None
