"""The graph as it was committed: partitions, nodes and names read from the outputs of step `graph_edges`.

Design: each unit of that step wrote one partition, its nodes (part 0) and edges (part 1). Every step of a block of
walks visits nearly every partition, so what was read is kept as plain arrays in the machine's scratch folder
(store/scratch.py), for the steps that follow, the next block, and the other workers. What does not fit there is read
again. Kept in each worker's memory instead, four times the paper's subset did not fit into 2 GiB, and a walk took five
times as long as at the subset.

Cost: 8 bytes an edge on the machine's disk; reading is part of `make bench NAME=graph`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import pyarrow as pa

from factory.concepts.graph.lookup import Buckets, buckets_of
from factory.concepts.walks.adjacency import I64, U32, U64, Flags, Nodes, Partition, partitions_of
from factory.concepts.walks.rules import Subjects
from factory.errors import StoreError
from factory.identity import fingerprint
from factory.run.outputs import outputs_key, read_outputs
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.parquet import read_parquet
from factory.store.scratch import Arrays, Scratch

NODES_PART, EDGES_PART = 0, 1


@dataclass(frozen=True)
class StoredGraph:
    """A PartitionSource over committed files; `node_files` and `edge_files` are in the order of their partitions."""

    store: Store
    node_files: tuple[FileRef, ...]
    edge_files: tuple[FileRef, ...]
    scratch: Scratch | None = None

    @cached_property
    def content(self) -> str:
        """Names what partitions are made of: positions are among all nodes, so a partition is the whole graph's."""
        return fingerprint([[file.sha256 for file in files] for files in (self.node_files, self.edge_files)])

    @property
    def count(self) -> int:
        return len(self.edge_files)

    def read(self, index: int) -> Partition:
        """Raises StoreError when nodes and edges do not belong together."""
        if index in self._mapped:
            return self._mapped[index]
        if self.scratch is None:
            return self._read(index)
        arrays, lasting = self.scratch.arrays(str(index), lambda: _arrays(self._read(index)))
        partition = Partition(*arrays)
        if lasting:
            self._mapped[index] = partition
        return partition

    @cached_property
    def _mapped(self) -> dict[int, Partition]:
        return {}

    def _read(self, index: int) -> Partition:
        nodes = read_parquet(self.store, self.node_files[index].key, ["node_id", "topic_degree", "concept_degree"])
        edges = read_parquet(self.store, self.edge_files[index].key, ["dst", "freq"])
        topic_degrees = nodes.column("topic_degree").to_numpy().astype(np.int64)
        degrees = topic_degrees + nodes.column("concept_degree").to_numpy().astype(np.int64)
        partition = Partition(
            nodes.column("node_id").to_numpy(),
            np.concatenate(([0], np.cumsum(degrees))).astype(np.int64),
            topic_degrees,
            self._positions(edges.column("dst").to_numpy(), self.edge_files[index].key),
            edges.column("freq").to_numpy(),
        )
        partition.check(self.edge_files[index].key)
        return partition

    def _positions(self, ids: U64, key: str) -> U32:
        """Where nodes stand among all nodes. Raises StoreError for one that is not there."""
        from factory.concepts.graph.kernels import find_all

        found = np.empty(len(ids), np.uint32)
        known = find_all(self.nodes.ids, *self._buckets, ids, found)
        if known < len(ids):
            raise StoreError(
                f"an edge in {key} leads to node {int(ids[known]):016x}, which the graph does not have",
                cause="the files of nodes and of edges come from different graphs",
                remedy="delete the folder of step graph_edges and run again",
            )
        return found

    @cached_property
    def _buckets(self) -> Buckets:
        return buckets_of(self.nodes.ids)

    @cached_property
    def nodes(self) -> Nodes:
        """All nodes of the graph. Raises StoreError when the files are not in order of their ids."""
        tables = [read_parquet(self.store, file.key, ["node_id", "doc_freq"]) for file in self.node_files]
        ids: U64 = np.concatenate([table.column("node_id").to_numpy() for table in tables])
        if (ids[1:] <= ids[:-1]).any():
            raise StoreError(
                f"the nodes of the graph in {self.store.uri} are not in order of their ids",
                cause="partitions of two graphs were mixed, or a file was replaced",
                remedy="delete the folder of step graph_edges and run again",
            )
        return Nodes(ids, np.concatenate([table.column("doc_freq").to_numpy() for table in tables]))

    def names(self, ids: U64) -> dict[int, str]:
        """Names of the nodes `ids`, which are distinct and sorted; one partition's names are held at a time."""
        found: dict[int, str] = {}
        owners = partitions_of(ids, self.count)
        for index in np.unique(owners).tolist():
            table = read_parquet(self.store, self.node_files[index].key, ["node_id", "name"])
            wanted: Flags = np.isin(table.column("node_id").to_numpy(), ids[owners == index])
            chosen = table.filter(pa.array(wanted))
            found |= dict(zip(chosen.column("node_id").to_pylist(), chosen.column("name").to_pylist(), strict=True))
        return found


