"""graph_joined: the graph in which merged names are one node; the same tables as graph_edges, in the same order.

Design: graph_edges knows nothing of merges, so what it counted stays valid whatever is merged later, and grows; this
step reads it through the alias table, a partition a unit: the rows of its own range, and those of nodes that are merged
into it, wherever they lie. Adding up alone would be wrong where a passage holds several nodes that became one: it
would count twice, and a node would be beside itself. Such passages are few and known (graph_pairs keeps the nodes of
every passage), so what they gave is taken back and counted again as it should be. The result is exactly the graph of
the corpus with its names replaced; a test holds it to that. The number of passages with a form is added up over merged
nodes as it stands.

Cost: about what graph_edges takes to read and write a partition, and one look at all passages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from factory.concepts.graph.aliases import Aliases, read_aliases
from factory.concepts.graph.counting import NO_PAIRS, Pairs, pairs_within, summed
from factory.concepts.graph.edges import (
    EDGE_GROUP_ROWS,
    EDGES,
    NODE_GROUP_ROWS,
    NODES,
    PARALLEL_READS,
    edge_table,
    graph_facts,
    partitions_for,
)
from factory.concepts.graph.nodes import names_of, node_table
from factory.concepts.graph.pairs import PASSAGES
from factory.concepts.graph.tables import I64, U64, kind_of, partition_range
from factory.identity import add_digests, ids_digest, make_id
from factory.run.outputs import by_unit, read_outputs
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import Layout, read_parquet, read_values

STEP_VERSION = 1

EDGES_A_PARTITION = 1 << 23
"""Edges that a partition adds up at a time, 90 bytes each while it does: half of what graph_edges reads, in slices."""


@dataclass(frozen=True)
class GraphJoinedStep:
    """Work step with a unit a partition; see `joined_units` for its parameters."""

    name = "graph_joined"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        given = unit.parameters
        partition, partitions = given["partition"], given["partitions"]
        bounds = partition_range(partition, partitions)
        aliases = read_aliases(store, given["aliases"])
        graph = by_unit(read_outputs(store, given["edges"])).values()
        pairs = by_unit(read_outputs(store, given["pairs"]))
        members = aliases.ids[(aliases.into >= np.uint64(bounds[0])) & (aliases.into <= np.uint64(bounds[1]))]
        nodes = [
            table for files in graph for table in _tables(store, files[NODES], "node_id", bounds, members, aliases)
        ]
        edges = [table for files in graph for table in _tables(store, files[EDGES], "src", bounds, members, aliases)]
        twice = counted_twice([files[PASSAGES] for files in pairs.values()], store, aliases)
        joined = corrected(summed([_renamed(table, aliases) for table in edges]), twice, bounds)
        table = node_table(_joined_names(nodes, aliases), joined)
        table = _with_doc_freq(table, twice.doc_freq)
        own = [files[PASSAGES] for files in list(pairs.values())[partition::partitions]]
        rows = sum(file.rows for file in own)
        return UnitResult(
            inputs=rows,
            used=rows,
            tables=(table, edge_table(joined)),
            layouts=(Layout(NODE_GROUP_ROWS), Layout(EDGE_GROUP_ROWS)),
            id_column="",
            input_ids_digest=add_digests(file.ids_digest for file in own),
            accepted=table.num_rows,
            accepted_ids_digest=ids_digest(map(str, table.column("node_id").to_pylist())),
            facts=graph_facts(table, joined, partition, partitions),
        )


def joined_units(store: Store, folder: str, edges: str, pairs: str, aliases: FileRef, asked: int | None) -> list[Unit]:
    """The step's units, a partition each. `edges` and `pairs` are the outputs indexes of graph_edges and graph_pairs;
    `folder` is the step's: global over the units of graph_edges, with the content of `aliases` (the file that
    graph_merges wrote) as what it depends on besides. `asked` is graph.partitions."""
    rows = sum(files[EDGES].rows for files in by_unit(read_outputs(store, edges)).values())
    partitions = partitions_for(rows, asked, EDGES_A_PARTITION)
    return [
        Unit(
            make_id("graph_joined", folder, partitions, partition),
            parameters={
                "edges": edges,
                "pairs": pairs,
                "aliases": aliases.key,
                "partition": partition,
                "partitions": partitions,
            },
        )
        for partition in range(partitions)
    ]


class Twice(NamedTuple):
    """What merged nodes in one passage gave too much: pairs as counted, pairs as they are, passages a node."""

    counted: Pairs
    right: Pairs
    doc_freq: Mapping[int, int]


def counted_twice(files: Sequence[FileRef], store: Store, aliases: Aliases) -> Twice:
    """Over all PASSAGE files: the passages that hold several nodes which are now one."""
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        tables = list(pool.map(lambda file: read_parquet(store, file.key, ["nodes"]), files))
    found = [part for table in tables if table.num_rows for part in [_repeating(table, aliases)] if len(part[0]) > 1]
    if not found:
        return Twice(NO_PAIRS, NO_PAIRS, {})
    nodes = np.concatenate([nodes for _, nodes in found])
    sizes = np.concatenate([np.diff(starts) for starts, _ in found])
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    ids, members = np.unique(nodes, return_inverse=True)
    counted = edge_table(pairs_within(ids, starts, members))
    into = aliases.applied(nodes)
    into_ids, place = np.unique(into, return_inverse=True)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    held = np.unique(rows * len(into_ids) + place)
    bounds = np.searchsorted(held // len(into_ids), np.arange(len(sizes) + 1))
    right = pairs_within(into_ids, bounds, held % len(into_ids))
    extra = np.bincount(place, minlength=len(into_ids)) - np.bincount(held % len(into_ids), minlength=len(into_ids))
    doc_freq = {int(into_ids[node]): int(extra[node]) for node in np.flatnonzero(extra)}
    return Twice(summed([_renamed(counted, aliases)]), right, doc_freq)


def _repeating(table: pa.Table, aliases: Aliases) -> tuple[I64, U64]:
    """(starts, nodes) of the passages in which nodes become one."""
    lists = table.column("nodes").combine_chunks()
    sizes = np.diff(lists.offsets.to_numpy()).astype(np.int64)
    nodes: U64 = lists.flatten().to_numpy()
    rows = np.repeat(np.arange(len(sizes)), sizes)
    into = aliases.applied(nodes)
    order = np.lexsort((into, rows))
    same = (rows[order][1:] == rows[order][:-1]) & (into[order][1:] == into[order][:-1])
    hit = np.zeros(len(sizes), np.bool_)
    hit[rows[order][1:][same]] = True
    return np.concatenate(([0], np.cumsum(sizes[hit]))).astype(np.int64), nodes[hit[rows]]


def corrected(pairs: Pairs, twice: Twice, bounds: tuple[int, int]) -> Pairs:
    """`pairs` with what was counted twice taken back; all sources lie within `bounds`."""
    counted, right = (_within(each, bounds) for each in (twice.counted, twice.right))
    if not len(counted.src):
        return pairs
    freq = pairs.freq.astype(np.int64)
    for part, sign in ((counted, -1), (right, 1)):
        # Every such pair is among `pairs`: it was counted there, be it too often.
        freq[_places(pairs, part)] += sign * part.freq.astype(np.int64)
    left = freq > 0
    return Pairs(pairs.src[left], pairs.dst[left], freq[left].astype(np.uint32))


def _places(pairs: Pairs, some: Pairs) -> I64:
    """Where the rows of `some` stand in `pairs`; both sorted by (src, kind of dst, dst)."""
    near = np.isin(pairs.src, some.src)
    rows = np.flatnonzero(near)
    columns = [np.concatenate((pairs.src[near], some.src)), np.concatenate((pairs.dst[near], some.dst))]
    order = np.lexsort((np.arange(len(columns[0])) >= len(rows), columns[1], kind_of(columns[1]), columns[0]))
    # A row of `some` follows the row of `pairs` it equals.
    before = order[:-1][order[1:] >= len(rows)]
    found = np.empty(len(some.src), np.int64)
    found[order[1:][order[1:] >= len(rows)] - len(rows)] = rows[before]
    return found


def _within(pairs: Pairs, bounds: tuple[int, int]) -> Pairs:
    first = int(np.searchsorted(pairs.src, np.uint64(bounds[0]), side="left"))
    last = int(np.searchsorted(pairs.src, np.uint64(bounds[1]), side="right"))
    return Pairs(pairs.src[first:last], pairs.dst[first:last], pairs.freq[first:last])


def _tables(
    store: Store, file: FileRef, column: str, bounds: tuple[int, int], members: U64, aliases: Aliases
) -> list[pa.Table]:
    """Rows of a NODE or EDGE file that belong to this partition once merged: its own, and those of `members`."""

    def wanted(ids: U64) -> Any:
        own = (ids >= np.uint64(bounds[0])) & (ids <= np.uint64(bounds[1])) & ~np.isin(ids, aliases.ids)
        return own | np.isin(ids, members)

    table = read_values(store, file.key, column, bounds, members)
    table = table.filter(pa.array(wanted(table.column(column).to_numpy())))
    return [table] if table.num_rows else []


def _renamed(table: pa.Table, aliases: Aliases) -> pa.Table:
    """EDGE rows between merged nodes; pairs of two nodes that became one are left out."""
    src, dst = (aliases.applied(table.column(name).to_numpy()) for name in ("src", "dst"))
    apart = src != dst
    return pa.table([src[apart], dst[apart], table.column("freq").to_numpy()[apart]], schema=table.schema)


def _joined_names(nodes: Sequence[pa.Table], aliases: Aliases) -> list[pa.Table]:
    """NAME tables under the merged ids and names, no table holding two nodes that became one."""
    names = [names_of(table) for table in nodes]
    if not names:
        return []
    whole = pa.concat_tables(names)
    ids = whole.column("node_id").to_numpy()
    into = aliases.applied(ids)
    new = ids != into
    normal = dict(zip(ids[~new].tolist(), whole.column("name").filter(pa.array(~new)).to_pylist(), strict=True))
    renamed = whole.set_column(
        whole.schema.get_field_index("name"),
        "name",
        pa.array([normal[node] for node in into.tolist()], pa.string()),
    ).set_column(0, "node_id", pa.array(into, pa.uint64()))
    # The how-manieth of the nodes that became one, the one that stays first.
    distinct, first = np.unique(ids, return_index=True)
    group = into[first]
    order = np.lexsort((distinct, group != distinct, group))
    starts = np.flatnonzero(np.r_[True, group[order][1:] != group[order][:-1]])
    number = np.empty(len(distinct), np.int64)
    number[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    of_row = number[np.searchsorted(distinct, ids)]
    return [renamed.filter(pa.array(of_row == each)) for each in range(int(number.max()) + 1)]


def _with_doc_freq(table: pa.Table, extra: Mapping[int, int]) -> pa.Table:
    ids = table.column("node_id").to_pylist()
    less = np.array([extra.get(node, 0) for node in ids], np.int64)
    place = table.schema.get_field_index("doc_freq")
    right = table.column("doc_freq").to_numpy().astype(np.int64) - less
    return table.set_column(place, table.schema.field(place), pa.array(right, pa.uint32()))
