"""The records of a published dataset, its schema, and a table to hold them against: what `factory records` reads and
writes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from factory.corpus.small_tables import rows_of, table_format
from factory.errors import ConfigError
from factory.publish.manifest import Manifest
from factory.run.record import section_of
from factory.store.base import Store
from factory.store.parquet import read_parquet
from factory.tasks.record_schema import RecordSchema, read_record_schema

NAME = "records"


def schema_of(manifest: Manifest, path: str | None) -> RecordSchema:
    """The schema in the file `path`, or the one that the run's recipe names. Raises ConfigError where there is none, or
    where it is another than the records were made by."""
    recipe = section_of(section_of(manifest["recipe"], "tasks"), NAME)
    named = path or recipe.get("schema_file")
    if not isinstance(named, str):
        raise ConfigError(
            "the dataset holds no structured records",
            cause="its run did not ask for tasks.records",
            remedy="name a dataset of a run with tasks.records.questions above 0 (docs/tasks.md)",
        )
    return read_record_schema(named)


def published_records(
    dataset: Store, manifest: Manifest, schema: RecordSchema, *, verified: bool = False
) -> list[dict[str, Any]]:
    """Every record of the published rows, in their order. Raises ConfigError where there is none, and for rows made by
    another schema."""
    found: list[dict[str, Any]] = []
    others: set[str] = set()
    for shard in manifest["shards"]:
        table = read_parquet(dataset, shard["path"])
        if "task" not in table.column_names:
            continue
        for row in table.select(["task", "task_data", "verified"]).to_pylist():
            if row["task"] != NAME or (verified and row["verified"] != "yes"):
                continue
            data = orjson.loads(row["task_data"])
            if data["schema_id"] != schema.schema_id:
                others.add(data["schema_id"])
            found.append(data["record"])
    if others:
        raise ConfigError(
            f"the records were made by the schema {sorted(others)[0][:16]}, not by {schema.schema_id[:16]}",
            cause="the schema file was changed since the run, or --schema names another one",
            remedy="give the file as it was with --schema",
        )
    if not found:
        raise ConfigError(
            "the dataset holds no structured records" + (" that were verified" if verified else ""),
            cause="its run did not ask for tasks.records, or turned all of them away",
            remedy="look at question_records and answer_records in the run's report",
        )
    return found


def real_rows(path: str) -> list[Mapping[str, Any]]:
    """Rows of the user's own table. Raises ConfigError where it cannot be read as one."""
    kind = table_format(path)
    try:
        data = Path(path).expanduser().read_bytes()
        rows = rows_of(path, data, kind) if kind is not None else []
    except (OSError, ValueError) as error:
        raise _unusable(path, f"it cannot be read: {error}") from None
    if kind is None:
        raise _unusable(path, "its name promises no table")
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise _unusable(path, "it has no rows with named columns")
    return rows


def _unusable(path: str, what: str) -> ConfigError:
    return ConfigError(
        f"--real {path}: {what}",
        cause="a misspelt path, or another kind of file",
        remedy="give a .csv with a header, .jsonl, .json or .parquet",
    )


def write_records(path: str, schema: RecordSchema, records: Sequence[Mapping[str, Any]]) -> None:
    """The records as a table, its columns in the schema's order. Raises ConfigError where it cannot be written."""
    rows = [{name: record.get(name) for name in schema.columns} for record in records]
    target = Path(path).expanduser()
    try:
        if target.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), target)
        elif target.suffix == ".jsonl":
            target.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        elif target.suffix == ".csv":
            with target.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, schema.columns)
                writer.writeheader()
                writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
        else:
            raise ConfigError(
                f"--out {path}: no such kind of table", remedy="let the name end in .csv, .jsonl or .parquet"
            )
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(
            f"--out {path} cannot be written: {error}",
            cause="a folder that is not there, or values that Parquet has no type for",
            remedy="name a file in a folder that is, or let its name end in .jsonl",
        ) from None


def _cell(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict | list | bool) else value
