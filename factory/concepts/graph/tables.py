"""What the graph's steps write: the Arrow schemas, and the ids of nodes.

Design: a node's id is a hash of its normalised name and kind, so it is the same in every run, corpus and version of the
graph; its lowest bit is the kind, so no table has to be asked what an id is. Files are sorted by id, and a partition
is a range of ids, so files are sorted by partition whatever their number. Words: a *passage* is a row of the CONCEPTS
table; the weight of an edge is `freq`, the number of passages that hold both its nodes.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

U64 = npt.NDArray[np.uint64]
U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]

TOPIC, CONCEPT = 0, 1
"""Kinds of node: the lowest bit of an id."""
KIND_NAMES = ("topic", "concept")

ID_BITS = 64

PASSAGE = pa.schema(
    [
        ("chunk_id", pa.string()),
        ("doc_id", pa.string()),
        ("license", pa.string()),
        ("subject", pa.string()),
        ("extract_file", pa.string()),  # name of the file its CONCEPTS row lies in
        ("row", pa.int64()),  # of that file
        ("nodes", pa.list_(pa.uint64())),  # sorted, distinct
        ("signature", pa.list_(pa.uint32())),  # MinHash of the text; null where it was not asked for
    ]
)
"""Part 0 of graph_pairs: the passages that are in the graph, in the order of the unit's extract files."""

NAME = pa.schema(
    [
        ("node_id", pa.uint64()),
        ("name", pa.string()),  # normalised
        ("form", pa.string()),  # as written
        ("abbreviation", pa.bool_()),  # the form stood in brackets behind the name
        ("passages", pa.uint32()),  # of the unit with this form
        ("node_passages", pa.uint32()),  # of the unit with the node in any form
    ]
)
"""Part 1 of graph_pairs, sorted by (node_id, abbreviation, form)."""

PAIR = pa.schema([("src", pa.uint64()), ("dst", pa.uint64()), ("freq", pa.uint32())])
"""Part 2 of graph_pairs, directed, sorted by (src, kind of dst, dst): topic to topic and concept to concept both ways,
topic to concept from the topic alone. Where passages hold many nodes, parts 3, 4 and so on go on counting; they add
up."""

EDGE = PAIR
"""Part 1 of graph_edges: the same, summed over all units, for the sources of one partition."""

NODE = pa.schema(
    [
        ("node_id", pa.uint64()),
        ("kind", pa.int8()),
        ("name", pa.string()),  # commonest form
        ("normal", pa.string()),  # what its id is a hash of
        ("aliases", pa.list_(pa.string())),  # its other forms and abbreviations, commonest first
        ("alias_passages", pa.list_(pa.uint32())),
        ("abbreviations", pa.int32()),  # so many of the aliases, the last ones, stood in brackets
        ("name_passages", pa.uint32()),
        ("doc_freq", pa.uint32()),  # passages with the node
        ("topic_degree", pa.uint32()),  # its first so many edges lead to topics,
        ("concept_degree", pa.uint32()),  # the rest to concepts
        ("offset", pa.int64()),  # row of its first edge in part 1
    ]
)
"""Part 0 of graph_edges, sorted by node_id."""

ALIAS = pa.schema(
    [
        ("node_id", pa.uint64()),
        ("into_id", pa.uint64()),
        ("name", pa.string()),
        ("into_name", pa.string()),
        ("doc_freq", pa.uint32()),
        ("into_doc_freq", pa.uint32()),
        ("rule", pa.string()),  # "abbreviation" or "similarity"
        ("similarity", pa.float64()),  # cosine of the names' embeddings; for abbreviations their share
    ]
)
"""What graph_merges wrote: which nodes are taken for which others, and why. Sorted by node_id; no `into_id` is itself
taken for another."""

SEGMENT = pa.schema(
    [
        ("chunk_id", pa.string()),
        ("doc_id", pa.string()),
        ("license", pa.string()),
        ("subject", pa.string()),
        ("size", pa.uint32()),  # nodes of the passage
        ("extract_file", pa.string()),  # name of the file its CONCEPTS row lies in
        ("row", pa.int64()),
        ("signature", pa.list_(pa.uint32())),
    ]
)
"""Part 0 of graph_index: the passages of a segment, in order."""

TERM = pa.schema([("node_id", pa.uint64()), ("postings", pa.list_(pa.uint32()))])
"""Part 1 of graph_index, sorted by node_id: the positions in part 0 of the passages with the node, ascending."""


def node_id(kind: int, normal: str) -> int:
    """The id of a node: 63 bits of sha256(kind name, zero byte, normalised name), then the kind."""
    digest = hashlib.sha256(f"{KIND_NAMES[kind]}\0{normal}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) & ~1 | kind


def kind_of(ids: U64) -> U64:
    """0 for topics, 1 for concepts."""
    return ids & np.uint64(1)


def partition_range(partition: int, partitions: int) -> tuple[int, int]:
    """First and last id of a partition. `partitions` is a power of two."""
    width = (1 << ID_BITS) // partitions
    return partition * width, (partition + 1) * width - 1
