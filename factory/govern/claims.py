"""What one document of the bundle says of the dataset, read back from its bytes.

Design: every document can be read as well as written, and what comes back is compared with the facts, so the check
looks at finished bytes and not at the code that wrote them. A field is None where documents of that kind do not say it;
documents that name a thing in another form (a date for a time) give it back in the form that they have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError


@dataclass(frozen=True)
class Claims:
    """`files` maps paths below the dataset to SHA-256 in hexadecimal digits; `models` holds (model, revision),
    `model_licenses` (model, SPDX expression);
    `licenses` are SPDX expressions given to the dataset, `source_licenses` those of its sources; `created` is the time
    or date of publication as the document has it, `updated` of its last change; `steps` the step folders; `gates` name
    -> passed; `erased` erasure -> rows that it took out since."""

    name: str | None = None
    version: str | None = None
    created: str | None = None
    run: str | None = None
    digest: str | None = None
    rows: int | None = None
    splits: Mapping[str, int] | None = None
    bytes: int | None = None
    files: Mapping[str, str] | None = None
    licenses: frozenset[str] | None = None
    source_licenses: frozenset[str] | None = None
    models: frozenset[tuple[str, str]] | None = None
    model_licenses: frozenset[tuple[str, str]] | None = None
    languages: frozenset[str] | None = None
    steps: frozenset[str] | None = None
    prompts: frozenset[str] | None = None
    gates: Mapping[str, bool] | None = None
    synthetic: bool | None = None
    updated: str | None = None
    erased: Mapping[str, int] | None = None


def sound(claims: Claims) -> Claims:
    """The claims, if every field is of the type that it is declared with; whoever compares them need not ask. Raises
    ValueError naming the first that is not."""
    for name, declared in _declared().items():
        try:
            declared.validate_python(getattr(claims, name), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            raise ValueError(f"{name} is not what it should be: {first['msg']}") from None
    return claims


@cache
def _declared() -> dict[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(hint) for name, hint in get_type_hints(Claims).items()}
