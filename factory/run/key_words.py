"""Types and defaults of configuration keys in a user's words: `list of str | null`, not what Python prints.

Design: annotations are walked once; bounds are printed as comparisons, sections inside lists by their keys, defaults as
the YAML one would write. What this does not know it names by its class.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "at least", "max_length": "at most"}


def type_words(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """The type of a key, with the bounds that `metadata` (of pydantic or annotated_types) puts on it."""
    bounds = ", ".join(_bounds(metadata, _is_list(annotation)))
    return f"{_kind(annotation)} ({bounds})" if bounds else _kind(annotation)


def default_words(value: Any) -> str:
    """A default as YAML has it."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is NoneType:
        return "null"
    if origin is Annotated:
        return type_words(arguments[0], arguments[1:])
    if origin is Literal:
        return " | ".join(str(value) for value in arguments)
    if origin in (Union, UnionType):
        return " | ".join(_kind(each) for each in arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"list of {_kind(arguments[0])}"
    if origin is tuple:
        return f"[{', '.join(_kind(each) for each in arguments)}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {_kind(arguments[0])} to {_kind(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "{" + ", ".join(annotation.model_fields) + "}"
    return getattr(annotation, "__name__", str(annotation))


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple


def _bounds(metadata: Sequence[Any], counted: bool) -> list[str]:
    found: list[str] = []
    for item in metadata:
        if isinstance(item, FieldInfo):
            found += _bounds(item.metadata, counted)
            continue
        for name, words in BOUNDS.items():
            value = getattr(item, name, None)
            if value is not None:
                unit = "" if not name.endswith("length") else " items" if counted else " characters"
                found.append(f"{words} {value}{unit}")
        pattern = getattr(item, "pattern", None)
        if pattern is not None:
            found.append(f"like {pattern}")
    return found
