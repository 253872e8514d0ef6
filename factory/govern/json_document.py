"""How documents of the bundle are written and read where they are JSON.

Design: sorted keys and two spaces, so that the same facts make the same bytes and a person can compare two documents.
Whoever reads one back gets ValueError with the path of what is missing: the bytes may have been edited by anybody.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson

from factory.identity import canonical_json

NOT_STATED = "not stated"
"""What a document says where the publisher has said nothing and the form asks for something."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:corpus-factory:dataset")


def document_bytes(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def document_uuid(digest: str, kind: str) -> str:
    """The same for the same dataset, by the digest of its manifest, and the same kind of document."""
    return str(uuid.uuid5(_NAMESPACE, f"{digest}/{kind}"))


def parsed(data: bytes) -> dict[str, Any]:
    """Raises ValueError where the bytes are no JSON object."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError("not a JSON object")
    return body


def problems_in(data: bytes, look: Callable[[dict[str, Any]], list[str]]) -> list[str]:
    """What `look` finds wrong with the document that `data` holds; what is no document of ours is told as well."""
    try:
        with in_our_form():
            return look(parsed(data))
    except ValueError as error:
        return [str(error)]


def in_words(value: Any) -> str:
    """A value where the form wants a text: what is none is canonical JSON."""
    return value if isinstance(value, str) else canonical_json(value).decode()


def need(body: Any, *path: str | int) -> Any:
    """The value at a path of keys and places. Raises ValueError naming the path where there is none."""
    value = body
    for place, key in enumerate(path):
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            where = ".".join(str(part) for part in path[: place + 1])
            raise ValueError(f"{where} is missing") from None
    return value


def zulu(moment: str) -> str:
    """An ISO 8601 time in UTC as SPDX and CycloneDX write it: ending in Z."""
    return f"{moment.removesuffix('+00:00').removesuffix('Z').split('.')[0]}Z"


@contextmanager
def in_our_form() -> Iterator[None]:
    """Makes ValueError of what an edited document does to code that reads it: a list where a mapping was, and the
    like."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing") from None
    except (AttributeError, IndexError, TypeError, RecursionError) as error:
        raise ValueError(f"the document has another form than it was written in: {error}") from None
