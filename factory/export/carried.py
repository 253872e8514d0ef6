"""What goes along with every exported row: its id, what is known of its quality, its licence, and who wrote it.

Design: the columns of the published row under their own names, after those that a trainer reads, which ignores them.
Nothing is put into text (govern/documents/markers.py says why); what marks machine-made data stands in columns, in the
files' key-value metadata and in the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from factory.export.recipe import EXPORT_VERSION, Recipe
from factory.export.source import Source
from factory.publish.samples import DIGITAL_SOURCE_TYPE

CARRIED = (
    "sample_id", "task", "level", "edu_level", "subject", "part", "role", "stratum", "agreement", "verified",
    "verified_by", "grounded_share", "judge_score", "license", "licenses", "duties", "attribution", "doc_ids",
    "synthetic", "digital_source_type", "question_model", "question_model_revision", "answer_model",
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
