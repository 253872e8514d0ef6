"""What an SPDX 3.0.1 document lacks: its classes' schemas, the profiles it claims, and references that lead nowhere.

Design: every element is held against the schema of its own class, so that a message names the element and the property.
What a profile adds to a class (the dataset profile wants a release time, the AI profile a supplier) stands in no schema
of SPDX and so is listed here, from the model's class pages. Cost: about 0.1 ms an element.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from factory.govern.json_document import problems_in
from factory.govern.schemas import load_schema

SCHEMA = "spdx-3.0.1.schema.json"

PROFILES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "dataset": (
        "dataset_DatasetPackage",
        ("builtTime", "originatedBy", "releaseTime", "software_downloadLocation", "software_primaryPurpose"),
    ),
    "ai": (
        "ai_AIPackage",
        (
            "releaseTime",
            "suppliedBy",
            "software_downloadLocation",
            "software_packageVersion",
            "software_primaryPurpose",
        ),
    ),
}
"""Profile -> class and the properties that it requires beyond the class's own."""

AGENTS = ("Agent", "Organization", "SoftwareAgent")
LICENCES = ("simplelicensing_LicenseExpression",)
REFERS: Mapping[str, tuple[str, ...]] = {
    "createdBy": AGENTS,
    "createdUsing": ("Tool",),
    "originatedBy": AGENTS,
    "suppliedBy": AGENTS,
}
"""Property -> what it may name."""

RELATES: Mapping[str, tuple[str, ...]] = {
    "hasDeclaredLicense": LICENCES,
    "hasConcludedLicense": LICENCES,
    "hasDataFile": ("software_File",),
}
"""Type of a relationship -> what it may lead to."""

REFERENCE = {"type": "string", "pattern": "^.+:.+"}
"""How the schema writes the id of an element."""

OWN_IDS = ("spdxId", "@id")


def spdx_problems(data: bytes) -> list[str]:
    """One line a fault, in the order of the document; empty where there is none."""
    return problems_in(data, _problems)


def _problems(body: Mapping[str, Any]) -> list[str]:
    outer = [_worded("", error) for error in _validator(None).iter_errors(body)]
    if outer:
        return sorted(outer)
    graph = body["@graph"]
    return [*_elements(graph), *_profiles(graph), *_references(graph), *_kinds(graph)]


@lru_cache(maxsize=64)
def _validator(kind: str | None) -> Draft202012Validator:
    """For elements of a class; for the document around them where there is no class."""
    schema = load_schema(SCHEMA)
    if kind is None:
        return Draft202012Validator(schema)
    return Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]})


def _elements(graph: list[Any]) -> Iterator[str]:
    for element in graph:
        for error in _validator(element["type"]).iter_errors(element):
            yield _worded(_named(element), error)


def _named(element: Mapping[str, Any]) -> str:
    identifier = str(element.get("spdxId", element.get("@id", "")))
    return f"{element['type']} {identifier.rpartition('#')[2] or identifier}"


def _worded(where: str, error: Any) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    return ": ".join(part for part in (where, path, str(error.message)[:300]) if part)


def _profiles(graph: list[Any]) -> Iterator[str]:
    claimed = {name for element in graph for name in element.get("profileConformance", ())}
    for profile, (kind, required) in PROFILES.items():
        for element in graph:
            if profile in claimed and element["type"] == kind:
                for name in required:
                    if not element.get(name):
                        yield f"{_named(element)}: the {profile} profile requires {name}"
    if not any(element["type"] == "SpdxDocument" for element in graph):
        yield "there is no SpdxDocument"


def _references(graph: list[Any]) -> Iterator[str]:
    ids = [element.get("spdxId", element.get("@id")) for element in graph]
    for identifier, count in Counter(ids).items():
        if count > 1:
            yield f"{identifier} names {count} elements"
    known = set(ids)
    for element in graph:
        for name in sorted(_referring(element["type"]) & element.keys()):
            for target in element[name] if isinstance(element[name], list) else [element[name]]:
                if target not in known:
                    yield f"{_named(element)}: {name} names {target}, which is not there"


@lru_cache(maxsize=64)
def _referring(kind: str) -> frozenset[str]:
    """Properties of a class that name other elements."""
    properties = load_schema(SCHEMA)["$defs"][kind]["properties"]
    return frozenset(
        name for name, value in properties.items() if REFERENCE in (value, value.get("items")) and name not in OWN_IDS
    )


def _kinds(graph: list[Any]) -> Iterator[str]:
    """References to something of another kind than they may name."""
    kinds = {element.get("spdxId"): element["type"] for element in graph}
    for element in graph:
        asked = [(name, allowed, element.get(name, ())) for name, allowed in REFERS.items()]
        relation = str(element.get("relationshipType"))
        if relation in RELATES:
            asked.append((relation, RELATES[relation], element.get("to", ())))
        for name, allowed, targets in asked:
            for target in targets if isinstance(targets, list) else [targets] if targets else ():
                if kinds.get(target, allowed[0]) not in allowed:
                    yield f"{_named(element)}: {name} names a {kinds[target]}, not a {' or '.join(allowed)}"
