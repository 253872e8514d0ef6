"""CONCEPTS rows as sets of nodes: names normalised, unusable ones counted, nodes and forms numbered.

Design: the names of a whole table are dictionary-encoded by Arrow, so each distinct one is normalised once, and all
that follows is integer arrays: which passage holds which node, under which form. A name that cannot be used is a
reject of its own and costs its passage nothing else; a passage is turned away when no node is left, or more than its
pairs could be counted for.

Cost: 0.4 ms a passage of 45 names on a busy core, most of it Arrow's nested lists and names met first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from factory.concepts.graph.names import EMPTY, MAX_CHARACTERS, canonical
from factory.concepts.graph.tables import CONCEPT, I64, KIND_NAMES, NAME, TOPIC, U64, node_id
from factory.run.reject import Reject

CACHED_NAMES = 1 << 18
"""Least recently used ones go first. They stay in every worker while it works other steps: with a million of them all
processes at the paper's subset held 4.1 GiB, with these 3.6. A name met anew costs 6 microseconds."""

NO_CONCEPTS, TOO_MANY_CONCEPTS = "no_concepts", "too_many_concepts"


class Form(NamedTuple):
    """A way in which a node was written; abbreviations are those that stood in brackets behind its name."""

    node: int
    abbreviation: bool
    form: str


@dataclass(frozen=True)
class NodeSets:
    """Nodes of P passages. `ids` uint64[N] are the distinct nodes, sorted; passage i of the table holds the nodes
    `members[starts[i]:starts[i + 1]]`, positions in `ids`, ascending (none where it was rejected)."""

    ids: U64
    starts: I64  # [P + 1]
    members: I64
    names: pa.Table  # NAME
    rejects: tuple[Reject, ...]

    @property
    def sizes(self) -> I64:
        return np.diff(self.starts)


