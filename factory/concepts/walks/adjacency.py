"""The concept graph in memory: who is next to whom, one partition at a time.

Design: compressed sparse rows. A node's id carries its kind in the lowest bit, and its partition in the highest
ones, so a partition is a range of ids and files sorted by id are sorted by partition for every number of
partitions. A topic's neighbours are its topics and then its concepts, a concept's are concepts alone: the paper
(arXiv 2503.19551, section 4.2) never walks back from a concept to a topic. Walks ask a `PartitionSource` for one
partition after another and keep none; what the source keeps is its own business (see `reading.py`).

Neighbours are kept as positions among all nodes: half the bytes of their ids, and what weighs a node is found without
a search.

Cost: 8 bytes a directed edge and 24 a node of the partition, 12 bytes a node of the whole graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from factory.errors import StoreError

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
U32 = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.bool_]

TOPIC, CONCEPT = 0, 1
"""Lowest bit of a node's id."""


@dataclass(frozen=True)
class Partition:
    """Nodes of one id range and their neighbours, in order of id; within a node topics come first."""

    node_ids: U64  # [N], sorted
    starts: I64  # [N + 1], into dst
    topic_degrees: I64  # [N]: so many of a node's first neighbours are topics
    dst: U32  # [E] positions in Nodes.ids, sorted within a node and a kind
    freq: U32  # [E]: passages that hold both nodes

    def check(self, where: str) -> None:
        """Raises StoreError when the arrays do not belong together; `where` names the file they came from."""
        whole = len(self.starts) == len(self.node_ids) + 1 and len(self.topic_degrees) == len(self.node_ids)
        if not whole or len(self.dst) != len(self.freq) or int(self.starts[-1]) != len(self.dst):
            raise StoreError(
                f"the graph partition {where} is damaged: {len(self.node_ids)} nodes, {len(self.starts)} starts, "
                f"{len(self.dst)} neighbours of which {int(self.starts[-1]) if len(self.starts) else 0} are owned",
                cause="the files of nodes and of edges come from different attempts, or one was cut",
                remedy="delete the commit of this partition and run again",
            )


@dataclass(frozen=True)
class Nodes:
    """All nodes of the graph."""

    ids: U64  # [N], sorted
    doc_freq: U32  # [N]: passages that hold the node

    @property
    def topics(self) -> U64:
        """Ids of all topics, sorted: the order in which walks begin at them."""
        found: U64 = self.ids[kinds_of(self.ids) == TOPIC]
        return found

    def positions(self, ids: U64) -> I64:
        """Where `ids` stand in `self.ids`. Raises KeyError for one that is no node."""
        places = np.searchsorted(self.ids, ids)
        absent = (places == len(self.ids)) | (self.ids[np.minimum(places, len(self.ids) - 1)] != ids)
        if absent.any():
            raise KeyError(f"node {int(ids[absent][0]):016x} is not in the graph")
        return places


class PartitionSource(Protocol):
    """Where partitions come from. `count` is a power of two; partition p of P holds the ids of
    [p * 2^64 / P, (p + 1) * 2^64 / P)."""

    @property
    def count(self) -> int: ...

    def read(self, index: int) -> Partition: ...


@dataclass(frozen=True)
class InMemory:
    """A PartitionSource over partitions that are there already."""

    partitions: Sequence[Partition]

    @property
    def count(self) -> int:
        return len(self.partitions)

    def read(self, index: int) -> Partition:
        return self.partitions[index]


def kinds_of(ids: U64) -> U64:
    """TOPIC or CONCEPT of each id."""
    return ids & np.uint64(1)


def partitions_of(ids: U64, count: int) -> I64:
    """int64 number of the partition of `count`, a power of two, that owns each id."""
    bits = count.bit_length() - 1
    if count != 1 << bits:
        raise ValueError(f"{count} partitions: must be a power of two")
    if not bits:
        return np.zeros(len(ids), np.int64)
    return (ids >> np.uint64(64 - bits)).astype(np.int64)


def whole_graph(ids: U64, src: U64, dst: U64, freq: U32) -> Partition:
    """The graph of all nodes (sorted ids) as one partition, from its directed edges (ids of nodes) in any order."""
    order = np.lexsort((dst, kinds_of(dst), src))
    src, dst, freq = src[order], dst[order], freq[order]
    starts = np.searchsorted(src, ids, "left")
    stops = np.searchsorted(src, ids, "right")
    topics_before = np.concatenate(([0], np.cumsum(kinds_of(dst) == TOPIC)))
    return Partition(
        node_ids=ids,
        starts=np.append(starts, len(dst)).astype(np.int64),
        topic_degrees=(topics_before[stops] - topics_before[starts]).astype(np.int64),
        dst=np.searchsorted(ids, dst).astype(np.uint32),
        freq=freq,
    )


def split(partition: Partition, count: int) -> InMemory:
    """A whole graph, given as one partition, as `count` of them."""
    bounds = np.searchsorted(partitions_of(partition.node_ids, count), np.arange(count + 1))
    parts = []
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        low, high = int(partition.starts[first]), int(partition.starts[last])
        parts.append(
            Partition(
                partition.node_ids[first:last],
                partition.starts[first : last + 1] - low,
                partition.topic_degrees[first:last],
                partition.dst[low:high],
                partition.freq[low:high],
            )
        )
    return InMemory(tuple(parts))
