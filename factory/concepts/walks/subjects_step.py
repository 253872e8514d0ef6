"""Step `walk_subjects`: how many passages of each subject hold a node, for walks that keep to one subject.

Design: one global unit over the segments of the inverted index, which knows the subject of every passage and the
passages of every node after names were merged. Subjects are what extraction wrote, without case and outer white
space: "Linear Algebra" and "linear algebra" are one. Passages without a subject bind no walk and count nowhere.

Memory: 24 bytes a pair of node and subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.concepts.walks.adjacency import I64, U64
from factory.concepts.walks.index_reading import PASSAGES_PART, TERMS_PART, stored_index
from factory.concepts.walks.tables import SUBJECTS
from factory.identity import add_digests
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet

STEP_VERSION = 1


@dataclass(frozen=True)
class WalkSubjectsStep:
    """Work step with one unit; its parameter `index` is the key of the outputs of step `graph_index`."""

    name = "walk_subjects"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        index = stored_index(store, unit.parameters["index"])
        numbers: dict[str, int] = {}
        ids, codes, counts = np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64)
        passages = 0
        for files in index.files:
            table = read_parquet(store, files[PASSAGES_PART].key, ["subject"])
            terms = read_parquet(store, files[TERMS_PART].key, ["node_id", "postings"])
            of = subject_codes(table.column("subject").to_pylist(), numbers)
            postings = terms.column("postings").combine_chunks()
            node = np.repeat(terms.column("node_id").to_numpy(), postings.value_lengths().to_numpy())
            code = of[postings.flatten().to_numpy()]
            known = code >= 0
            ids, codes, counts = _added((ids, codes, counts), node[known], code[known])
            passages += table.num_rows
        # Numbers were given in order of appearance; rows are in order of the subjects' names.
        names = sorted(numbers)
        rank = np.zeros(len(names), np.int64)
        rank[[numbers[name] for name in names]] = np.arange(len(names))
        order = np.lexsort((rank[codes], ids)) if len(ids) else np.zeros(0, np.int64)
        subject = pa.array(names, pa.string()).take(pa.array(rank[codes][order]))
        return UnitResult(
            inputs=passages,
            used=passages,
            tables=(pa.table([ids[order], subject, counts[order]], schema=SUBJECTS),),
            id_column="",
            input_ids_digest=add_digests(files[PASSAGES_PART].ids_digest for files in index.files),
            accepted=len(ids),
            facts={"subjects": len(names)},
        )


def subject_codes(subjects: list[str | None], numbers: dict[str, int]) -> I64:
    """Number of each passage's subject, new ones added to `numbers`; -1 where there is none."""
    plain = [" ".join((subject or "").split()).casefold() for subject in subjects]
    return np.array([numbers.setdefault(name, len(numbers)) if name else -1 for name in plain], np.int64)


def _added(held: tuple[U64, I64, I64], node: U64, code: I64) -> tuple[U64, I64, I64]:
    """Counts by (node, subject) with one more for each of (node, code)."""
    ids, codes, counts = held
    ids, codes = np.concatenate((ids, node)), np.concatenate((codes, code))
    counts = np.concatenate((counts, np.ones(len(node), np.int64)))
    order = np.lexsort((codes, ids))
    ids, codes, counts = ids[order], codes[order], counts[order]
    if not len(ids):
        return ids, codes, counts
    first = np.flatnonzero(np.concatenate(([True], (ids[1:] != ids[:-1]) | (codes[1:] != codes[:-1]))))
    return ids[first], codes[first], np.add.reduceat(counts, first)
