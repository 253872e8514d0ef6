"""The chain of a run: which step reads what, in the order data walks through them.

    select -> merge -> extract -> question_2 -> sketch -> match -> curate -> answer -> samples -> gate -> shards
                  \\-> question_1 ------------/

Design: one-way. A stage is planned from the `done` records and outputs of earlier stages and from nothing
else, so `factory plan` and a run share this file. Row-wise folders are named by configuration, prompts and
model alone; global ones also by the set of units they read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from factory.config import FactoryConfig
from factory.identity import fingerprint
from factory.run.outputs import Output, outputs_key, read_outputs
from factory.run.plan import Part, Plan, global_folder, plan_global, plan_rows, row_wise_folder, step_identity
from factory.run.record import Record, run_id_of
from factory.run.step import LlmStep, WorkStep
from factory.run.units import FileRef, Unit
from factory.store.base import Store
from factory.store.commits import committed_units
from factory.store.parquet import read_parquet

Dones = Mapping[str, Record]


@dataclass(frozen=True)
class Planned:
    folder: str
    plan: Plan


@dataclass(frozen=True)
class Stage:
    """A step's place in the chain. `reads` names the stages whose accepted rows it must read exactly, or
    None for source and auxiliary stages; `model_role` is set for LLM steps."""

    name: str
    step: LlmStep | WorkStep
    plan: Callable[[Store, Dones], Planned]
    reads: tuple[str, ...] | None = None
    model_role: str | None = None
    model_identity: Mapping[str, Any] | None = None

    @property
    def llm_step(self) -> LlmStep:
        return cast(LlmStep, self.step)

    @property
    def work_step(self) -> WorkStep:
        return cast(WorkStep, self.step)


def parts_of(outputs: Sequence[Output]) -> list[Part]:
    return [Part(output.file) for output in outputs]


def merged_parts(store: Store, run: str) -> list[Part]:
    """The select files, with the rows `merge` kept of each."""
    files: dict[str, FileRef] = {output.file.name: output.file for output in read_outputs(store, outputs_key(run, "select"))}
    merged = read_outputs(store, outputs_key(run, "merge"))
    picks = read_parquet(store, merged[0].file.key)
    return [
        Part(files[row["file"]], None if row["picks"] is None else tuple(row["picks"])) for row in picks.to_pylist()
    ]
