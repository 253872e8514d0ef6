"""The nodes of one partition: names, aliases and frequencies of all units, and how many edges each node has.

Design: units say under which forms they met a node, and in how many passages; the commonest form is the node's name and
the others its aliases, with their counts, so that a table made from tables is a table again: an earlier graph's NODE
rows are read like a unit's names. Ties go to the smaller form, so no order of units shows. Two names with one id are
looked for here, where all of them meet.

Cost: 3 microseconds a row of NAME on a busy core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from factory.concepts.graph.counting import Pairs
from factory.concepts.graph.tables import NAME, NODE, TOPIC, U64, kind_of
from factory.errors import ConservationError, StoreError

Array = npt.NDArray[Any]


def node_table(names: Sequence[pa.Table], pairs: Pairs) -> pa.Table:
    """NODE rows from NAME tables, each sorted as graph_pairs writes it, and the edges of the partition.

    Raises ConservationError when two names have one id, StoreError when an edge begins at a node without a name.
    """
    whole = pa.concat_tables(names) if names else NAME.empty_table()
    ids = whole.column("node_id").to_numpy()
    nodes, node = np.unique(ids, return_inverse=True)
    passages = whole.column("passages").to_numpy().astype(np.int64)
    doc_freq = _added(node, whole.column("node_passages").to_numpy() * _first_of_node(names), len(nodes))
    normal = _one_name(nodes, node, whole)

    forms = whole.column("form").combine_chunks().dictionary_encode()
    order = pc.sort_indices(forms.dictionary).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    form = rank[forms.indices.to_numpy()] if len(ids) else np.zeros(0, np.int64)
    short = whole.column("abbreviation").to_numpy(zero_copy_only=False).astype(np.int64)

    # One row a (node, abbreviation, form), then the commonest first.
    groups, group = np.unique(np.stack((node, short, form)), axis=1, return_inverse=True)
    counts = _added(group.reshape(-1), passages, groups.shape[1])
    by = np.lexsort((groups[2], -counts, groups[1], groups[0]))
    node, short, form, counts = groups[0][by], groups[1][by], groups[2][by], counts[by]
    first = np.flatnonzero(np.r_[True, node[1:] != node[:-1]]) if len(node) else np.zeros(0, np.int64)
    alias = np.ones(len(node), np.bool_)
    alias[first] = False
    offsets = pa.array(np.concatenate(([0], np.cumsum(_added(node, alias, len(nodes))))).astype(np.int32))
    written = forms.dictionary.take(pa.array(order)).take(pa.array(form))
    starts, topics = _degrees(nodes, pairs)
    columns = {
        "node_id": pa.array(nodes, pa.uint64()),
        "kind": pa.array(kind_of(nodes).astype(np.int8)),
        "name": written.take(pa.array(first)),
        "normal": normal,
        "aliases": pa.ListArray.from_arrays(offsets, written.filter(pa.array(alias))),
        "alias_passages": pa.ListArray.from_arrays(offsets, pa.array(counts[alias], pa.uint32())),
        "abbreviations": pa.array(_added(node, short, len(nodes)), pa.int32()),
        "name_passages": pa.array(counts[first], pa.uint32()),
        "doc_freq": pa.array(doc_freq, pa.uint32()),
        "topic_degree": pa.array(topics, pa.uint32()),
        "concept_degree": pa.array(np.diff(starts) - topics, pa.uint32()),
        "offset": pa.array(starts[:-1], pa.int64()),
    }
    return pa.table(columns, schema=NODE)


def names_of(nodes: pa.Table) -> pa.Table:
    """NODE rows as the NAME rows they were made of, summed over units."""
    counts = pc.list_value_length(nodes.column("aliases").combine_chunks()).to_numpy().astype(np.int64)
    sizes = counts + 1
    starts = np.cumsum(sizes) - sizes
    rows = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(rows)) - np.repeat(starts, sizes)
    aliases = pc.list_flatten(nodes.column("aliases").combine_chunks())
    held = pc.list_flatten(nodes.column("alias_passages").combine_chunks())
    short = place > np.repeat(counts - nodes.column("abbreviations").to_numpy(), sizes)
    # The name, then its aliases: places in the names followed by all aliases.
    source = np.where(place == 0, rows, len(sizes) + np.arange(len(rows)) - rows - 1)
    take = pa.array(rows)
    columns = {
        "node_id": nodes.column("node_id").combine_chunks().take(take),
        "name": nodes.column("normal").combine_chunks().take(take),
        "form": pa.concat_arrays([nodes.column("name").combine_chunks(), aliases]).take(pa.array(source)),
        "abbreviation": pa.array(short),
        "passages": pa.concat_arrays([nodes.column("name_passages").combine_chunks(), held]).take(pa.array(source)),
        "node_passages": nodes.column("doc_freq").combine_chunks().take(take),
    }
    return pa.table(columns, schema=NAME)


def _added(groups: Array, values: Array, count: int) -> Array:
    total = np.zeros(count, np.int64)
    np.add.at(total, groups, values)
    return total


def _first_of_node(names: Sequence[pa.Table]) -> Array:
    """1 for the first row of a node in each table, where its passages are counted, else 0."""
    parts = [np.zeros(0, np.int64)]
    for table in names:
        ids = table.column("node_id").to_numpy()
        if len(ids):
            parts.append(np.r_[1, (ids[1:] != ids[:-1]).astype(np.int64)])
    return np.concatenate(parts)


def _one_name(nodes: U64, node: Array, whole: pa.Table) -> pa.Array:
    """The normalised name of each node. Raises ConservationError when a node has two."""
    encoded = whole.column("name").combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy() if len(node) else np.zeros(0, np.int32)
    code = np.zeros(len(nodes), np.int64)
    code[node] = codes
    other = np.flatnonzero(code[node] != codes)
    if len(other):
        row = int(other[0])
        two = sorted(encoded.dictionary.take(pa.array([int(code[node[row]]), int(codes[row])])).to_pylist())
        raise ConservationError(
            f"the names {two[0]!r} and {two[1]!r} have the same node id {int(nodes[node[row]]):016x}",
            cause="63 bits of SHA-256 met by chance, or files made with two versions of the normaliser",
            remedy="report both names; rephrasing one of them in the concepts table lets the run go on",
        )
    return encoded.dictionary.take(pa.array(code))


def _degrees(nodes: U64, pairs: Pairs) -> tuple[Array, Array]:
    """int64[N + 1] where each node's edges begin, and int64[N] how many of them lead to topics."""
    starts = np.searchsorted(pairs.src, np.append(nodes, np.uint64(0)))
    starts[-1] = len(pairs.src)
    stops = np.searchsorted(pairs.src, nodes, side="right")
    if int((stops - starts[:-1]).sum()) != len(pairs.src):
        raise StoreError(
            "pairs begin at nodes that no name belongs to",
            cause="the files of one graph_pairs unit come from different attempts, or were changed",
            remedy="delete the commits of the graph_pairs folder to have its units done again",
        )
    before = np.concatenate(([0], np.cumsum(kind_of(pairs.dst) == TOPIC)))
    return starts.astype(np.int64), before[stops] - before[starts[:-1]]
