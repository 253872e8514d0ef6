"""Standard-made classes that read our events: an opinion that is not ours.

`openlineage-python` has a class for every facet, generated from the published schemas by those who publish them.
"""

from __future__ import annotations

import importlib
import typing
from typing import Any, get_args, get_origin, get_type_hints

import attr

Event = dict[str, Any]


def taken(event: Event) -> Any:
    """The event as OpenLineage's own class. Raises TypeError or ValueError where a field is missing, is not known or
    does not hold what it should."""
    client = importlib.import_module("openlineage.client.event_v2")
    state = client.RunState(event["eventType"])
    return client.RunEvent(
        eventType=state,
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=client.Run(event["run"]["runId"], _facets(event["run"]["facets"])),
        job=client.Job(event["job"]["namespace"], event["job"]["name"], _facets(event["job"]["facets"])),
        inputs=[_dataset(client.InputDataset, table, "inputFacets") for table in event["inputs"]],
        outputs=[_dataset(client.OutputDataset, table, "outputFacets") for table in event["outputs"]],
    )


def _dataset(kind: Any, table: Event, own: str) -> Any:
    facets = {name: _facets(table.get(name, {})) for name in ("facets", own)}
    assert set(table) <= {"namespace", "name", "facets", own}
    return kind(table["namespace"], table["name"], **facets)


def _facets(found: Event) -> dict[str, Any]:
    return {key: _facet(value) for key, value in found.items()}


def _facet(value: Event) -> Any:
    """By the class that the facet's own schema URL names; the version has to be the one of that class."""
    name = value["_schemaURL"].rpartition("/")[2]
    kind = vars(importlib.import_module("openlineage.client.facet_v2"))
    found = next(getattr(module, name) for module in kind.values() if hasattr(module, name))
    assert found._get_schema() == value["_schemaURL"]
    return _built(found, {key: item for key, item in value.items() if not key.startswith("_")})


def _built(kind: Any, value: Any) -> Any:
    """`value` as `kind`, with what lies inside as the classes that the fields name."""
    if attr.has(kind):
        hints = get_type_hints(kind, {**vars(typing), **vars(importlib.import_module(kind.__module__))})
        return kind(**{key: _built(hints[key], item) for key, item in value.items()})
    choices = [each for each in get_args(kind) if each is not type(None)]
    if get_origin(kind) is list:
        return [_built(choices[0], item) for item in value]
    if get_origin(kind) is dict:
        return {key: _built(choices[1], item) for key, item in value.items()}
    if choices:
        return _built(choices[0], value)
    if kind is not Any:
        expected = (int, float) if kind is float else kind
        if not isinstance(value, expected):
            raise TypeError(f"{value!r} is no {kind}")
    return value
