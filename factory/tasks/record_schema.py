"""The user's JSON schema of one record: read, checked, and made fit to stand inside a reply's schema.

Design: draft 2020-12, strictly: a record is an object, its properties are the columns of a table, and unknown ones are
refused even where the schema does not say so. Definitions move to the root of whatever schema the record stands in, so
that `#/$defs/…` means the same there. What a schema asks beyond what an engine's decoder enforces is checked behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from factory.errors import ConfigError
from factory.identity import fingerprint

DEFINITIONS = "$defs"
PREFIX = f"#/{DEFINITIONS}/"
LONGEST = 20_000
"""Characters of a schema: it stands in every answer's prompt."""


@dataclass(frozen=True)
class RecordSchema:
    """`text` is JSON in one line, with the properties in the user's order."""

    text: str

    @cached_property
    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.text)
        return found

    @property
    def schema_id(self) -> str:
        return fingerprint(self.schema)

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return Draft202012Validator(self.schema, format_checker=Draft202012Validator.FORMAT_CHECKER)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.schema["properties"])

    def problems(self, record: Any) -> list[str]:
        """What is wrong with a record, each with its place; empty for a valid one."""
        try:
            return [
                f"{'.'.join(map(str, error.absolute_path)) or 'the record'}: {error.message[:200]}"
                for error in self._validator.iter_errors(record)
            ]
        except (ArithmeticError, RecursionError) as error:  # a multipleOf of 1e-320, a record nested without end
            return [f"the record: it cannot be checked: {type(error).__name__}"]

    def inside(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The schema without its definitions, and the definitions, which belong to the root of the schema around."""
        own = {key: value for key, value in self.schema.items() if key not in (DEFINITIONS, "$schema", "$id")}
        return own, dict(self.schema.get(DEFINITIONS, {}))


def read_record_schema(path: str) -> RecordSchema:
    """Raises ConfigError where the file is no JSON schema of an object."""
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise _unusable(path, f"it cannot be read: {error.strerror}", "a misspelt path") from None
    return record_schema(data, path)


def record_schema(data: bytes, path: str) -> RecordSchema:
    """The schema in `data`. Raises ConfigError."""
    try:
        schema = orjson.loads(data)
    except ValueError as error:
        raise _unusable(path, f"it is no JSON: {error}", "a slip in the file") from None
    if not isinstance(schema, dict):
        raise _unusable(path, "it is no object", "a slip in the file")
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict) or not properties:
        raise _unusable(path, "it describes no object with properties", "a record is a row; its properties are columns")
    definitions = schema.get(DEFINITIONS, {})
    if not isinstance(definitions, dict):
        raise _unusable(path, f"its {DEFINITIONS} are no object", "a slip in the file")
    for target in _references(schema):
        if target.removeprefix(PREFIX) not in definitions or not target.startswith(PREFIX):
            raise _unusable(path, f"the reference {target!r} leads elsewhere", f"references are {PREFIX}NAME")
    if name := _recursive(definitions):
        raise _unusable(path, f"{PREFIX}{name} leads back to itself", "a record is a row; its values end somewhere")
    schema = {"additionalProperties": False, "required": list(properties), **schema}
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise _unusable(path, f"it is no JSON schema: {error.message[:200]}", "a slip in the file") from None
    text = orjson.dumps(schema).decode()
    if len(text) > LONGEST:
        raise _unusable(path, f"it has {len(text):,} characters", f"at most {LONGEST:,} fit into prompts")
    return RecordSchema(text)


def _references(value: Any) -> Iterator[str]:
    """Every reference in a schema, wherever it stands."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("$ref", "$dynamicRef", "$recursiveRef"):
                yield str(item)
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _recursive(definitions: Mapping[str, Any]) -> str | None:
    """A definition that refers to itself, straight or through others."""
    leads = {
        name: {target.removeprefix(PREFIX) for target in _references(found)} for name, found in definitions.items()
    }
    for name, found in leads.items():
        reached, left = set(found), list(found)
        while left:
            new = leads.get(left.pop(), set()) - reached
            reached |= new
            left.extend(new)
        if name in reached:
            return name
    return None


def _unusable(path: str, what: str, cause: str) -> ConfigError:
    return ConfigError(
        f"tasks.records.schema_file={path}: {what}",
        cause=cause,
        remedy='give the JSON schema (draft 2020-12) of one record: {"type": "object", "properties": {…}}; '
        "docs/tasks.md has one",
    )
