"""graph_index: an inverted index over passages, in segments: which passages hold a node.

Design: matching walks to passages asks every node of a walk for its passages, and reads segments one after another, so
a segment is what one worker holds at a time, not what one extract file gave: units are groups of graph_pairs files, in
their order, until there are `graph.segment_passages` passages. A unit is named by the content of its files, so a corpus
that grows at its end indexes its last group and what is new. Postings are positions in the segment, four bytes each
before encoding, written as differences. Nodes are those of the alias table, where there is one.

Cost: 40 microseconds a passage of 45 nodes on a busy core; memory 2 kB a passage.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.concepts.graph.aliases import Aliases, read_aliases
from factory.concepts.graph.pairs import PASSAGES
from factory.concepts.graph.tables import SEGMENT, TERM
from factory.identity import add_digests, ids_digest, make_id
from factory.run.outputs import Output, by_unit
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import Layout, read_parquet

STEP_VERSION = 1

SEGMENTS, TERMS = 0, 1
"""Parts of a unit's output."""

GROUP_ROWS = 1 << 14
PARALLEL_READS = 8


@dataclass(frozen=True)
class GraphIndexStep:
    """Work step over groups of graph_pairs files; see `index_units` for its parameters."""

    name = "graph_index"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        files = [FileRef(**file) for file in unit.parameters["files"]]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            tables = list(pool.map(lambda file: read_parquet(store, file.key), files))
        aliases = read_aliases(store, unit.parameters.get("aliases"))
        segment, terms = segment_tables(pa.concat_tables(tables), aliases)
        ids = segment.column("chunk_id").to_pylist()
        return UnitResult(
            inputs=len(ids),
            used=len(ids),
            tables=(segment, terms),
            layouts=(
                Layout(GROUP_ROWS),
                Layout(GROUP_ROWS, {"postings.list.element": "DELTA_BINARY_PACKED", "node_id": "PLAIN"}),
            ),
            id_column="chunk_id",
            input_ids_digest=add_digests(file.ids_digest for file in files),
            accepted=len(ids),
            accepted_ids_digest=ids_digest(ids),
            facts={"terms": terms.num_rows},
        )


def index_units(outputs: Sequence[Output], segment_passages: int, aliases: FileRef | None = None) -> list[Unit]:
    """Units over the outputs of graph_pairs: groups of files with at least `segment_passages` passages, in order."""
    groups: list[list[FileRef]] = [[]]
    for files in by_unit(outputs).values():
        if sum(file.rows for file in groups[-1]) >= segment_passages:
            groups.append([])
        if files[PASSAGES].rows:
            groups[-1].append(files[PASSAGES])
    return [_unit(group, aliases) for group in groups if group]


def _unit(files: Sequence[FileRef], aliases: FileRef | None) -> Unit:
    contents = [file.content_sha256 for file in files]
    unit_id = make_id("graph_index", aliases.content_sha256 if aliases else "", *contents)
    parameters = {"files": [vars(file) for file in files], "aliases": aliases.key if aliases else None}
    return Unit(unit_id, parameters=parameters)


def segment_tables(passages: pa.Table, aliases: Aliases) -> tuple[pa.Table, pa.Table]:
    """SEGMENT and TERM of PASSAGE rows."""
    whole = passages.combine_chunks()
    lists = whole.column("nodes").combine_chunks()
    sizes = np.diff(lists.offsets.to_numpy()).astype(np.int64)
    nodes = aliases.applied(lists.flatten().to_numpy())
    ids, rank = np.unique(nodes, return_inverse=True)
    # Two nodes of a passage may have become one: sorted, distinct (node, passage) pairs are the postings.
    width = np.uint64(max(whole.num_rows, 1))
    keys = np.unique(rank.astype(np.uint64) * width + np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes))
    terms, positions = keys // width, keys % width
    offsets = np.searchsorted(terms, np.arange(len(ids) + 1, dtype=np.uint64)).astype(np.int32)
    columns = {
        **{name: whole.column(name) for name in SEGMENT.names if name != "size"},
        "size": pa.array(np.bincount(positions.astype(np.int64), minlength=whole.num_rows), pa.uint32()),
    }
    segment = pa.table([columns[name] for name in SEGMENT.names], schema=SEGMENT)
    postings = pa.ListArray.from_arrays(pa.array(offsets), pa.array(positions, pa.uint32()))
    return segment, pa.table([pa.array(ids, pa.uint64()), postings], schema=TERM)
