"""Indexes of a run's outputs, as they name the files that an erasure moved."""

from __future__ import annotations

from dataclasses import replace

from factory.govern.erasure.units import References
from factory.run.outputs import read_outputs, write_outputs
from factory.store.base import Store


def outputs_followed(draft: Store, key: str, moved: References) -> bool:
    """Lets the index at `key` name the new files; whether it changed. One that is Parquet goes with the JSON that names
    it."""
    if not key.endswith(".outputs.json"):
        return False
    outputs = read_outputs(draft, key)
    if not any(output.file.key in moved for output in outputs):
        return False
    beside = [info.key for info in draft.list(key.removesuffix(".json") + "-")]
    _, run, name = key.split("/")
    new = (
        replace(output, file=replace(output.file, key=moved[output.file.key][0], sha256=moved[output.file.key][1]))
        if output.file.key in moved
        else output
        for output in outputs
    )
    write_outputs(draft, run, name.removesuffix(".outputs.json"), new)
    named = draft.get(key)
    for other in beside:
        if other.encode() not in named:
            draft.delete(other)
    return True
