"""Which documents repeat another one: the second, global phase of selection.

Design: the sketches of all select files are judged together by curation's own judge (curate/duplicates.py):
candidates share a band key, are verified by the exact Jaccard similarity of their word shingles, and a
document falls only because of one that is kept, so there are no chains. Which of two is kept is the one that
comes first in the sampling order (corpus/sample.py), so a larger sample keeps what a smaller one kept. Only
the texts of documents that share a key are read again. The decisions are read by select/merge.py, which
leaves the document's chunks out and says why.

Cost: as curate/match.py; 56 + 8 x bands bytes a document in one worker's memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.curate.duplicates import Sketches, find_duplicates
from factory.curate.minhash import LshParameters, shingle_hashes
from factory.curate.words import I64, U64, tokenise
from factory.identity import add_digests, ids_digest
from factory.run.outputs import Output, read_outputs, resolve
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet, read_rows

STEP_VERSION = 1

REPEATS = pa.schema(
    [
        ("doc_id", pa.string()),
        ("kept_id", pa.string()),  # the document it repeats
        ("similarity", pa.float64()),  # exact Jaccard of their shingle sets
    ]
)

PARALLEL_READS = 16


@dataclass(frozen=True)
class DocumentMatchStep:
    """Work step with one unit; its parameter `sketches` is the key of the sketch step's outputs index."""

    parameters: LshParameters

    name = "document_match"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"lsh": self.parameters.identity()}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        outputs = read_outputs(store, unit.parameters["sketches"])
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            tables = list(pool.map(lambda output: read_parquet(store, output.file.key), outputs))
        first = _first_occurrences(tables)
        sketches = _stack(tables, first, self.parameters.bands)
        texts = _Texts(store, outputs, tables, first, self.parameters.shingle_words)
        found = find_duplicates(sketches, self.parameters.threshold, texts.shingles)
        ids = sketches.ids
        kept = np.ones(len(ids), np.bool_)
        kept[found.dropped] = False
        repeats = pa.table(
            [
                [name.decode() for name in ids[found.dropped].tolist()],
                [name.decode() for name in ids[found.kept].tolist()],
                found.similarity.tolist(),
            ],
            schema=REPEATS,
        )
        occurrences = sum(table.num_rows for table in tables)
        return UnitResult(
            inputs=occurrences,
            used=occurrences,
            tables=(repeats,),
            id_column="doc_id",
            input_ids_digest=add_digests(output.file.ids_digest for output in outputs),
            accepted=int(kept.sum()),
            accepted_ids_digest=ids_digest(name.decode() for name in ids[kept].tolist()),
            ledger={"compared_pairs": found.pairs, "crowded_buckets": found.crowded},
            facts={"documents": len(ids), "near_duplicates": len(found.dropped)},
        )


def read_repeats(store: Store, key: str) -> dict[str, tuple[str, float]]:
    """Document id -> (id of the kept document, similarity), from the step's outputs index."""
    table = read_parquet(store, read_outputs(store, key)[0].file.key)
    columns = (table.column(name).to_pylist() for name in REPEATS.names)
    return {doc_id: (kept, similarity) for doc_id, kept, similarity in zip(*columns, strict=True)}


def _first_occurrences(tables: Sequence[pa.Table]) -> I64:
    """int64[D, 2]: (file, row of its sketch table) of each document's occurrence that comes first in the
    sampling order."""
    if not sum(table.num_rows for table in tables):
        return np.zeros((0, 2), np.int64)
    files = np.repeat(np.arange(len(tables)), [table.num_rows for table in tables])
    rows = np.concatenate([np.arange(table.num_rows) for table in tables])
    ids = np.concatenate([np.array(table.column("doc_id").to_pylist(), "S32") for table in tables if table.num_rows])
    keys = np.concatenate([table.column("sample_key").to_numpy() for table in tables])
    order = np.lexsort((rows, files, keys, ids))
    new = np.ones(len(order), np.bool_)
    new[1:] = ids[order][1:] != ids[order][:-1]
    chosen = np.sort(order[new])
    return np.stack((files[chosen], rows[chosen]), axis=1)


def _stack(tables: Sequence[pa.Table], first: I64, bands: int) -> Sketches:
    taken = [table.take(pa.array(first[first[:, 0] == file, 1])) for file, table in enumerate(tables)]
    ids = [np.array(table.column("doc_id").to_pylist(), "S32") for table in taken if table.num_rows]
    exact = [b"".join(table.column("exact_hash").to_pylist()) for table in taken]
    keys = [table.column("band_keys").combine_chunks().flatten().to_numpy() for table in taken]
    samples = [table.column("sample_key").to_numpy() for table in taken]
    return Sketches(
        ids=np.concatenate(ids) if ids else np.zeros(0, "S32"),
        levels=np.zeros(len(first), np.int8),
        sample_keys=np.concatenate([np.zeros(0, np.uint64), *samples]),
        exact=np.frombuffer(b"".join(exact), "<u8").reshape(-1, 2),
        keys=np.concatenate([np.zeros(0, np.uint64), *keys]).reshape(-1, bands),
        eligible=np.ones(len(first), np.bool_),
    )


@dataclass(frozen=True)
class _Texts:
    """Shingles of documents, from the select files their sketches were made of."""

    store: Store
    outputs: Sequence[Output]
    tables: Sequence[pa.Table]
    first: I64
    size: int

    def shingles(self, documents: I64) -> tuple[U64, I64]:
        """As duplicates.Shingles. Reads every select file that holds one of `documents` once."""
        places = self.first[documents]
        groups = [np.flatnonzero(places[:, 0] == file) for file in np.unique(places[:, 0])]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            hashed = list(pool.map(lambda group: self._of_file(places[group]), groups))
        values: list[U64] = [np.zeros(0, np.uint64)] * len(documents)
        for group, (hashes, offsets) in zip(groups, hashed, strict=True):
            for number, position in enumerate(group.tolist()):
                values[position] = hashes[offsets[number] : offsets[number + 1]]
        offsets = np.concatenate(([0], np.cumsum([len(value) for value in values])))
        return np.concatenate(values), offsets

    def _of_file(self, places: I64) -> tuple[U64, I64]:
        file = int(places[0, 0])
        table = self.tables[file]
        starts = table.column("row").to_numpy()[places[:, 1]]
        counts = table.column("rows").to_numpy()[places[:, 1]]
        rows = [
            row
            for start, count in zip(starts.tolist(), counts.tolist(), strict=True)
            for row in range(start, start + count)
        ]
        chunks = read_rows(self.store, resolve(self.store, self.outputs[file].parent).key, rows, ["text"])
        texts = chunks.column("text").to_pylist()
        ends = np.cumsum(counts)
        joined = [
            "\n".join(texts[end - count : end]) for end, count in zip(ends.tolist(), counts.tolist(), strict=True)
        ]
        return shingle_hashes(tokenise(joined), self.size)
