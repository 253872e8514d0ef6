"""Reading small objects that must be there and be what they were written as, and saying so where they are not.

Design: stores raise `AbsentObjectError` (a KeyError that carries key and address), and everything that parses
JSON from a store goes through here, so that a damaged root ends in one message that names the object and what
can be done about it, never in a stack. `typed` holds every field of a record against the type its dataclass declares:
a number that somebody turned into a text is found where it is read, and not where it is added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from factory.errors import StoreError
from factory.store.base import AbsentObjectError, Store


def read_mapping(store: Store, key: str, required: Sequence[str] = ()) -> dict[str, Any]:
    """A JSON object. Raises AbsentObjectError where there is none, StoreError where it is no JSON object or lacks one
    of the `required` fields."""
    return mapping_in(store.get(key), store.uri, key, required)


def mapping_in(data: bytes, uri: str, key: str, required: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON object that the bytes of `key` hold. Raises StoreError as `read_mapping` does."""
    value = _parsed(data, uri, key)
    if not isinstance(value, dict):
        raise damaged(uri, key, f"it holds a {type(value).__name__} where an object belongs")
    missing = [name for name in required if name not in value]
    if missing:
        raise damaged(uri, key, f"it lacks {', '.join(missing)}")
    return value


def read_mappings(store: Store, key: str) -> list[dict[str, Any]]:
    """A JSON list of objects. Raises as `read_mapping` does."""
    return mappings_in(store.get(key), store.uri, key)


def mappings_in(data: bytes, uri: str, key: str) -> list[dict[str, Any]]:
    """The JSON list of objects that the bytes of `key` hold. Raises StoreError as `read_mapping` does."""
    value = _parsed(data, uri, key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise damaged(uri, key, "it does not hold a list of objects")
    return value


def names_below(store: Store, prefix: str) -> list[str]:
    """Names of the JSON objects right below `prefix`, without their ending, sorted."""
    keys = (info.key.removeprefix(prefix) for info in store.list(prefix))
    return sorted(key.removesuffix(".json") for key in keys if key.endswith(".json") and "/" not in key)


Kind = TypeVar("Kind")


def typed(kind: type[Kind], value: Any) -> Kind:
    """Parsed JSON as the dataclass `kind`; fields it does not know are left out. Raises ValueError naming the first
    field that is missing or not of its declared type."""
    try:
        # As JSON, where strict types still take a list for a tuple and an object for a dataclass.
        declared: Any = kind
        found: Kind = _adapter(declared).validate_json(orjson.dumps(value), strict=True)
        return found
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(f"{place}: {first['msg']}") from None


def typed_in(kind: type[Kind], value: Any, uri: str, key: str) -> Kind:
    """As `typed`, of what the object `key` holds. Raises StoreError."""
    try:
        return typed(kind, value)
    except ValueError as error:
        raise damaged(uri, key, str(error)) from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def damaged(uri: str, key: str, why: str) -> StoreError:
    return StoreError(
        f"{key} in {uri} cannot be read: {why}",
        cause="the object was cut short or changed after it was written",
        remedy=how_to_restore(key),
    )


def absent(error: AbsentObjectError) -> StoreError:
    """What to tell a user when an object that must be there is not."""
    inner = getattr(error, "cause", None)  # raised on a worker, Ray wraps it
    found = inner if isinstance(inner, AbsentObjectError) else error
    return StoreError(
        f"{found.key} is not in {found.uri}",
        cause="it was removed after it was written, or only a part of the folder was copied here",
        remedy=how_to_restore(found.key),
    )


def how_to_restore(key: str) -> str:
    """What can be done about an object that is gone or damaged, by what it is."""
    parts = key.split("/")
    if parts[0] == "runs" and len(parts) > 1:
        run = parts[1].removesuffix(".json")
        return (
            f"move runs/{run}.json and the folder runs/{run}/ away and run the same command again: "
            "both are written anew from what the steps have committed"
        )
    if parts[0] == "steps" and len(parts) > 1:
        folder = f"steps/{parts[1]}"
        if parts[2:3] == ["commits"] and parts[-1].endswith(".parquet"):
            return f"delete {key}: it is a copy of commits, which are read one by one until they are folded again"
        if parts[2:3] == ["attempts"]:
            return f"delete {key}: it says what an attempt was going to cost, and nothing else needs it"
        if parts[2:] == ["step.json"] or parts[2:3] == ["plans"]:
            done = f"runs/*/{parts[1].rpartition('-')[0]}.done.json"
            return (
                f"restore {folder}/ from a copy of the root; where nothing else of it is lost, delete {key} and {done} "
                "and start the run again: both are written anew"
            )
        unit = None
        if parts[2:3] == ["commits"]:  # steps/<folder>/commits/<xx>/<unit>.json
            unit = parts[-1].removesuffix(".json")
        elif len(parts) == 4:  # steps/<folder>/data/<unit>.<attempt>.<part>.parquet
            unit = parts[3].split(".")[0]
        commits = f"{folder}/commits/{unit[:2]}/{unit}.json" if unit else f"{folder}/commits/"
        return (
            f"restore {folder}/ from a copy of the root, or delete {commits} and start the run again; "
            "`factory verify` on a dataset names what it lost"
        )
    if parts[0] == "sweeps":
        return f"delete {key}: the sweep's command writes it anew, and the runs of its points are not touched"
    if parts[:2] == ["curate", "index"]:
        return (
            "restore it from a copy; or take the datasets concerned off the list (`factory index list` and `remove`) "
            "and add them again (`factory index add`)"
        )
    return "restore it from a copy; `factory verify` on the dataset names everything that is affected"


def _parsed(data: bytes, uri: str, key: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        why = "it is empty" if not data else f"it is no JSON ({error})"
        raise damaged(uri, key, why) from None
