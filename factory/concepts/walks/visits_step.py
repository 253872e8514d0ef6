"""Step `visits`: how many walks hold each node, for coverage-balanced rounds.

Design: one global unit over the walk files of earlier rounds. A node counts once a walk, however often the walk came
back to it. Memory: 16 bytes a visited node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.concepts.walks.adjacency import I64, U64
from factory.concepts.walks.tables import VISITS
from factory.identity import add_digests
from factory.run.outputs import read_outputs
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet

STEP_VERSION = 1


@dataclass(frozen=True)
class VisitsStep:
    """Work step with one unit; its parameter `walks` is the key of the walk step's outputs, or null before any."""

    name = "visits"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        key = unit.parameters["walks"]
        outputs = read_outputs(store, key) if key else []
        ids, counts = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        walks = 0
        for output in outputs:
            table = read_parquet(store, output.file.key, ["topic_ids", "concept_ids"])
            walks += table.num_rows
            held = [table.column(name).combine_chunks().flatten().to_numpy() for name in table.column_names]
            ids, counts = add_counts(ids, counts, np.concatenate(held))
        return UnitResult(
            inputs=walks,
            used=walks,
            tables=(pa.table([ids, counts], schema=VISITS),),
            id_column="",
            input_ids_digest=add_digests(output.file.ids_digest for output in outputs),
            accepted=len(ids),
            facts={"walks": walks, "visited": len(ids)},
        )


def add_counts(ids: U64, counts: I64, met: U64) -> tuple[U64, I64]:
    """Sorted distinct ids and how often each was met, with `met` added."""
    together, inverse = np.unique(np.concatenate((ids, met)), return_inverse=True)
    weights = np.concatenate((counts, np.ones(len(met), np.int64)))
    summed = np.zeros(len(together), np.int64)
    np.add.at(summed, inverse, weights)
    return together, summed
