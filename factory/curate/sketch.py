"""The sketch of every question: its band entries, and whether it overlaps a benchmark.

Design: first of curation's passes, and row-wise: a question's sketch depends on its text and the benchmark files
alone, so a grown run sketches only what is new. The passes behind it are global; they read these rows and the texts of
candidates, never all texts. Questions that overlap a benchmark have no entries: nothing is dropped because of them.
The benchmark index is built on the driver (`prepare`), kept in the store under the hash of its contents, and loaded
once per worker process.

Cost, one core: 5 microseconds a question of 60 words, and with benchmarks what docs/benchmarks.md says (`decon`);
reading and writing it come on top. Some 500 bytes of band entries a question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.curate.bands import BY_PLACE, band_layout, band_table
from factory.curate.config import CurateConfig
from factory.curate.decon.hits import Screen, count_evidence
from factory.curate.index_store import BenchmarkIndex, benchmark_index
from factory.curate.keep import ACROSS, DEFAULT, Criterion, keep_keys, question_columns
from factory.curate.minhash import LshParameters, sketch_keys
from factory.curate.shingles import shingled
from factory.curate.words import I64, NORMALISER_VERSION, template_keys
from factory.identity import canonical_json, ids_digest
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import Layout, read_parquet

STEP_VERSION = 5

SKETCH = pa.schema(
    [
        ("question_id", pa.string()),
        ("row", pa.int64()),  # in the question file, whatever rows of it the unit picked
        ("words", pa.int32()),
        ("level", pa.int8()),
        ("order", pa.uint64()),  # keep.keep_keys: of two the lower stays
        ("exact_hash", pa.binary(16)),  # of the normal form
        ("contaminated_by", pa.string()),  # benchmark; null where clean
        ("benchmark_item", pa.string()),
        ("overlap", pa.string()),  # canonical JSON: rule, score, matched words, span
        ("similar_to", pa.string()),  # the same of a kept row: other numbers, or near by embedding
    ]
)


SKETCH_LAYOUT = Layout(1 << 14, {"question_id": "PLAIN", "exact_hash": "PLAIN", "row": "PLAIN", "order": "PLAIN"})
"""Read whole, always; what is random is in no dictionary."""

SKETCHES, BANDS = 0, 1
"""Parts of a unit's output: SKETCH rows, and bands.BAND rows of those that overlap no benchmark."""


@dataclass(frozen=True)
class SketchStep:
    """Work step over question files."""

    parameters: LshParameters
    index: BenchmarkIndex
    keep: tuple[Criterion, ...] = DEFAULT

    name = "sketch"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        lsh = self.parameters.identity()
        # The threshold acts here only through bands and second views; a new one with the same ones keeps the sketches.
        del lsh["threshold"]
        identity = {"lsh": lsh, "normaliser": NORMALISER_VERSION, "benchmarks": self.index.identity}
        return {**identity, "keep": list(self.keep)}

    def prepare(self, store: Store) -> None:
        """Puts the benchmark index into the store; to be called on the driver before units are worked."""
        self.index.prepare(store)

    def work(self, store: Store, unit: Unit) -> UnitResult:
        if unit.file is None:
            raise ValueError("a sketch unit covers a question file")
        table = read_parquet(store, unit.file.key, question_columns(self.keep))
        rows = np.arange(table.num_rows) if unit.picks is None else np.array(unit.picks, np.int64)
        if unit.picks is not None:
            table = table.take(rows)
        sketches, bands = sketch_tables(table, rows, self.parameters, self.index.screen(store), self.keep)
        ids = table.column("question_id").to_pylist()
        digest = ids_digest(ids)
        contaminated = sketches.num_rows - sketches.column("contaminated_by").null_count
        return UnitResult(
            inputs=len(ids),
            used=len(ids),
            tables=(sketches, bands),
            layouts=(SKETCH_LAYOUT, band_layout(bands)),
            ids_digests=(digest, ids_digest(())),
            id_column="question_id",
            input_ids_digest=digest,
            accepted=len(ids),
            accepted_ids_digest=digest,
            ledger={
                "contaminated": contaminated,
                "similar": sketches.num_rows - sketches.column("similar_to").null_count,
            },
            facts=count_evidence("leak", sketches.column("overlap").drop_null().to_pylist())
            + count_evidence("alike", sketches.column("similar_to").drop_null().to_pylist()),
        )


def sketch_step(config: CurateConfig) -> SketchStep:
    """The step that `config` describes. Reads the benchmark files; raises ConfigError where they are missing,
    unreadable or lack a field."""
    parameters = lsh_parameters(config)
    return SketchStep(parameters, benchmark_index(config.benchmarks, config.decontamination), config.keep)


def lsh_parameters(config: CurateConfig) -> LshParameters:
    return LshParameters(config.shingle_words, config.permutations, config.threshold, config.shingles == "by_length")


def sketch_tables(
    table: pa.Table,
    rows: I64,
    parameters: LshParameters,
    screen: Screen | None,
    keep: Sequence[Criterion] = DEFAULT,
) -> tuple[pa.Table, pa.Table]:
    """SKETCH and BAND rows of a question table's rows; `rows` int64[N] are their places in the question file."""
    texts: list[str] = table.column("text").to_pylist()
    array, views = shingled(texts, parameters.shingling)
    hits = screen.best(texts, array) if screen is not None else {}
    found = {place: hit for place, hit in hits.items() if screen is not None and screen.rejects(hit)}
    similar = {place: hit for place, hit in hits.items() if place not in found}
    order = keep_keys(table, keep)
    columns = [
        table.column("question_id").combine_chunks(),
        pa.array(rows, pa.int64()),
        pa.array(array.counts, pa.int32()),
        table.column("level").combine_chunks(),
        pa.array(order),
        array.text_hash_column(),
        _texts_at({place: hit.benchmark for place, hit in found.items()}, len(texts)),
        _texts_at({place: hit.item for place, hit in found.items()}, len(texts)),
        *(
            _texts_at({place: canonical_json(hit.evidence()).decode() for place, hit in part.items()}, len(texts))
            for part in (found, similar)
        ),
    ]
    sketches = pa.table(columns, schema=SKETCH)
    clean = np.ones(len(texts), np.bool_)
    clean[list(found)] = False
    order = order.copy()
    order[table.column("level").to_numpy() == ACROSS] = BY_PLACE
    keys, owners = sketch_keys(array, views, parameters)
    kept = clean[owners]
    places = np.cumsum(clean) - 1
    exact = array.text_hashes[clean, 0]
    bands = band_table(keys[kept], places[owners[kept]], rows[clean], exact, order[clean], template_keys(array)[clean])
    return sketches, bands


def _texts_at(values: Mapping[int, str], count: int) -> pa.Array:
    """`count` texts, null but at the places given."""
    if not values:
        return pa.nulls(count, pa.string())
    return pa.array([values.get(place) for place in range(count)], pa.string())
