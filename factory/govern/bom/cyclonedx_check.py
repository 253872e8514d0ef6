"""What a CycloneDX 1.7 document lacks: its own strict schema, references that lead nowhere, and ours of a data BOM.

Design: the schema is CycloneDX's own (factory/govern/schemas), which allows no property that it does not know, so the
check is what the project's own validators call strict. The schema cannot say that a reference must exist, nor that a
dataset needs a licence and a hash; that is asked here. jsonschema looks for equal items pair by pair (65 s for 10,000
files), so items are compared by their canonical JSON instead. Cost: 0.06 s for 100 files, 2.6 s for 10,000.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT7

from factory.govern.json_document import problems_in
from factory.govern.schemas import load_schema
from factory.identity import canonical_json

FOLDER = "cyclonedx"
SCHEMA = "bom-1.7.SNAPSHOT.schema.json"
BESIDE = ("spdx.SNAPSHOT.schema.json", "cryptography-defs.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
BASE = "http://cyclonedx.org/schema/"

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "machine-learning-model": ("bom-ref", "version", "licenses", "modelCard"),
    "data": ("bom-ref", "licenses", "data"),
    "file": ("bom-ref", "hashes"),
}
"""Type of a component -> what one must say here that the schema leaves open."""

OF_THE_DATASET = ("bom-ref", "version", "licenses", "hashes", "data", "pedigree")
OF_THE_DOCUMENT = ("serialNumber", "metadata", "components", "formulation")
REFERRING = ("ref", "dependsOn", "process", "attributedTo")


def cyclonedx_problems(data: bytes) -> list[str]:
    """One line a fault; empty where there is none."""
    return problems_in(data, _problems)


def _problems(body: Mapping[str, Any]) -> list[str]:
    found = [
        f"{'.'.join(str(part) for part in error.absolute_path) or 'document'}: {str(error.message)[:300]}"
        for error in _validator().iter_errors(body)
    ]
    return sorted(found) if found else [*_lacking(body), *_references(body)]


def _unique(validator: Any, asked: bool, items: Any, schema: Any) -> Iterator[ValidationError]:
    if asked and isinstance(items, list) and len({canonical_json(item) for item in items}) < len(items):
        yield ValidationError("two of its items are the same")


@lru_cache(maxsize=1)
def _validator() -> Any:
    beside = [(BASE + name, DRAFT7.create_resource(load_schema(f"{FOLDER}/{name}"))) for name in BESIDE]
    registry: Registry[Any] = Registry().with_resources(beside)
    kind = extend(Draft7Validator, {"uniqueItems": _unique})
    return kind(load_schema(f"{FOLDER}/{SCHEMA}"), registry=registry, format_checker=Draft7Validator.FORMAT_CHECKER)


def _lacking(body: Mapping[str, Any]) -> Iterator[str]:
    for name in OF_THE_DOCUMENT:
        if not body.get(name):
            yield f"document: {name} is missing"
    metadata = body.get("metadata", {})
    if not metadata.get("timestamp"):
        yield "metadata: timestamp is missing"
    dataset = metadata.get("component", {})
    if dataset.get("type") != "data":
        yield "metadata.component: it is no component of type data"
    asked: list[tuple[str, Any, tuple[str, ...]]] = [("metadata.component", dataset, OF_THE_DATASET)]
    for number, component in enumerate(body.get("components", ())):
        asked.append((f"components.{number}", component, REQUIRED.get(component["type"], ())))
    for where, component, names in asked:
        for name in names:
            if not component.get(name):
                yield f"{where}: {name} is missing"


def _references(body: Mapping[str, Any]) -> Iterator[str]:
    names: Counter[str] = Counter()
    used: set[str] = set()
    for mapping in _mappings(body):
        if isinstance(mapping.get("bom-ref"), str):
            names[mapping["bom-ref"]] += 1
        for key in REFERRING:
            value = mapping.get(key, ())
            used.update([value] if isinstance(value, str) else value)
    for name, count in sorted(names.items()):
        if count > 1:
            yield f"bom-ref {name} names {count} things"
    for name in sorted(used - set(names)):
        if not name.startswith("urn:cdx:"):
            yield f"a reference names {name}, which is not there"


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for item in value.values():
            yield from _mappings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _mappings(item)
