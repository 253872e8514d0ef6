"""The documents a run works on: the files of `select`, with the rows that `merge` kept of each."""

from __future__ import annotations

from factory.run.outputs import Output, outputs_key, read_outputs
from factory.run.plan import Part
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.parquet import read_parquet


def merged_parts(store: Store, run: str) -> list[Part]:
    """The select files, with the rows `merge` kept of each."""
    files: dict[str, FileRef] = {
        output.file.name: output.file for output in read_outputs(store, outputs_key(run, "select"))
    }
    merged: list[Output] = read_outputs(store, outputs_key(run, "merge"))
    picks = read_parquet(store, merged[0].file.key)
    return [
        Part(files[row["file"]], None if row["picks"] is None else tuple(row["picks"])) for row in picks.to_pylist()
    ]
