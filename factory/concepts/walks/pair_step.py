"""Step `pair`: walks with the two passages they are grounded in.

Design: row-wise over walk files, but which passages are best is a matter of the whole corpus, so its folder is named
by the index too. A row carries all that a question is asked with: names of topics and concepts from the walk, and the
sources of both passages as extraction left them. Rows are cut into files of the size that the question step asks a
model about at once. Each walk becomes a row or a reject that names why: no_document, no_second_document,
near_duplicate_pair, licence_conflict, split_conflict.

Cost: matching (match.py), and looking up what it found; `make bench NAME=graph` measures both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from factory.concepts.walks.adjacency import I64
from factory.concepts.walks.config import PairConfig
from factory.concepts.walks.index_reading import StoredIndex, stored_index
from factory.concepts.walks.match import Sets
from factory.concepts.walks.pairing import Conflict, PairRules, Pairs, SplitOf, pair_passages
from factory.concepts.walks.tables import PAIRED_WALK, WALK
from factory.identity import ids_digest
from factory.run.reject import Reject
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet

STEP_VERSION = 1


@dataclass(frozen=True)
class PairStep:
    """Work step over walk files; parameter `index` is the key of the outputs of step `graph_index`.

    `decided_by` is JSON that identifies the functions in `rules`, whose answers are in the rows.
    """

    rules: PairRules
    unit_rows: int
    decided_by: Mapping[str, Any] = field(default_factory=dict)

    name = "pair"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {
            "measure": self.rules.measure,
            "candidates": self.rules.candidates,
            "near_duplicate": self.rules.near_duplicate,
            "decided_by": dict(self.decided_by),
            "unit_rows": self.unit_rows,
        }

    def work(self, store: Store, unit: Unit) -> UnitResult:
        if unit.file is None:
            raise ValueError("a unit of step pair covers a walk file")
        walks = read_parquet(store, unit.file.key, WALK.names)
        if unit.picks is not None:
            walks = walks.take(pa.array(unit.picks, pa.int64()))
        index = stored_index(store, unit.parameters["index"])
        pairs = pair_passages(sets_of(walks), index, self.rules)
        ids = walks.column("walk_id").to_pylist()
        numbers = walks.column("number").to_pylist()
        rejects = tuple(
            Reject(ids[row], reason, evidence={"number": numbers[row], "refused": pairs.refused.get(row, {})})
            for row, reason in sorted(pairs.reasons.items())
        )
        kept = np.array([row for row in range(len(ids)) if row not in pairs.reasons], np.int64)
        table = paired_table(walks, pairs, kept, index)
        # At least one file, maybe empty: whoever reads the step finds its columns.
        starts = range(0, max(1, table.num_rows), self.unit_rows)
        return UnitResult(
            inputs=len(ids),
            used=len(kept),
            tables=tuple(table.slice(start, self.unit_rows) for start in starts),
            id_column="walk_id",
            rejects=rejects,
            input_ids_digest=ids_digest(ids),
        )


def pair_step(
    config: PairConfig, conflict: Conflict | None, split_of: SplitOf | None, decided_by: Mapping[str, Any]
) -> PairStep:
    """The step that `config` describes; the functions must be picklable."""
    rules = PairRules(config.measure, config.candidates, config.near_duplicate, conflict, split_of)
    return PairStep(rules, config.unit_rows, decided_by)


def sets_of(walks: pa.Table) -> Sets:
    """The distinct nodes of WALK rows, topics first."""
    topics, concepts = (walks.column(name).combine_chunks() for name in ("topic_ids", "concept_ids"))
    sizes = [column.value_lengths().to_numpy().astype(np.int64) for column in (topics, concepts)]
    bounds = np.concatenate(([0], np.cumsum(sizes[0] + sizes[1]))).astype(np.int64)
    nodes = np.empty(bounds[-1], np.uint64)
    behind = np.repeat(bounds[:-1], sizes[0]) + _ranks(sizes[0])
    nodes[behind] = topics.flatten().to_numpy()
    nodes[np.repeat(bounds[:-1] + sizes[0], sizes[1]) + _ranks(sizes[1])] = concepts.flatten().to_numpy()
    return Sets(nodes, bounds)


def paired_table(walks: pa.Table, pairs: Pairs, kept: I64, index: StoredIndex) -> pa.Table:
    """PAIRED_WALK rows of the walks at `kept`."""
    if not len(kept):
        return PAIRED_WALK.empty_table()
    places, where = np.unique(pairs.places[kept], return_inverse=True)
    passages = index.passages(places)
    both, first = pa.array(where.reshape(-1)), pa.array(where.reshape(-1, 2)[:, 0])
    bounds = pa.array(np.arange(0, 2 * len(kept) + 1, 2, dtype=np.int32))

    def twice(name: str) -> pa.ListArray:
        return pa.ListArray.from_arrays(bounds, passages.column(name).take(both).combine_chunks())

    sources = passages.column("sources").take(both).combine_chunks()
    lengths = sources.value_lengths().to_numpy().reshape(-1, 2).sum(axis=1)
    ends = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    rows = walks.take(pa.array(kept))
    columns = [
        *(rows.column(name) for name in WALK.names),
        twice("doc_id"),
        twice("chunk_id"),
        pa.ListArray.from_arrays(bounds, pa.array(pairs.scores[kept].reshape(-1))),
        pa.ListArray.from_arrays(bounds, pa.array(pairs.overlaps[kept].reshape(-1))),
        passages.column("edu_level").take(first),
        passages.column("subject").take(first),
        pa.ListArray.from_arrays(pa.array(ends), sources.flatten()),
    ]
    return pa.table(columns, schema=PAIRED_WALK)


def _ranks(sizes: I64) -> I64:
    """0, 1, ... within each group of these sizes, end to end."""
    starts = np.concatenate(([0], np.cumsum(sizes)))[:-1]
    ranks: I64 = np.arange(int(sizes.sum())) - np.repeat(starts, sizes)
    return ranks
