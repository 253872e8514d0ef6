"""Writes factory/govern/schemas/spdx-3.0.1.schema.json from SPDX's own bindings: `python -m tests.govern.spdx_schema`.

The official schema comes in no package; spdx-python-model (Apache-2.0) is generated from the same model and knows every
class, property, count, value and pattern. The file holds the classes that factory/govern/documents/spdx.py writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from spdx_python_model.bindings import v3_0_1 as model

import factory.govern

FILE = Path(factory.govern.__file__).parent / "schemas" / "spdx-3.0.1.schema.json"
CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
BLANK = ("CreationInfo", "DictionaryEntry", "ExternalIdentifier", "Hash")
NAMED = (
    "Agent", "Annotation", "Organization", "Relationship", "SoftwareAgent", "SpdxDocument", "Tool", "ai_AIPackage",
    "build_Build", "dataset_DatasetPackage", "simplelicensing_LicenseExpression", "software_File", "software_Package",
    "software_Sbom",
)  # fmt: skip
INLINE = ("DictionaryEntry", "ExternalIdentifier", "Hash")
REFERENCE = {"type": "string", "pattern": "^.+:.+"}


def schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "SPDX 3.0.1, the classes that this project writes; made from spdx-python-model (Apache-2.0), "
        "https://github.com/spdx/spdx-python-model, by tests/govern/spdx_schema.py. Do not edit.",
        "type": "object",
        "required": ["@context", "@graph"],
        "additionalProperties": False,
        "properties": {
            "@context": {"const": CONTEXT},
            "@graph": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": {"enum": sorted({*BLANK, *NAMED} - set(INLINE))}},
                },
            },
        },
        "$defs": {name: _class(name) for name in sorted((*BLANK, *NAMED))},
    }


def _class(name: str) -> dict[str, Any]:
    identifier = "@id" if name in BLANK else "spdxId"
    properties: dict[str, Any] = {"type": {"const": name}, identifier: {"type": "string", "pattern": "^.+:.+"}}
    required = ["type", *([] if name in BLANK else ["spdxId"])]
    for described in getattr(model, name)._OBJ_PY_PROPS.values():
        kind = described.prop or described.reg()  # the bindings look a kind up once and then keep it
        many = isinstance(kind, model.ListProp)
        value = _value(kind.prop if many else kind)
        if value is None or described.compact is None:
            continue
        if many:
            value = {"type": "array", "items": value, **({"minItems": 1} if described.min_count else {})}
        properties[described.compact] = value
        if described.min_count:
            required.append(described.compact)
    return {
        "type": "object",
        "required": sorted(required),
        "additionalProperties": False,
        "properties": dict(sorted(properties.items())),
    }


def _value(kind: Any) -> dict[str, Any] | None:
    if isinstance(kind, model.EnumProp):
        return {"enum": sorted(kind.compact(value) for value in kind.iri_values())}
    if isinstance(kind, model.ObjectProp):
        return {"$ref": f"#/$defs/{kind.cls.__name__}"} if kind.cls.__name__ in INLINE else _reference(kind)
    if isinstance(kind, model.IntegerProp):
        least = {model.PositiveIntegerProp: 1, model.NonNegativeIntegerProp: 0}.get(type(kind))
        return {"type": "integer", **({"minimum": least} if least is not None else {})}
    if isinstance(kind, model.BooleanProp):
        return {"type": "boolean"}
    if isinstance(kind, model.FloatProp):
        return {"type": "number"}
    return {"type": "string", **({"pattern": kind.pattern} if kind.pattern else {})}


def _reference(kind: Any) -> dict[str, Any] | None:
    """Integrity methods are written as hashes; what else is no element is not written at all."""
    if kind.cls.__name__ == "IntegrityMethod":
        return {"$ref": "#/$defs/Hash"}
    written = issubclass(kind.cls, model.Element) or kind.cls is model.CreationInfo
    return REFERENCE if written else None


def written() -> bytes:
    return orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    FILE.write_bytes(written())
