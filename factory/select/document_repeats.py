"""Which documents repeat another one: the second, global phase of selection.

Design: curation's own passes over the sketches of all select files: candidates share a band key (curate/match.py), are
compared by the exact Jaccard similarity of their word shingles (curate/compare.py, with the reader given here), and a
document falls only because of one that is kept, so there are no chains (curate/decide.py). Which of two is kept is the
one that comes first in the sampling order (corpus/sample.py), so a larger sample keeps what a smaller one kept. Only
the texts of documents that share a key are read again. The decisions are read by select/merge.py, which leaves the
document's chunks out and says why.

A document that occurs several times (the same text, hence the same id) is one document here: `merge` joins its copies.

Cost: as curate's passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.curate.compare import FOUND_NODE, ByShingles, all_shingles, by_place, by_shingles, place_range
from factory.curate.decide import judged, keep_order, whole_clusters
from factory.curate.match import Sketched, sketched_files
from factory.curate.minhash import LshParameters
from factory.curate.shingles import Shingling
from factory.curate.words import I64, U64
from factory.identity import add_digests, ids_digest
from factory.run.outputs import read_outputs, resolve
from factory.run.units import Unit, UnitResult
from factory.select.document_sketch import document_texts
from factory.store.base import Store
from factory.store.parquet import read_parquet, read_rows

STEP_VERSION = 3

PAIRS_A_UNIT = 50_000
"""Pairs of documents that a unit compares, about: their texts are longer than questions, and so are their shingles."""

REPEATS = pa.schema(
    [
        ("doc_id", pa.string()),
        ("kept_id", pa.string()),  # the document it repeats
        ("similarity", pa.float64()),  # exact Jaccard of their shingle sets
    ]
)


@dataclass(frozen=True)
class DocumentDecideStep:
    """Work step with a unit a range of places; its parameters are those of curate's decide step."""

    parameters: LshParameters

    name = "document_decide"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"lsh": self.parameters.identity()}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        given = unit.parameters
        start, stop = given["places"]
        sketched = sketched_files(read_outputs(store, given["sketches"]))
        clusters = whole_clusters(store, read_outputs(store, given["edges"]), (start, stop))
        repeats = repeated(clusters.nodes, clusters.edges, place_range(start, stop))
        own = [each.sketches for each in sketched[start:stop]]
        ids = [name for file in own for name in read_parquet(store, file.key, ["doc_id"]).column("doc_id").to_pylist()]
        fallen = set(repeats.column("doc_id").to_pylist())
        kept = [name for name in ids if name not in fallen]
        return UnitResult(
            inputs=len(ids),
            used=len(ids),
            tables=(repeats,),
            id_column="doc_id",
            input_ids_digest=add_digests(file.ids_digest for file in own),
            accepted=len(kept),
            accepted_ids_digest=ids_digest(kept),
            facts={"near_duplicates": repeats.num_rows},
        )


def repeated(nodes: pa.Table, edges: pa.Table, bounds: tuple[int, int]) -> pa.Table:
    """REPEATS rows of the documents that fall, of those whose first occurrence lies within `bounds`, once each."""
    if not nodes.num_rows:
        return REPEATS.empty_table()
    nodes = nodes.take(pa.array(keep_order(nodes)))
    refs: U64 = nodes.column("ref").to_numpy()
    ids = np.array(nodes.column("id").to_pylist(), "S")
    verdicts = judged(refs, edges)
    _, first = np.unique(ids, return_index=True)  # nodes stand in the sampling order: the first is what counts
    first = np.sort(first)
    own = (refs[first] >= np.uint64(bounds[0])) & (refs[first] <= np.uint64(bounds[1]))
    fallen = first[own & (ids[verdicts.kept[first]] != ids[first])]
    names = [[name.decode() for name in ids[rows].tolist()] for rows in (fallen, verdicts.kept[fallen])]
    return pa.table([*names, verdicts.similarity[fallen].tolist()], schema=REPEATS)


@dataclass(frozen=True)
class Documents:
    """A compare.Reader: documents by the select file they begin in and their first row there."""

    shingling: Shingling

    def __call__(self, store: Store, sketched: Sequence[Sketched], refs: U64) -> tuple[pa.Table, ByShingles]:
        nodes: list[pa.Table] = []
        compared: list[ByShingles] = []
        for found, texts in read_documents(store, sketched, refs):
            nodes.append(found)
            compared += by_shingles(texts, self.shingling)
        return document_nodes(refs, nodes), all_shingles(compared)


def read_documents(store: Store, sketched: Sequence[Sketched], refs: U64) -> Iterator[tuple[pa.Table, list[str]]]:
    """DOCUMENT_SKETCH columns and texts of documents, file by file; `refs` (sorted) name select files and first rows
    there."""

    def read(place: int, rows: I64) -> tuple[pa.Table, list[str]]:
        sketches = read_parquet(store, sketched[place].sketches.key, ["doc_id", "row", "rows", "sample_key"])
        found = sketches.take(pa.array(np.searchsorted(sketches.column("row").to_numpy(), rows)))
        counts = found.column("rows").to_numpy()
        spans = zip(rows.tolist(), (rows + counts).tolist(), strict=True)
        chunks = [row for span in spans for row in range(*span)]
        key = resolve(store, sketched[place].parent).key
        texts = read_rows(store, key, chunks, ["text"]).column("text").to_pylist()
        return found, document_texts(texts, np.cumsum(counts) - counts)

    return by_place(refs, read)


def document_nodes(refs: U64, tables: Sequence[pa.Table]) -> pa.Table:
    """FOUND_NODE rows of what `read_documents` gave for `refs`."""
    if not tables:
        return FOUND_NODE.empty_table()
    found = pa.concat_tables(tables)
    levels = np.zeros(len(refs), np.int8)
    columns = [pa.array(refs), found.column("doc_id"), pa.array(levels), found.column("sample_key")]
    return pa.table(columns, schema=FOUND_NODE)


def read_repeats(store: Store, key: str) -> dict[str, tuple[str, float]]:
    """Document id -> (id of the kept document, similarity), from the outputs index of the step that decides."""
    tables = [read_parquet(store, output.file.key) for output in read_outputs(store, key)]
    columns = (pa.concat_tables(tables).column(name).to_pylist() for name in REPEATS.names)
    return {doc_id: (kept, similarity) for doc_id, kept, similarity in zip(*columns, strict=True)}
