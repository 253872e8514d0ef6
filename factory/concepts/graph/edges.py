"""graph_edges: the graph itself, summed from what every group of passages added to it.

Design: a hash-partitioned aggregation without a shuffle. A unit owns a range of ids (a partition) and reads that range
of every graph_pairs file: M files, each read in ranges, no M x R files, no actor, nothing in memory but one partition.
Files are sorted by id, so what the partitions hold one after another is the same whatever their number.

Incremental: counts are sums, so an earlier graph of the same root whose units are a subset of ours stands in for those
units: its partition is read like one more unit. Which units a graph holds is in `steps/<folder>/covers.json`, written
when it is planned; the folder's name already is a hash of that set, so the object never changes. A graph is taken only
when it was made by the same version of this step, and all partitions of some number of them are committed. Sums do not
depend on how they are bracketed, so the files are the same bytes either way; a test holds this step to that.

Every passage is read by every unit. So that a step reads what the one before it accepted, once, unit p of P answers
for the passages of the files at places p, p + P, ...

Cost: `make bench NAME=graph`; memory 20 bytes a row of the partition and 90 a row of the slice that is summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.concepts.graph.counting import Pairs, summed
from factory.concepts.graph.nodes import names_of, node_table
from factory.concepts.graph.pairs import NAMES, PAIRS, PASSAGES
from factory.concepts.graph.tables import EDGE, partition_range
from factory.identity import add_digests, canonical_json, ids_digest, make_id
from factory.run.outputs import by_unit, read_outputs
from factory.run.plan import step_identity
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.commits import committed_units, read_commits
from factory.store.objects import read_mapping
from factory.store.parquet import Layout, read_range

STEP_VERSION = 1

NODES, EDGES = 0, 1
"""Parts of a unit's output."""

PAIRS_A_PARTITION = 1 << 24
"""Rows of all pairs files that a partition reads at most, 20 bytes each."""

PAIRS_A_SLICE = 1 << 22
"""Rows that are summed at a time, 90 bytes each while they are. When partitions were no larger, a row group of a pairs
file was read by as many of them as its ids reach over: at four times the paper's subset by four."""

NODE_GROUP_ROWS = 1 << 14
EDGE_GROUP_ROWS = 1 << 16
"""Rows a row group: so few destinations, each met often, that they are dictionary-encoded to half the bytes."""

PARALLEL_READS = 8


@dataclass(frozen=True)
class GraphEdgesStep:
    """Work step with a unit a partition; see `edges_units` for its parameters."""

    name = "graph_edges"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        given = unit.parameters
        units = by_unit(read_outputs(store, given["pairs"]))
        partition, partitions = given["partition"], given["partitions"]
        bounds = partition_range(partition, partitions)
        earlier = given.get("earlier")
        covered = frozenset(read_mapping(store, earlier["covers"])["units"]) if earlier else frozenset()
        left = [files for name, files in units.items() if name not in covered]
        names, pairs = _read(store, [[file.key for file in files[NAMES:]] for files in left], bounds)
        if earlier:
            held, counted = _read(store, earlier["files"], bounds)
            names += [names_of(table) for table in held]
            pairs += counted
        edges = summed_in_slices(pairs, bounds)
        nodes = node_table(names, edges)
        own = [files[PASSAGES] for files in list(units.values())[partition::partitions]]
        rows = sum(file.rows for file in own)
        return UnitResult(
            inputs=rows,
            used=rows,
            tables=(nodes, edge_table(edges)),
            layouts=(Layout(NODE_GROUP_ROWS), Layout(EDGE_GROUP_ROWS)),
            id_column="",
            input_ids_digest=add_digests(file.ids_digest for file in own),
            accepted=nodes.num_rows,
            accepted_ids_digest=ids_digest(map(str, nodes.column("node_id").to_pylist())),
            ledger={"files_read": len(left)},
            facts=graph_facts(nodes, edges, partition, partitions),
        )


