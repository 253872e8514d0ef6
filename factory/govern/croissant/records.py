"""Record sets: what a row of the dataset is, column by column, and which splits there are.

Design: one FileSet over all shards, so that a reader sees one set of rows with a split each. Nested columns become
sub-fields, each read from its column by a JSONPath, which a reader applies to each item of a list. Types are the atomic
ones of schema.org, with the Arrow type in the description.
"""

from __future__ import annotations

from typing import Any

from factory.govern.columns import Column, columns_of
from factory.govern.croissant.wording import COLUMNS
from factory.govern.facts import Facts

ROWS, SPLITS, SHARDS = "samples", "splits", "shards"
CARDINALITY = "wd:Q4049983"
SPLIT_TERMS = {"train": "cr:TrainingSplit", "validation": "cr:ValidationSplit", "test": "cr:TestSplit"}

ATTRIBUTED = {"question": "question_model", "answer": "answer_model"}
"""Column -> the column that names, row by row, which model wrote it."""


def data_type(kind: str) -> str:
    """An Arrow type as Croissant has it."""
    if kind == "bool":
        return "sc:Boolean"
    if kind.startswith(("int", "uint")):
        return "sc:Integer"
    if kind in ("double", "float", "halffloat"):
        return "sc:Float"
    return "sc:Text"


def record_sets(facts: Facts) -> list[dict[str, Any]]:
    return [_splits(facts), _rows(facts)]


def _splits(facts: Facts) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": SPLITS,
        "name": SPLITS,
        "description": "Splits by document: no document has rows in two of them.",
        "dataType": "cr:Split",
        "key": {"@id": f"{SPLITS}/name"},
        "field": [
            _plain(f"{SPLITS}/name", "name", "Name of the split.", "sc:Text"),
            _plain(f"{SPLITS}/url", "url", "What it is for.", ["sc:URL", "cr:Split"]),
            _plain(f"{SPLITS}/rows", "rows", "Rows in it.", "sc:Integer"),
        ],
        "data": [
            {f"{SPLITS}/name": split.name, f"{SPLITS}/url": SPLIT_TERMS[split.name], f"{SPLITS}/rows": split.rows}
            for split in facts.splits
        ],
    }


def _plain(place: str, name: str, description: str, kind: str | list[str]) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": place, "name": name, "description": description, "dataType": kind}


def _rows(facts: Facts) -> dict[str, Any]:
    """The rows. The pattern of the split takes its own outcome too, since mlcroissant applies it in the join with the
    splits and again in reading; and it is built so that mlcroissant can make a glob of it for `filters`."""
    names = "|".join(split.name for split in facts.splits)
    split = {
        **_plain(f"{ROWS}/split", "split", "The split that the row is in, by the name of its file.", "sc:Text"),
        "source": {
            "fileSet": {"@id": SHARDS},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": f"(?:data/)?({names})(?:-.+parquet)?$"},
        },
        "references": {"field": {"@id": f"{SPLITS}/name"}},
    }
    return {
        "@type": "cr:RecordSet",
        "@id": ROWS,
        "name": ROWS,
        "description": "Question-answer pairs, each with the documents, prompts, requests and models behind it.",
        "key": {"@id": f"{ROWS}/sample_id"},
        "field": [split, *(_field(column) for column in columns_of(facts.columns))],
        "annotation": [
            {
                "@type": "cr:Field",
                "@id": f"{ROWS}/count",
                "name": "count",
                "description": "Rows of all splits.",
                "dataType": ["sc:Integer", CARDINALITY],
                "value": facts.rows,
            }
        ],
    }


def _field(column: Column) -> dict[str, Any]:
    place = f"{ROWS}/{column.name}"
    own = _nested(column, place, column.name, ())
    beyond = [inner.name for inner in column.fields if not _reachable(inner)]
    left_out = f" Not described here: {', '.join(beyond)}, a list inside a struct." if beyond else ""
    own["description"] = f"{COLUMNS.get(column.name, '')} Arrow type: {_arrow(column)}.{left_out}".strip()
    if column.name in ATTRIBUTED:
        own["annotation"] = {
            **_plain(f"{place}/generator", "generator", "The model that wrote it.", ["sc:Text", "prov:SoftwareAgent"]),
            "equivalentProperty": "prov:wasAttributedTo",
            "source": _source(ATTRIBUTED[column.name], ()),
        }
    return own


def _nested(column: Column, place: str, top: str, path: tuple[str, ...]) -> dict[str, Any]:
    """A field at `path` inside the column `top`."""
    field: dict[str, Any] = {"@type": "cr:Field", "@id": place, "name": column.name}
    if column.fields:
        field["subField"] = [
            _nested(inner, f"{place}/{inner.name}", top, (*path, inner.name))
            for inner in column.fields
            if _reachable(inner)
        ]
    else:
        field["dataType"] = data_type(column.kind)
        field["source"] = _source(top, path)
    if column.lists:
        field |= {"isArray": True, "arrayShape": ",".join(["-1"] * column.lists)}
    return field


def _reachable(inner: Column) -> bool:
    """Whether a path leads to all of a field inside another: mlcroissant takes one JSONPath a field (several transforms
    have no order in JSON-LD) and of what that finds the first."""
    return not (inner.fields and inner.lists)


def _source(top: str, path: tuple[str, ...]) -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": SHARDS}, "extract": {"column": top}}
    return {**source, "transform": {"jsonPath": ".".join(path)}} if path else source


def _arrow(column: Column) -> str:
    inner = f"struct of {', '.join(field.name for field in column.fields)}" if column.fields else column.kind
    return "list of " * column.lists + inner
