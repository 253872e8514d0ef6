"""What every section of the configuration has in common: strict types, frozen, unknown keys refused by name."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from factory.credentials import refuse_credentials
from factory.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Schema = TypeVar("Schema", bound=Section)


KEYS_LISTED = "`factory config` prints every key, its bounds and its default"


def checked(schema: type[Schema], values: Mapping[str, Any], remedy: str = KEYS_LISTED) -> Schema:
    """Composed values as a configuration. Raises ConfigError naming every bad key by its path, with a suggestion;
    `remedy` says where the schema's keys are listed."""
    refuse_credentials(values)  # first: what follows quotes values
    try:
        accepted = schema.model_validate(_tuples(dict(values)))
    except ValidationError as error:
        found = error.errors()
        # A list whose items are all wrong is also called too short by pydantic; that says nothing of its own.
        wrong = {item["loc"][: place + 1] for item in found for place in range(len(item["loc"]) - 1)}
        told = [item for item in found if not (item["type"] == "too_short" and item["loc"] in wrong)]
        problems = [_explain(schema, item) for item in told]
        raise ConfigError(
            "the configuration is not usable:\n" + "\n".join(f"  - {problem}" for problem in problems),
            remedy=remedy,
        ) from None
    if unfit := list(_unfit(values, "")):
        raise ConfigError(
            "the configuration is not usable:\n" + "\n".join(f"  - {problem}" for problem in unfit), remedy=remedy
        )
    return accepted


def _unfit(value: Any, path: str) -> Iterator[str]:
    """What no type refuses and no record of a run could hold: half a character (an argument that was not UTF-8), a
    number of more than 64 bits, what is neither text, number, list nor section."""
    inner = f"{path}." if path else ""
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = str(key)
            yield from _unfit(name, f"{inner}{_printable(name)}")
            yield from _unfit(item, f"{inner}{_printable(name)}")
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _unfit(item, f"{inner}{place}")
    elif isinstance(value, str):
        if _printable(value) != value:
            yield f"{path}: {_printable(value)[:SHOWN]} is not UTF-8"
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            yield f"{path}: a number of more than 64 bits"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"{path}: {value} is no finite number"
    elif value is not None:
        yield f"{path}: a {type(value).__name__} is no value here"


def _printable(text: str) -> str:
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


SHOWN = 200
"""Characters of a value that is given back in a message."""


def _tuples(value: Any) -> Any:
    """YAML knows lists only; the frozen schema wants tuples."""
    if isinstance(value, Mapping):
        return {str(key): _tuples(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    return value


def _explain(schema: type[Section], item: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = _known_keys(schema, tuple(item["loc"][:-1]))
        near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"; did you mean `{near[0]}`?" if near else f"; known here: {', '.join(sorted(known))}"
        return f"{path}: unknown key{hint}"
    message = item["msg"].removeprefix("Value error, ")
    given = item.get("input")
    unsaid = isinstance(given, dict | tuple) or item["type"] == "missing" or path.endswith("api_key_env")
    shown = "" if unsaid else f" (given: {_said(given)})"
    return f"{path}: {message}{shown}" if path else message


def _said(given: Any) -> str:
    try:
        said = _printable(repr(given))
    except ValueError:  # Python writes no number of more than 4,300 digits
        return f"a {type(given).__name__} too long to be written"
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}…"


def _known_keys(schema: type[Section], path: tuple[str | int, ...]) -> list[str]:
    """Keys of the section at `path`; numbers in it are places in a list of sections."""
    model: Any = schema
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        if field is None:
            return []
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((kind for kind in candidates if hasattr(kind, "model_fields")), None)
        if model is None:
            return []
    return list(model.model_fields)
