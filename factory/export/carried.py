"""What goes along with every exported row: its id, what is known of its quality, its licence, and who wrote it.

Design: the columns of the published row under their own names, after those that a trainer reads, which ignores them.
Nothing is put into text (govern/documents/markers.py says why); what marks machine-made data stands in columns, in the
files' key-value metadata and in the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from factory.export.recipe import EXPORT_VERSION, Recipe
from factory.export.source import Source
from factory.licences.expression import combine
from factory.publish.samples import ATTRIBUTIONS, DIGITAL_SOURCE_TYPE

CARRIED = (
    "sample_id", "task", "task_data", "tags", "level", "edu_level", "subject", "part", "role", "stratum", "agreement",
    "verified", "verified_by", "grounded_share", "judge_score", "license", "licenses", "duties", "attribution",
    "doc_ids", "synthetic", "digital_source_type", "question_model", "question_model_revision", "answer_model",
    "answer_model_revision",
)  # fmt: skip

MARKERS = ("synthetic", "digital_source_type")
"""What every row of every form has: that a machine wrote it (of a mix: whether)."""


def carried_columns(source: Source) -> list[str]:
    """Those of CARRIED that rows of this dataset have."""
    return [name for name in CARRIED if name in source.schema.names]


def carried_fields(source: Source) -> list[pa.Field]:
    return [source.schema.field(name) for name in carried_columns(source)]


def with_carried(source: Source, columns: Mapping[str, tuple[Any, pa.DataType]], rows: pa.Table) -> pa.Table:
    """A table of new columns (values, type) and, behind them, what goes along of `rows`, one for one."""
    own = {name: pa.array(values, kind) for name, (values, kind) in columns.items()}
    fields = [pa.field(name, kind) for name, (_, kind) in columns.items()] + carried_fields(source)
    beside = [rows.column(field.name).combine_chunks() for field in carried_fields(source)]
    return pa.table([*own.values(), *beside], schema=pa.schema(fields))


MELTED = pa.schema(
    [
        ("sample_ids", pa.list_(pa.string())),
        ("doc_ids", pa.list_(pa.string())),
        ("license", pa.string()),  # of all its rows, combined
        ("licenses", pa.list_(pa.string())),
        ("duties", pa.list_(pa.string())),
        ("attribution", ATTRIBUTIONS),
        ("synthetic", pa.bool_()),  # that a model wrote some of it
        ("digital_source_type", pa.string()),
        ("models", pa.list_(pa.string())),
    ]
)
"""What goes along with a row that several rows of the dataset have become."""


def melted(
    source: Source, columns: Mapping[str, tuple[Any, pa.DataType]], rows: pa.Table, groups: Sequence[Sequence[int]]
) -> pa.Table:
    """A table of new columns (values, type), one row a group of rows, with what goes along of each group."""
    names = [name for name in (*carried_columns(source), "sample_ids", "models") if name in rows.column_names]
    told = rows.select(names).to_pylist()
    beside = [melted_row([told[number] for number in group]) for group in groups]
    fields = [pa.field(name, kind) for name, (_, kind) in columns.items()]
    own = [pa.array(values, kind) for values, kind in columns.values()]
    along = [pa.array([row[field.name] for row in beside], field.type) for field in MELTED]
    return pa.table([*own, *along], schema=pa.schema([*fields, *MELTED]))


def melted_row(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What MELTED says of rows that are told together; they may be melted ones themselves."""
    licenses = _union(rows, "licenses")
    places = {tuple(sorted(place.items())): place for row in rows for place in row["attribution"] or ()}
    synthetic = any(row["synthetic"] for row in rows)
    return {
        "sample_ids": [each for row in rows for each in _names(row)],
        "doc_ids": _union(rows, "doc_ids"),
        "license": combine(licenses),
        "licenses": licenses,
        "duties": _union(rows, "duties"),
        "attribution": [places[key] for key in sorted(places, key=str)],
        "synthetic": synthetic,
        "digital_source_type": DIGITAL_SOURCE_TYPE if synthetic else None,
        "models": sorted({model for row in rows for model in _models(row)}),
    }


def _names(row: Mapping[str, Any]) -> list[str]:
    """Ids of the published rows that a row is; a request is none."""
    if row.get("sample_ids") is not None:
        return list(row["sample_ids"])
    return [row["sample_id"]] if row.get("sample_id") else []


def _union(rows: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return sorted({value for row in rows for value in row.get(name) or ()})


def _models(row: Mapping[str, Any]) -> list[str]:
    if row.get("models") is not None:
        return list(row["models"])
    names = ("question_model", "answer_model")
    return [f"{row[name]}@{row[f'{name}_revision']}" for name in names if row.get(name)]


def file_metadata(source: Source, recipe: Recipe, split: str) -> dict[str, str]:
    """Key-value metadata of every Parquet file of an export."""
    made = generators(source)
    return {
        "kind": "factory-export",
        "export_version": str(EXPORT_VERSION),
        "form": recipe.form,
        "split": split,
        "dataset": str(source.manifest["name"]),
        "version": str(source.manifest["version"]),
        "manifest_sha256": source.manifest_sha256,
        "generator": ", ".join(sorted({f"{each['model']}@{each['revision']}" for each in made})),
        **({"run": str(source.manifest["run"])} if source.manifest.get("run") else {}),
        **({} if source.mix else {"synthetic": "true", "digital_source_type": DIGITAL_SOURCE_TYPE}),
    }


def generators(source: Source) -> list[dict[str, Any]]:
    """The models behind the rows as the dataset's manifest names them, with what their licences say about outputs."""
    return [dict(each) for each in source.manifest["generators"]]
