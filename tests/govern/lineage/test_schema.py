"""The schema that we hold events against asks for all that OpenLineage's own classes ask for, and knows no other field.

The classes of openlineage-python are generated from the published schemas.
"""

from __future__ import annotations

import importlib
from typing import Any

import attr
import pytest

from factory.govern.lineage.check import validator
from factory.govern.lineage.names import FACETS, schema_url

SCHEMA: dict[str, Any] = dict(validator().schema)
GROUPS = ("runFacets", "jobFacets", "datasetFacets", "inputFacets", "outputFacets")


def _facets() -> list[tuple[str, str, Any]]:
    """Group, key in FACETS and schema of every facet that the schema knows."""
    found = []
    for group in GROUPS:
        for key, schema in SCHEMA["$defs"][group]["properties"].items():
            found.append((group, "run_tags" if (group, key) == ("runFacets", "tags") else key, schema))
    return found


def test_every_facet_that_we_write_is_in_the_schema_once() -> None:
    assert sorted(key for _, key, _ in _facets()) == sorted(FACETS)


@pytest.mark.parametrize(("group", "key", "schema"), _facets(), ids=[f"{group}-{key}" for group, key, _ in _facets()])
def test_a_facet_asks_for_what_its_class_asks_for(group: str, key: str, schema: Any) -> None:
    modules = vars(importlib.import_module("openlineage.client.facet_v2")).values()
    kind = next(getattr(module, FACETS[key][1]) for module in modules if hasattr(module, FACETS[key][1]))
    assert kind._get_schema() == schema_url(key)
    fields = {each.name: each for each in attr.fields(kind)}
    needed = {name for name, each in fields.items() if each.default is attr.NOTHING}
    assert needed <= set(schema["required"]), "required by the standard"
    assert set(schema["properties"]) <= set(fields), "known to the standard"
    assert {"_producer", "_schemaURL"} <= set(schema["required"])


def test_an_event_asks_for_what_its_class_asks_for() -> None:
    event = importlib.import_module("openlineage.client.event_v2")
    for kind, schema in ((event.RunEvent, SCHEMA), (event.Run, SCHEMA["properties"]["run"])):
        fields = {each.name: each for each in attr.fields(kind)}
        assert {name for name, each in fields.items() if each.default is attr.NOTHING} <= set(schema["required"])
        assert set(schema["properties"]) <= set(fields)
    assert SCHEMA["properties"]["schemaURL"]["const"] == event.RunEvent._get_schema()