def node_sets(table: pa.Table, max_nodes: int) -> NodeSets:
    """Nodes of the passages in a CONCEPTS table (columns chunk_id and topics); P is its number of rows."""
    rejects: list[Reject] = []
    chunk_ids = table.column("chunk_id").to_pylist()
    found = [_occurrences(chunk_ids, kind, *_flat(table, kind), rejects) for kind in (TOPIC, CONCEPT)]
    passages = np.concatenate([each.passages for each in found])
    # The same raw name as topic and as concept are two forms: numbers of concepts' forms follow those of topics.
    named = [name for each in found for name in each.named]
    codes = np.concatenate([found[0].codes, found[1].codes + len(found[0].named)])
    nodes = np.array([name.form.node for name in named], np.uint64)
    passages, codes = _rejected(passages, codes, nodes, chunk_ids, max_nodes, rejects)
    ids, positions = np.unique(nodes[codes], return_inverse=True)
    held = np.unique(passages * max(len(ids), 1) + positions)
    members = held % max(len(ids), 1)
    starts = np.searchsorted(held // max(len(ids), 1), np.arange(len(chunk_ids) + 1))
    names = _names(ids, np.bincount(members, minlength=len(ids)), passages, codes, named)
    return NodeSets(ids, starts, members, names, tuple(rejects))


def _flat(table: pa.Table, kind: int) -> tuple[I64, pa.Array]:
    """Names of one kind, end to end, and the row of the table each stands in."""
    topics = table.column("topics").combine_chunks()
    rows = pc.list_parent_indices(topics).to_numpy()
    flat = pc.list_flatten(topics)
    if kind == TOPIC:
        return rows.astype(np.int64), pc.struct_field(flat, "topic").fill_null("")
    concepts = pc.struct_field(flat, "key_concepts")
    return rows[pc.list_parent_indices(concepts).to_numpy()].astype(np.int64), pc.list_flatten(concepts).fill_null("")


class _Named(NamedTuple):
    """A name as written, of one kind: `normal` is what its node's id is a hash of. Where `problem` is not empty it
    cannot be used."""

    form: Form
    short: Form | None
    normal: str
    problem: str


@lru_cache(CACHED_NAMES)
def _named(kind: int, raw: str) -> _Named:
    name = canonical(raw)
    node = 0 if name.problem else node_id(kind, name.normal)
    short = Form(node, True, name.abbreviation) if name.abbreviation else None
    return _Named(Form(node, False, name.form), short, name.normal, name.problem)


class _Occurrences(NamedTuple):
    """Usable names where they occur: `codes` are places in `named`."""

    passages: I64
    codes: I64
    named: list[_Named]


def _occurrences(chunk_ids: list[str], kind: int, rows: I64, names: pa.Array, rejects: list[Reject]) -> _Occurrences:
    encoded = names.dictionary_encode()
    named: list[_Named] = []
    problems: dict[int, tuple[str, str]] = {}
    code_of = np.full(len(encoded.dictionary), -1, np.int64)
    for place, raw in enumerate(encoded.dictionary.to_pylist()):
        name = _named(kind, raw)
        if name.problem:
            problems[place] = (name.problem, raw)
            continue
        code_of[place] = len(named)
        named.append(name)
    indices = encoded.indices.to_numpy()
    codes = code_of[indices] if len(indices) else np.zeros(0, np.int64)
    for place in np.flatnonzero(codes < 0).tolist():
        problem, raw = problems[int(indices[place])]
        evidence = {"kind": KIND_NAMES[kind], "characters": len(raw)}
        shown = raw[:MAX_CHARACTERS] if problem != EMPTY else None
        rejects.append(Reject(chunk_ids[rows[place]], problem, "output", evidence, shown))
    usable = codes >= 0
    return _Occurrences(rows[usable], codes[usable], named)


def _rejected(
    passages: I64, codes: I64, nodes: U64, chunk_ids: list[str], max_nodes: int, rejects: list[Reject]
) -> tuple[I64, I64]:
    """Occurrences of the passages that are kept; the others are rejected."""
    ids, positions = np.unique(nodes[codes], return_inverse=True)
    held = np.unique(passages * max(len(ids), 1) + positions)
    sizes = np.bincount(held // max(len(ids), 1), minlength=len(chunk_ids))
    for place in np.flatnonzero(sizes == 0).tolist():
        rejects.append(Reject(chunk_ids[place], NO_CONCEPTS))
    for place in np.flatnonzero(sizes > max_nodes).tolist():
        rejects.append(Reject(chunk_ids[place], TOO_MANY_CONCEPTS, evidence={"nodes": int(sizes[place])}))
    keep = sizes[passages] <= max_nodes
    return passages[keep], codes[keep]


def _names(ids: U64, node_passages: npt.NDArray[np.int64], passages: I64, codes: I64, named: list[_Named]) -> pa.Table:
    """NAME rows: how many passages have each form of each node."""
    present = np.zeros(len(named), np.bool_)
    present[codes] = True
    used = np.flatnonzero(present).tolist()
    ordered = sorted({form for code in used for form in named[code][:2] if form is not None})
    number = {form: place for place, form in enumerate(ordered)}
    # Several raw names may be one form ("Groups", " groups."), so forms are counted by passage, not by raw name.
    form_of = np.full((2, len(named)), -1, np.int64)
    form_of[0, used] = [number[named[code].form] for code in used]
    for code in used:
        if (short := named[code].short) is not None:
            form_of[1, code] = number[short]
    seen = np.stack((form_of[0, codes], form_of[1, codes]))
    held = np.unique((passages * max(len(ordered), 1) + seen)[seen >= 0])
    counted = np.bincount(held % max(len(ordered), 1), minlength=len(ordered))
    places = np.searchsorted(ids, np.array([form.node for form in ordered], np.uint64))
    normal = {named[code].form.node: named[code].normal for code in used}
    columns = {
        "node_id": pa.array([form.node for form in ordered], pa.uint64()),
        "name": pa.array([normal[form.node] for form in ordered], pa.string()),
        "form": pa.array([form.form for form in ordered], pa.string()),
        "abbreviation": pa.array([form.abbreviation for form in ordered], pa.bool_()),
        "passages": pa.array(counted, pa.uint32()),
        "node_passages": pa.array(node_passages[places], pa.uint32()),
    }
    return pa.table(columns, schema=NAME)
