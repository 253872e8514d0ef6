"""What a CycloneDX document of ours says of a dataset, read back from its bytes."""

from __future__ import annotations

from typing import Any

import orjson

from factory.govern.claims import Claims
from factory.govern.json_document import need, parsed

PREFIX = "factory:"
"""Begins the names of our own properties."""

Component = dict[str, Any]


def cyclonedx_claims(data: bytes) -> Claims:
    """Raises ValueError naming what is missing."""
    body = parsed(data)
    dataset, components = need(body, "metadata", "component"), need(body, "components")
    figures = _told(dataset)
    models = [item for item in components if item.get("type") == "machine-learning-model"]
    sources = [item for item in components if item.get("type") == "data"]
    workflow = need(body, "formulation", 0, "workflows", 0)
    return Claims(
        name=need(dataset, "name"),
        version=need(dataset, "version"),
        created=need(body, "metadata", "timestamp"),
        run=need(workflow, "uid"),
        digest=need(figures, "digest"),
        rows=need(figures, "rows"),
        splits=need(figures, "splits"),
        bytes=need(figures, "bytes"),
        files={need(x, "name"): need(x, "hashes", 0, "content") for x in components if x.get("type") == "file"},
        licenses=frozenset({need(dataset, "licenses", 0, "expression")}),
        source_licenses=frozenset(need(source, "licenses", 0, "expression") for source in sources),
        models=frozenset((need(model, "name"), need(model, "version")) for model in models),
        model_licenses=frozenset((need(model, "name"), need(model, "licenses", 0, "expression")) for model in models),
        languages=frozenset(need(figures, "languages")),
        steps=frozenset(need(task, "uid") for task in need(workflow, "tasks")),
        prompts=frozenset(need(figures, "prompts")),
        gates=need(figures, "gates"),
        synthetic=need(figures, "synthetic"),
        updated=need(figures, "updated"),
        erased=need(figures, "erased"),
    )


def _told(component: Component) -> dict[str, Any]:
    """Our own properties, as values."""
    found: dict[str, Any] = {}
    for item in component.get("properties", ()):
        name, value = str(item.get("name", "")), item.get("value", "")
        try:
            found[name.removeprefix(PREFIX)] = orjson.loads(value)
        except orjson.JSONDecodeError:
            found[name.removeprefix(PREFIX)] = value
    return found
