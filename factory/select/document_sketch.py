"""The sketch of every document: its hash and band keys, for finding near-duplicates.

Design: row-wise over what `select` committed, so a grown corpus sketches only what is new, and apart from
`select`, whose filters need no other document. Signatures are curation's (curate/minhash.py, readable by
datasketch) over word shingles of the whole document; unlike questions, documents that differ in their numbers
alone are one (a page printed on another day). A document whose chunks run over two files is sketched by its
first file's chunks.

Cost, one core: 21 microseconds a document of 1,700 characters; 60 + 10 x bands bytes a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.corpus.sample import sample_key
from factory.curate.bands import band_layout, band_table
from factory.curate.minhash import LshParameters, band_keys, shingle_hashes
from factory.curate.words import I64, NORMALISER_VERSION, U64, TokenArray, tokenise
from factory.identity import ids_digest
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import DEFAULT_LAYOUT, read_parquet

STEP_VERSION = 3

DOCUMENT_SKETCH = pa.schema(
    [
        ("doc_id", pa.string()),
        ("row", pa.int64()),  # of its first chunk in the select file
        ("rows", pa.int32()),  # its chunks there
        ("sample_key", pa.uint64()),  # which of two near-duplicates is kept
        ("exact_hash", pa.binary(16)),  # of the normal form
    ]
)


@dataclass(frozen=True)
class DocumentSketchStep:
    """Work step over select files."""

    parameters: LshParameters

    name = "document_sketch"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        lsh = self.parameters.identity()
        # The threshold acts here only through the bands; a new one with the same bands keeps the sketches.
        del lsh["threshold"]
        return {"lsh": lsh, "normaliser": NORMALISER_VERSION}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        if unit.file is None or unit.picks is not None:
            raise ValueError("a document sketch unit covers a whole select file")
        table = read_parquet(store, unit.file.key, ["chunk_id", "doc_id", "chunk", "text"])
        starts = document_starts(table)
        chunk_ids = table.column("chunk_id").to_pylist()
        sketches, bands = sketch_tables(table, starts, unit.file.name, self.parameters)
        doc_ids = sketches.column("doc_id").to_pylist()
        return UnitResult(
            inputs=len(chunk_ids),
            used=len(chunk_ids),
            tables=(sketches, bands),
            layouts=(DEFAULT_LAYOUT, band_layout(bands)),
            id_column="doc_id",
            input_ids_digest=ids_digest(chunk_ids),
            accepted=len(doc_ids),
            accepted_ids_digest=ids_digest(doc_ids),
        )


def document_starts(table: pa.Table) -> I64:
    """int64[D]: rows at which a document's chunks begin in a select file; copies of a document count apart."""
    doc_ids = np.array(table.column("doc_id").to_pylist(), "S32")
    if not len(doc_ids):
        return np.zeros(0, np.int64)
    chunks = table.column("chunk").to_numpy()
    new: I64 = np.flatnonzero((chunks == 0) | np.r_[True, doc_ids[1:] != doc_ids[:-1]])
    return new


def sketch_tables(table: pa.Table, starts: I64, file: str, parameters: LshParameters) -> tuple[pa.Table, pa.Table]:
    """DOCUMENT_SKETCH and BAND rows of the documents that begin at rows `starts` of the select file named `file`."""
    counts = np.diff(np.append(starts, table.num_rows))
    array = tokenise(document_texts(table.column("text").to_pylist(), starts))
    keys, owners = sketch_keys(array, parameters), np.arange(len(starts))
    order = np.array([sample_key(file, row) for row in starts.tolist()], np.uint64)
    columns = [
        table.column("doc_id").take(pa.array(starts)).combine_chunks(),
        pa.array(starts, pa.int64()),
        pa.array(counts, pa.int32()),
        pa.array(order),
        array.text_hash_column(),
    ]
    return pa.table(columns, schema=DOCUMENT_SKETCH), band_table(keys, owners, starts, array.text_hashes[:, 0], order)


def document_texts(chunks: Sequence[str], starts: I64) -> list[str]:
    """Each document's chunks, which follow each other, as one text."""
    stops = np.append(starts[1:], len(chunks))
    return ["\n".join(chunks[start:stop]) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]


def sketch_keys(array: TokenArray, parameters: LshParameters) -> U64:
    """uint64[N, bands] of N tokenised documents; numbers are shingled like words and do not keep texts apart."""
    if not len(array.counts):
        return np.empty((0, parameters.bands), np.uint64)
    hashes, offsets = shingle_hashes(array, parameters.shingle_words)
    nothing = np.zeros(len(array.counts), np.uint64)
    return band_keys(hashes, offsets, nothing, parameters)