def stored_graph(store: Store, key: str) -> StoredGraph:
    """The graph behind the outputs index of step `graph_edges`. Raises KeyError when that has not finished, and
    StoreError when its files are no partitions."""
    parts: dict[str, dict[int, FileRef]] = {}
    for output in read_outputs(store, key):
        parts.setdefault(output.unit, {})[int(output.file.name.rsplit("/", 1)[1])] = output.file
    units = [unit for unit in parts.values() if NODES_PART in unit and EDGES_PART in unit]
    count = len(units)
    if not count or count & (count - 1):
        raise StoreError(
            f"{key} in {store.uri} names {count} partitions of the graph; their number has to be a power of two",
            cause="the step that makes the graph did not finish, or its files were removed",
            remedy="run again",
        )
    ordered = _in_order(store, units) if count > 1 else units
    return StoredGraph(store, tuple(unit[NODES_PART] for unit in ordered), tuple(unit[EDGES_PART] for unit in ordered))


def walked_graph(store: Store, run: str) -> StoredGraph | None:
    """The graph that a run's walks went over: with merged names where it merged any; None where it made none."""
    for step in ("graph_joined", "graph_edges"):
        # Asked for by name: a KeyError from deeper down would be a lost file, which has to be said.
        if store.head(outputs_key(run, step)) is not None:
            return stored_graph(store, outputs_key(run, step))
    return None


def _in_order(store: Store, units: Sequence[dict[int, FileRef]]) -> list[dict[int, FileRef]]:
    """Partitions at the place that their ids say; those without nodes fill the places that are left."""
    places: dict[int, dict[int, FileRef]] = {}
    empty = []
    for unit in units:
        ids = read_parquet(store, unit[NODES_PART].key, ["node_id"]).column("node_id").to_numpy()
        owners = np.unique(partitions_of(ids, len(units))).tolist()
        if not owners:
            empty.append(unit)
        elif len(owners) > 1 or owners[0] in places:
            raise StoreError(
                f"{unit[NODES_PART].key} in {store.uri} is not one of {len(units)} partitions of a graph",
                cause="partitions of two graphs were mixed",
                remedy="delete the folder of step graph_edges and run again",
            )
        else:
            places[owners[0]] = unit
    return [places.get(place) or empty.pop() for place in range(len(units))]


def read_visits(store: Store, key: str, nodes: Nodes) -> I64:
    """int64[N]: walks of earlier rounds that hold each node, from a file of tables.VISITS. Nodes that the graph no
    longer has are left out."""
    table = read_parquet(store, key, ["node_id", "visits"])
    ids = table.column("node_id").to_numpy()
    present = np.isin(ids, nodes.ids)
    visits = np.zeros(len(nodes.ids), np.int64)
    visits[nodes.positions(ids[present])] = table.column("visits").to_numpy()[present]
    return visits


def read_subjects(store: Store, key: str, nodes: Nodes) -> Subjects:
    """In which subjects the nodes occur, from the outputs of step `walk_subjects`."""
    table = read_parquet(store, read_outputs(store, key)[0].file.key, ["node_id", "subject", "passages"])
    table = table.filter(pa.array(np.isin(table.column("node_id").to_numpy(), nodes.ids)))
    names = sorted(table.column("subject").unique().to_pylist())
    number = {name: position for position, name in enumerate(names)}
    owners = nodes.positions(table.column("node_id").to_numpy())
    codes = np.array([number[name] for name in table.column("subject").to_pylist()], np.int64)
    order = np.lexsort((codes, owners))
    starts = np.searchsorted(owners[order], np.arange(len(nodes.ids) + 1)).astype(np.int64)
    return Subjects(tuple(names), starts, codes[order], table.column("passages").to_numpy()[order])


def _arrays(partition: Partition) -> Arrays:
    return tuple(getattr(partition, field.name) for field in fields(Partition))
