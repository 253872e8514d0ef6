"""Values that cross between two processes by content: numbers, dates and the like, and names of harmless classes.

Standard library alone: it runs in sandboxes.
"""

from __future__ import annotations

import base64
import builtins
import collections
import datetime
import decimal
import fractions
import functools
import json
import sys
import types
from typing import Any

CONTAINERS: dict[type, str] = {
    list: "list",
    dict: "dict",
    set: "set",
    bytearray: "bytearray",
    collections.deque: "deque",
    collections.OrderedDict: "OrderedDict",
    collections.Counter: "Counter",
    collections.defaultdict: "defaultdict",
}

SAFE_CLASSES: dict[str, type] = {
    f"{kind.__module__}.{kind.__qualname__}": kind
    for kind in (
        *(bool, int, float, complex, str, bytes, tuple, frozenset, range, object, slice),
        *CONTAINERS,
        *(decimal.Decimal, fractions.Fraction, json.JSONDecodeError),
        *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone),
        *(each for each in vars(builtins).values() if isinstance(each, type) and issubclass(each, BaseException)),
    )
}
"""What either side may name to the other: making one of these from anybody's data does no harm."""

PREDICATES = frozenset(
    name
    for kind in (str, bytes, set, float, int)
    for name in dir(kind)
    if name.startswith("is") or name in ("startswith", "endswith")
)
"""Methods by which built-in types compare; an object that has them could stand for one."""

_CONSTANTS = {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}


def is_safe(kind: type) -> bool:
    return SAFE_CLASSES.get(f"{kind.__module__}.{kind.__qualname__}") is kind


def in_library(value: Any) -> tuple[str, str] | None:
    """Module and name of a function or method of the standard library."""
    if not isinstance(value, types.BuiltinFunctionType | types.FunctionType | types.MethodDescriptorType):
        return None
    module = getattr(getattr(value, "__objclass__", value), "__module__", None) or ""
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return None
    try:
        found: Any = functools.reduce(getattr, value.__qualname__.split("."), sys.modules[module])
    except (AttributeError, KeyError):
        return None
    return (module, value.__qualname__) if found is value else None


def plain(value: Any) -> list[Any] | None:
    kind = type(value)
    if kind is bytes:
        return ["bytes", base64.b64encode(value).decode()]
    if kind is complex:
        return ["complex", value.real, value.imag]
    if kind is fractions.Fraction:
        return ["Fraction", hex(value.numerator), hex(value.denominator)]
    if kind is decimal.Decimal:
        return ["Decimal", str(value)]
    if kind is datetime.date or (kind in (datetime.datetime, datetime.time) and _zone_is_plain(value)):
        return [kind.__name__, value.isoformat()]
    if kind is datetime.timedelta:
        return ["timedelta", value.days, value.seconds, value.microseconds]
    return next((["constant", name] for name, constant in _CONSTANTS.items() if value is constant), None)


def _zone_is_plain(value: datetime.datetime | datetime.time) -> bool:
    return value.tzinfo is None or type(value.tzinfo) is datetime.timezone


def from_plain(tag: str, rest: list[Any]) -> Any:
    if tag == "int":
        return int(rest[0], 16)
    if tag == "bytes":
        return base64.b64decode(rest[0])
    if tag == "complex":
        return complex(*rest)
    if tag == "Fraction":
        return fractions.Fraction(int(rest[0], 16), int(rest[1], 16))
    if tag == "Decimal":
        return decimal.Decimal(rest[0])
    if tag in ("date", "datetime", "time"):
        return getattr(datetime, tag).fromisoformat(rest[0])
    if tag == "timedelta":
        return datetime.timedelta(*rest)
    if tag == "constant":
        return _CONSTANTS[rest[0]]
    raise ValueError(f"a value of no known kind: {str(tag)[:40]}")