def summed_in_slices(tables: Sequence[pa.Table], bounds: tuple[int, int]) -> Pairs:
    """PAIR tables, each sorted by `src` within `bounds`, as one: a range of sources is summed at a time."""
    rows = sum(table.num_rows for table in tables)
    slices = 1
    while rows > slices * PAIRS_A_SLICE and slices < bounds[1] - bounds[0]:
        slices *= 2
    width = (bounds[1] - bounds[0] + 1) // slices
    begins = np.array([bounds[0] + number * width for number in range(1, slices)], np.uint64)
    cuts = [[0, *np.searchsorted(table.column("src").to_numpy(), begins).tolist(), table.num_rows] for table in tables]
    parts = [
        summed([table.slice(at[number], at[number + 1] - at[number]) for table, at in zip(tables, cuts, strict=True)])
        for number in range(slices)
    ]
    return Pairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def graph_facts(nodes: pa.Table, edges: Pairs, partition: int, partitions: int) -> dict[str, Any]:
    """What a partition's commit says of it; the numbers are added up over partitions."""
    topics = nodes.num_rows - int(nodes.column("kind").to_numpy().sum())
    return {
        "nodes": nodes.num_rows,
        "topics": topics,
        "edges": len(edges.src),
        "partition": [partition, partitions],
    }


def edge_table(pairs: Pairs) -> pa.Table:
    return pa.table([pa.array(column) for column in pairs], schema=EDGE)


def partitions_for(rows: int, asked: int | None, most: int = PAIRS_A_PARTITION) -> int:
    """How many partitions: as asked, else the power of two that keeps each within `most` rows."""
    if asked is not None:
        return asked
    count = 1
    while rows > count * most:
        count *= 2
    return count


def edges_units(store: Store, folder: str, pairs: str, asked: int | None) -> list[Unit]:
    """The step's units: one a partition of the graph over the outputs index `pairs` of graph_pairs.

    `folder` is the step's (global over the units of graph_pairs). Says in the store what the graph covers, and looks
    for an earlier one to build on. `asked` is graph.partitions.
    """
    outputs = read_outputs(store, pairs)
    units = by_unit(outputs)
    body = {"identity": step_identity(GraphEdgesStep(), None), "units": sorted(units)}
    store.put_if_absent(covers_key(folder), canonical_json(body))
    earlier = find_earlier(store, folder, units)
    count = partitions_for(sum(map(_pair_rows, units.values())), asked)
    return [
        Unit(
            make_id("graph_edges", folder, count, partition),
            parameters={"pairs": pairs, "partition": partition, "partitions": count, "earlier": earlier},
        )
        for partition in range(count)
    ]


def covers_key(folder: str) -> str:
    return f"steps/{folder}/covers.json"


def find_earlier(store: Store, folder: str, units: Mapping[str, Sequence[FileRef]]) -> dict[str, Any] | None:
    """The graph of this root that holds most of the pairs of `units` and nothing else; None where there is none.

    JSON: `covers`, the key of its list of units, and `files`, the keys of (nodes, edges) of its partitions.
    """
    found: list[tuple[int, str]] = []
    for key in {info.key for info in store.list(f"steps/{GraphEdgesStep.name}-") if info.key.endswith("/covers.json")}:
        body = read_mapping(store, key)
        same = body["identity"] == step_identity(GraphEdgesStep(), None)
        if key != covers_key(folder) and same and units.keys() >= set(body["units"]):
            found.append((sum(_pair_rows(units[name]) for name in body["units"]), key))
    for _, key in sorted(found, reverse=True):
        files = _partitions_of(store, key.split("/")[1])
        if files is not None:
            return {"covers": key, "files": files}
    return None


def _partitions_of(store: Store, folder: str) -> list[list[str]] | None:
    """Keys of (nodes, edges) of each partition of a graph; None where it was never finished."""
    by_count: dict[int, dict[int, list[str]]] = {}
    for commit in read_commits(store, folder, sorted(committed_units(store, folder))):
        partition, count = commit.facts["partition"]
        by_count.setdefault(count, {})[partition] = [file.key for file in commit.files]
    whole = sorted(count for count, partitions in by_count.items() if len(partitions) == count)
    return [by_count[whole[0]][partition] for partition in range(whole[0])] if whole else None


def _pair_rows(files: Sequence[FileRef]) -> int:
    return sum(file.rows for file in files[PAIRS:])


def _read(
    store: Store, files: Sequence[Sequence[str]], bounds: tuple[int, int]
) -> tuple[list[pa.Table], list[pa.Table]]:
    """The rows of (names or nodes, pairs or edges, more pairs …) files whose ids lie within `bounds`."""
    keys = [(names, "node_id") for names, *_ in files] + [(key, "src") for _, *pairs in files for key in pairs]
    first, last = bounds
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        tables = list(pool.map(lambda each: read_range(store, each[0], each[1], first, last), keys))
    names, pairs = tables[: len(files)], tables[len(files) :]
    return [table for table in names if table.num_rows], [table for table in pairs if table.num_rows]
