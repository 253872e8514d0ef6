"""The `segment` step: what a run publishes, as a segment's parts.

Design: a unit is a run of sample files with about segment.PART_ROWS samples and makes one part of them, so no process
holds more of a dataset than that. Texts are read for their shingles anyway, and signing them again costs less than
finding their entries among those of the questions that were dropped. Which segment the parts belong to is known when
the dataset's version is (run/registration.py).

Cost: that of segment.py, and reading three columns of every sample file.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from factory.curate.index import segment
from factory.curate.index.segment import entry_layout, lsh_identity, part_tables
from factory.curate.minhash import LshParameters
from factory.identity import ids_digest, make_id
from factory.publish.left_out import published
from factory.run.outputs import Output, read_outputs
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import Layout, read_parquet

STEP_VERSION = 2

ENTRIES, ROWS = 0, 1
"""Parts of a unit's output; none where a unit has no samples."""

RANDOM = ("sample_id", "exact", "shingles", "below")
ROWS_LAYOUT = Layout(segment.ROWS_A_GROUP, dict.fromkeys(RANDOM, "PLAIN"), "none")

PARALLEL_READS = 16
COLUMNS = ["sample_id", "level", "question"]
EMPTY = pa.schema([("sample_id", pa.string()), ("level", pa.int8()), ("question", pa.string())]).empty_table()


@dataclass(frozen=True)
class SegmentStep:
    """Work step over runs of sample files; see `sample_units` for its parameters."""

    parameters: LshParameters

    name = "segment"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"lsh": lsh_identity(self.parameters)}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        samples = published(store, unit.parameters, read_samples(store, unit))
        ids = samples.column("sample_id").to_pylist()
        digest = ids_digest(ids)
        tables = self._tables(samples) if ids else ()
        return UnitResult(
            inputs=len(ids),
            used=len(ids),
            tables=tables,
            layouts=(entry_layout(tables[ENTRIES]), ROWS_LAYOUT) if tables else (),
            id_column="",
            input_ids_digest=digest,
            accepted=len(ids),
            accepted_ids_digest=digest,
        )

    def _tables(self, samples: pa.Table) -> tuple[pa.Table, ...]:
        whole = samples.combine_chunks()
        ids, levels = (whole.column(name).combine_chunks() for name in COLUMNS[:2])
        return part_tables(ids, levels, whole.column("question").to_pylist(), self.parameters)


def sample_units(kind: str, folder: str, samples: str, outputs: Sequence[Output], **given: str) -> list[Unit]:
    """Units over runs of sample files, each of about PART_ROWS samples; `samples` is the key of the samples step's
    outputs index, `outputs` what it holds. What else is `given` goes into every unit's parameters."""
    cuts, rows = [0], 0
    for place, output in enumerate(outputs):
        if rows and rows + output.file.rows > segment.PART_ROWS:
            cuts.append(place)
            rows = 0
        rows += output.file.rows
    cuts.append(len(outputs))
    return [
        Unit(make_id(kind, folder, start, stop), parameters={"samples": samples, "files": [start, stop], **given})
        for start, stop in itertools.pairwise(cuts)
    ]


def sample_files(store: Store, unit: Unit) -> list[Output]:
    start, stop = unit.parameters["files"]
    return read_outputs(store, unit.parameters["samples"])[start:stop]


def read_samples(store: Store, unit: Unit, columns: Sequence[str] = COLUMNS) -> pa.Table:
    """Columns of all samples of the unit's files, in their order."""
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        tables = list(
            pool.map(lambda output: read_parquet(store, output.file.key, list(columns)), sample_files(store, unit))
        )
    # Files of different runs' attempts carry different metadata.
    plain = [table.replace_schema_metadata(None) for table in tables]
    return pa.concat_tables([EMPTY.select(list(columns)), *plain])
