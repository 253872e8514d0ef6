"""The inverted index as it was committed, for matching: segments, signatures, and where passages lie.

Design: each unit of step `graph_index` wrote one segment: its passages in order (part 0) and the passages of every
node (part 1). Segments are read one after another and let go; what must be known of the few passages that walks end
up with is read by row. Passages without signatures are compared by their sets of nodes: equal sets count as one text,
the only evidence there is.

Cost: reading is part of `make bench NAME=graph`; one segment is held at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.concepts.walks.adjacency import I64, U32, U64, Flags
from factory.concepts.walks.draws import F64
from factory.concepts.walks.match import Segment, id_words, place_of
from factory.errors import StoreError
from factory.run.outputs import read_outputs, resolve
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.parquet import read_parquet, read_rows

PASSAGES_PART, TERMS_PART = 0, 1

PASSAGE_COLUMNS = ["chunk_id", "doc_id", "extract_file", "row"]
CONCEPTS_COLUMNS = ["edu_level", "subject", "sources"]


@dataclass(frozen=True)
class StoredIndex:
    """A pairing.Index over committed segments, as (passages, terms)."""

    store: Store
    files: Sequence[tuple[FileRef, FileRef]]

    def segments(self) -> Iterator[Segment]:
        return (self.segment(number) for number in range(len(self.files)))

    def segment(self, number: int) -> Segment:
        passages, terms = self.files[number]
        table = read_parquet(self.store, passages.key, ["chunk_id", "doc_id", "license", "size"])
        nodes = read_parquet(self.store, terms.key, ["node_id", "postings"])
        postings = nodes.column("postings").combine_chunks()
        lengths = postings.value_lengths().to_numpy()
        return Segment(
            number,
            nodes.column("node_id").to_numpy(),
            np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
            postings.flatten().to_numpy(),
            table.column("size").to_numpy().astype(np.int32),
            id_words(table.column("chunk_id").to_pylist()),
            id_words(table.column("doc_id").to_pylist()),
            table.column("license").to_pylist(),
        )

    def similarity(self, first: I64, second: I64) -> F64:
        """Share of equal MinHash values of each two passages; 1 or 0 by their sets of nodes where one has none."""
        places, inverse = np.unique(np.concatenate((first, second)), return_inverse=True)
        signatures, signed, sets = self._signatures(places)
        one, other = inverse[: len(first)], inverse[len(first) :]
        equal: F64 = (signatures[one] == signatures[other]).mean(axis=1) if signatures.shape[1] else np.zeros(len(one))
        same_set = (sets[one] == sets[other]).all(axis=1).astype(np.float64)
        return np.where(signed[one] & signed[other], equal, same_set)

    def passages(self, places: I64) -> pa.Table:
        """PASSAGE_COLUMNS and CONCEPTS_COLUMNS of the passages at `places`, in their order."""
        found = [
            (rows, read_rows(self.store, self.files[number][PASSAGES_PART].key, at.tolist(), PASSAGE_COLUMNS))
            for number, rows, at in _by_segment(places)
        ]
        table = _in_order(found, PASSAGE_COLUMNS)
        names = table.column("extract_file").combine_chunks().dictionary_encode()
        at = table.column("row").to_numpy()
        concepts = []
        for code, name in enumerate(names.dictionary.to_pylist()):
            rows = np.flatnonzero(names.indices.to_numpy() == code)
            key = resolve(self.store, name).key
            concepts.append((rows, read_rows(self.store, key, at[rows].tolist(), CONCEPTS_COLUMNS)))
        extracted = _in_order(concepts, CONCEPTS_COLUMNS)
        for column in CONCEPTS_COLUMNS:
            table = table.append_column(column, extracted.column(column))
        return table

    def _signatures(self, places: I64) -> tuple[U32, Flags, U64]:
        """Signatures [M, P] (zeros where there is none), which have one, and, where one is missing, a hash and the
        size of every passage's set of nodes [M, 2]."""
        signatures: U32 = np.zeros((len(places), 0), np.uint32)
        signed, sets = np.zeros(len(places), np.bool_), np.zeros((len(places), 2), np.uint64)
        read = [
            (number, rows, at, read_rows(self.store, self.files[number][PASSAGES_PART].key, at.tolist(), ["signature"]))
            for number, rows, at in _by_segment(places)
        ]
        for _, rows, _, table in read:
            column = table.column("signature").combine_chunks()
            present = column.is_valid().to_numpy(zero_copy_only=False)
            values = column.drop_null().flatten().to_numpy()
            if not len(values):
                continue
            values = values.reshape(int(present.sum()), -1)
            if not signatures.shape[1]:
                signatures = np.zeros((len(places), values.shape[1]), np.uint32)
            signatures[rows[present]], signed[rows[present]] = values, True
        if not signed.all():
            for number, rows, at, _ in read:
                sets[rows] = _set_hashes(self.segment(number))[at]
        return signatures, signed, sets


def stored_index(store: Store, key: str) -> StoredIndex:
    """The index behind the outputs of step `graph_index`. Raises KeyError when that has not finished."""
    parts: dict[str, dict[int, FileRef]] = {}
    for output in read_outputs(store, key):
        parts.setdefault(output.unit, {})[int(output.file.name.rsplit("/", 1)[1])] = output.file
    if any(unit.keys() != {PASSAGES_PART, TERMS_PART} for unit in parts.values()):
        raise StoreError(
            f"{key} in {store.uri} names a segment without its passages or its terms",
            cause="it is not the outputs index of step graph_index",
            remedy="run again",
        )
    return StoredIndex(store, tuple((unit[PASSAGES_PART], unit[TERMS_PART]) for unit in parts.values()))


def _by_segment(places: I64) -> Iterator[tuple[int, I64, I64]]:
    """Every segment with some of `places`: its number, which of them are its own, and the positions in it."""
    numbers, positions = place_of(places)
    for number in np.unique(numbers).tolist():
        rows = np.flatnonzero(numbers == number)
        yield number, rows, positions[rows]


def _in_order(parts: Sequence[tuple[I64, pa.Table]], columns: Sequence[str]) -> pa.Table:
    """Rows of all tables, each at the place its number says."""
    if not parts:
        return pa.table({name: pa.nulls(0) for name in columns})
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    return pa.concat_tables([table for _, table in parts]).take(pa.array(order))


def _set_hashes(segment: Segment) -> npt.NDArray[np.uint64]:
    """uint64[N, 2]: sum of the mixed ids of each passage's nodes, and their number."""
    ids = np.repeat(segment.node_ids, np.diff(segment.starts))
    ids = (ids ^ (ids >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    hashes = np.zeros(len(segment.sizes), np.uint64)
    np.add.at(hashes, segment.positions, ids ^ (ids >> np.uint64(29)))
    return np.stack((hashes, segment.sizes.astype(np.uint64)), axis=1)
