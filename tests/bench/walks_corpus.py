"""Concept sets shaped like the paper's subset, and the files that the graph's steps would make of them.

90,000 passages of 40 concepts and 5 topics over 32,000 topics and 200,000 concepts (arXiv 2503.19551, section 5.1):
frequencies fall like Zipf's, and a passage draws most of its names from one of some thousand communities, so that it
shares them with its like and not with everybody. Edges are counted a range of sources at a time by sorting, which
needs no graph and bounds memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.concepts.walks.adjacency import I64, U32, U64, Partition, partitions_of
from factory.identity import make_id
from factory.run.attempt import StepRun, begin, finish
from factory.run.outputs import Output, write_outputs
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.tables import CONCEPTS

PASSAGES, TOPICS, CONCEPT_NAMES = 90_000, 32_000, 200_000
TOPICS_A_PASSAGE, CONCEPTS_A_PASSAGE = 5, 40
FROM_COMMUNITY = 0.85
PASSAGES_A_COMMUNITY = 45
EXPONENT = 0.8
PARTITIONS = 16
SEGMENT = 64_000
EXTRACT_ROWS = 256
SIGNATURE = 64


@dataclass(frozen=True)
class Sets:
    """Which passage holds which node: pairs sorted by passage, then node. Node n has the id ids[n]; ids are sorted."""

    ids: U64
    passage: I64
    node: I64
    passages: int

    @property
    def doc_freq(self) -> I64:
        return np.bincount(self.node, minlength=len(self.ids))


def concept_sets(scale: float, seed: int = 0) -> Sets:
    """Concept sets of scale x the paper's subset."""
    draw = np.random.default_rng(seed)
    passages = max(60, int(PASSAGES * scale))
    topics, concepts = max(20, int(TOPICS * scale)), max(60, int(CONCEPT_NAMES * scale))
    kinds = np.arange(topics + concepts) >= topics
    # Ids as hashes would be: uniform, with the kind in the lowest bit.
    ids = draw.integers(0, 1 << 63, topics + concepts, dtype=np.uint64) << np.uint64(1) | kinds.astype(np.uint64)
    communities = max(3, passages // PASSAGES_A_COMMUNITY)
    of = np.floor(communities * draw.random(passages) ** 1.5).astype(np.int64)
    held = np.concatenate(
        [
            _names(draw, of, communities, topics, TOPICS_A_PASSAGE),
            topics + _names(draw, of, communities, concepts, CONCEPTS_A_PASSAGE),
        ],
        axis=1,
    )
    order = np.argsort(ids)
    place = np.empty(len(ids), np.int64)
    place[order] = np.arange(len(ids))
    owners = np.repeat(np.arange(passages), held.shape[1])
    pairs = np.unique(owners * len(ids) + place[held.reshape(-1)])
    drawn, node = np.unique(pairs % len(ids), return_inverse=True)
    return Sets(ids[order][drawn], pairs // len(ids), node, passages)


def _names(draw: np.random.Generator, of: I64, communities: int, names: int, count: int) -> I64:
    """int64[P, count]: names by rank; those of a passage's community, and some of everybody's."""
    shape = (len(of), count)
    common = np.minimum(np.floor(names * draw.random(shape) ** (1 / (1 - EXPONENT))), names - 1).astype(np.int64)
    vocabulary = max(count + 10, 3 * names // communities)
    rank = np.floor(vocabulary * draw.random(shape) ** 2).astype(np.int64)
    own = (of[:, None] * np.int64(2_654_435_761) + rank * np.int64(40_503) + of[:, None] * rank) % names
    return np.where(draw.random(shape) < FROM_COMMUNITY, own, common)


def partitions(sets: Sets, count: int = PARTITIONS) -> Iterator[Partition]:
    """The graph of `sets`, one partition after another."""
    bounds = np.searchsorted(sets.passage, np.arange(sets.passages + 1))
    owner = partitions_of(sets.ids, count)
    for index in range(count):
        nodes = np.flatnonzero(owner == index)
        first, last = (int(nodes[0]), int(nodes[-1]) + 1) if len(nodes) else (0, 0)
        mine = np.flatnonzero((sets.node >= first) & (sets.node < last))
        yield _partition(sets, bounds, mine, first, last)


def _partition(sets: Sets, bounds: I64, mine: I64, first: int, last: int) -> Partition:
    passage = sets.passage[mine]
    sizes = bounds[passage + 1] - bounds[passage]
    offsets = np.cumsum(sizes) - sizes
    src = np.repeat(sets.node[mine], sizes)
    dst = sets.node[np.repeat(bounds[passage] - offsets, sizes) + np.arange(int(sizes.sum()))]
    kind = (sets.ids & np.uint64(1)).astype(np.int64)
    kept = (src != dst) & ((kind[src] == 0) | (kind[dst] == 1))
    # One sortable number: source, kind of destination, destination.
    keys = ((src[kept] * 2 + kind[dst[kept]]) << 32) | dst[kept]
    del src, dst, kept
    keys, freq = np.unique(keys, return_counts=True)
    found, far = keys >> 33, keys & 0xFFFFFFFF
    starts = np.searchsorted(found, np.arange(first, last + 1))
    topics_before = np.concatenate(([0], np.cumsum((keys >> 32) & 1 == 0)))
    return Partition(
        sets.ids[first:last],
        starts.astype(np.int64),
        (topics_before[starts[1:]] - topics_before[starts[:-1]]).astype(np.int64),
        sets.ids[far],
        freq.astype(np.uint32),
    )


def put(store: Store, folder: str, unit: str, tables: tuple[pa.Table, ...]) -> list[Output]:
    """Commits tables as the runner would."""
    count = tables[0].num_rows
    run = StepRun(folder, "bench")
    result = UnitResult(count, count, tables, "none of its own", accepted=count)
    made = finish(store, run, begin(store, run, Unit(make_id("unit", folder, unit)), {}), result).commit
    assert made is not None
    return [Output(made.unit, "", file) for file in made.files]


def put_graph(store: Store, sets: Sets) -> tuple[str, int]:
    """The graph's files; the key of their outputs, and how many directed edges there are."""
    outputs: list[Output] = []
    edges, doc_freq, done = 0, sets.doc_freq.astype(np.uint32), 0
    for index, partition in enumerate(partitions(sets)):
        degrees = np.diff(partition.starts)
        nodes = pa.table(
            {
                "node_id": partition.node_ids,
                "name": pa.array([f"name {node:x}" for node in partition.node_ids.tolist()]),
                "doc_freq": doc_freq[done : done + len(degrees)],
                "topic_degree": partition.topic_degrees.astype(np.uint32),
                "concept_degree": (degrees - partition.topic_degrees).astype(np.uint32),
            }
        )
        rows = pa.table({"dst": partition.dst, "freq": partition.freq})
        outputs += put(store, "graph_edges-bench", str(index), (nodes, rows))
        edges, done = edges + len(partition.dst), done + len(degrees)
    return write_outputs(store, "bench", "graph_edges", outputs), edges


def put_index(store: Store, sets: Sets) -> str:
    """Segments of the inverted index, and the extract files that its passages lie in; the key of its outputs."""
    extracted = [_extract_file(store, start, sets.passages) for start in range(0, sets.passages, EXTRACT_ROWS)]
    outputs: list[Output] = []
    for start in range(0, sets.passages, SEGMENT):
        stop = min(start + SEGMENT, sets.passages)
        outputs += put(store, "graph_index-bench", str(start), _segment(sets, extracted, start, stop))
    return write_outputs(store, "bench", "graph_index", outputs)


def _segment(sets: Sets, extracted: list[FileRef], start: int, stop: int) -> tuple[pa.Table, pa.Table]:
    low, high = np.searchsorted(sets.passage, (start, stop))
    node, position = sets.node[low:high], (sets.passage[low:high] - start).astype(np.uint32)
    order = np.lexsort((position, node))
    nodes, first = np.unique(node[order], return_index=True)
    numbers = np.arange(start, stop)
    random: U32 = np.random.default_rng(start).integers(0, 1 << 32, (stop - start, SIGNATURE), dtype=np.uint32)
    passages = pa.table(
        {
            "chunk_id": pa.array(map(chunk_id, numbers.tolist()), pa.string()),
            "doc_id": pa.array([make_id("document", number) for number in numbers.tolist()]),
            "license": pa.array(["CC-BY-4.0"] * len(numbers)),
            "size": np.bincount(position, minlength=len(numbers)).astype(np.uint32),
            "extract_file": pa.array([extracted[number // EXTRACT_ROWS].name for number in numbers.tolist()]),
            "row": numbers % EXTRACT_ROWS,
            "signature": _lists(random.reshape(-1), np.arange(0, random.size + 1, SIGNATURE)),
        }
    )
    terms = pa.table({"node_id": sets.ids[nodes], "postings": _lists(position[order], np.append(first, len(order)))})
    return passages, terms


def _lists(values: Any, bounds: Any) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), pa.array(values))


def chunk_id(number: int) -> str:
    return make_id("chunk", number)


def _extract_file(store: Store, start: int, passages: int) -> FileRef:
    rows = []
    for number in range(start, min(start + EXTRACT_ROWS, passages)):
        source = {"doc_id": make_id("document", number), "chunk_id": chunk_id(number), "file": "select-bench/u/0"}
        source |= {"row": number, "license": "CC-BY-4.0", "url": f"https://example.org/{number}"}
        rows.append({"chunk_id": chunk_id(number), "edu_level": "college", "subject": "bench", "sources": [source]})
    return put(store, "extract-bench", str(start), (pa.Table.from_pylist(rows, schema=CONCEPTS),))[0].file
