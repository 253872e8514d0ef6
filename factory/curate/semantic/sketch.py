"""The semantic sketch of every question that curation accepted: its vector, and band entries made of it.

Design: row-wise over curation's files, so a grown run embeds only what is new; matching, comparing and deciding are the
passes of curation (match.py, compare.py, decide.py) with cosines in place of Jaccard similarities. Vectors are kept as
float16 of length 1: 768 bytes for 384 dimensions, and cosines right to a thousandth.

Cost: the embedding model's (select/training/embedding.py): MiniLM some 60 questions a second on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from factory.curate.bands import BY_PLACE, band_layout, band_table
from factory.curate.compare import by_place, nodes_of, read_nodes
from factory.curate.config import CurateConfig
from factory.curate.keep import ACROSS, Criterion, keep_keys, question_columns
from factory.curate.match import Sketched
from factory.curate.semantic.hyperplanes import F32, SemanticParameters, plane_keys
from factory.curate.shingles import I8, WORDS
from factory.curate.similarity import F64
from factory.curate.sketch import SKETCH, SKETCH_LAYOUT
from factory.curate.words import I64, U64, Mask, significant_keys, tokenise
from factory.identity import ids_digest
from factory.run.units import Unit, UnitResult
from factory.select.training.embedding import named_embedding, shared_embedder, unit_length
from factory.store.base import Store
from factory.store.parquet import Layout, read_parquet, read_rows

STEP_VERSION = 1

VECTORS = 0
"""Place of a unit's vectors among its files behind sketches and bands."""


@dataclass(frozen=True)
class SemanticSketchStep:
    """Work step over question files."""

    parameters: SemanticParameters
    keep: tuple[Criterion, ...]

    name = "semantic_sketch"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {**self.parameters.identity(), "keep": list(self.keep)}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        if unit.file is None or unit.picks is not None:
            raise ValueError("a unit of step semantic_sketch covers a whole question file")
        table = read_parquet(store, unit.file.key, question_columns(self.keep))
        texts = table.column("text").to_pylist()
        vectors = unit_length(shared_embedder(self.parameters.model).embed(texts))
        array = tokenise(texts)
        rows = np.arange(len(texts))
        nothing = pa.nulls(len(texts), pa.string())
        ids = table.column("question_id").combine_chunks()
        sketches = pa.table(
            {
                "question_id": ids,
                "row": rows,
                "words": pa.array(array.counts, pa.int32()),
                "level": table.column("level"),
                "order": (order := keep_keys(table, self.keep)).copy(),
                "exact_hash": array.text_hash_column(),
                **dict.fromkeys(("contaminated_by", "benchmark_item", "overlap", "similar_to"), nothing),
            },
            schema=SKETCH,
        )
        order[table.column("level").to_numpy() == ACROSS] = BY_PLACE
        keys = plane_keys(vectors, significant_keys(array), self.parameters)
        bands = band_table(keys, rows, rows, array.text_hashes[:, 0], order)
        packed = pa.table([vector_column(vectors)], names=["vector"])
        digest, none = ids_digest(ids.to_pylist()), ids_digest(())
        return UnitResult(
            inputs=len(texts),
            used=len(texts),
            tables=(sketches, bands, packed),
            layouts=(SKETCH_LAYOUT, band_layout(bands), Layout(encodings={"vector": "PLAIN"}, compression="none")),
            ids_digests=(digest, none, none),
            id_column="question_id",
            input_ids_digest=digest,
            accepted=len(texts),
            accepted_ids_digest=digest,
        )


def semantic_sketch_step(config: CurateConfig) -> SemanticSketchStep | None:
    """None where it is off. Raises ConfigError when the model is not on this machine."""
    semantic = config.semantic
    if semantic.model is None:
        return None
    model = named_embedding(semantic.model, semantic.revision, semantic.max_tokens)
    return SemanticSketchStep(SemanticParameters(model, semantic.threshold), config.keep)


class ByCosine(NamedTuple):
    """Questions as compare.CompareStep compares them: `vectors` float32[N, D] of length 1."""

    vectors: F32

    @property
    def kinds(self) -> I8:
        return np.full(len(self.vectors), WORDS, np.int8)

    def equal(self, one: I64, other: I64) -> Mask:
        """None: equal texts are out, and equal vectors are not equal texts."""
        return np.zeros(len(one), np.bool_)

    def similarities(self, one: I64, other: I64, _threshold: float) -> F64:
        found: F64 = np.einsum("ij,ij->i", self.vectors[one], self.vectors[other]).astype(np.float64)
        return np.minimum(found, 1.0)


def read_vectors(store: Store, sketched: Sequence[Sketched], refs: U64) -> tuple[pa.Table, ByCosine]:
    """FOUND_NODE rows and vectors of the questions that `refs` (sorted) name; a compare.Reader."""

    def read(place: int, rows: I64) -> tuple[pa.Table, F32]:
        vectors = read_rows(store, sketched[place].others[VECTORS].key, rows.tolist(), ["vector"])
        return read_nodes(store, sketched[place], rows), vectors_of(vectors)

    read_in = list(by_place(refs, read))
    vectors = [found for _, found in read_in]
    whole = np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)
    return nodes_of(refs, [nodes for nodes, _ in read_in]), ByCosine(whole)


def vector_column(vectors: F32) -> pa.FixedSizeBinaryArray:
    data = np.ascontiguousarray(vectors.astype("<f2"))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(2 * data.shape[1]), len(data), [None, pa.py_buffer(data)])


def vectors_of(table: pa.Table) -> F32:
    values = table.column("vector").to_pylist()
    if not values:
        return np.zeros((0, 1), np.float32)
    found: F32 = np.frombuffer(b"".join(values), "<f2").reshape(len(values), -1).astype(np.float32)
    return found
