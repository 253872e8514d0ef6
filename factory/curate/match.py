"""Which questions (or documents) may be duplicates: pairs that share a band key, found a range of keys at a time.

Design: second of curation's passes. A unit owns a range of keys and reads that range of every file of band entries
(bands.py), so the entries in memory are those of its range, whatever the run's size. What it gives are pairs of
places; no text is read. So that a step reads what the one before it accepted, once, unit p of P answers for the
sketches of the files at places p, p + P, ...

Where the run has a view of published questions (index/pin.py), their parts have the places behind those of the run's
files, and pairs of a new question and a published one come along (index/lookup.py).

Cost, one core: 2 to 3.5 microseconds a question of 100,000 (a tenth repeats others), commit included.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.curate.bands import BAND, Entries, key_range, partitions_for
from factory.curate.candidates import both, candidates
from factory.curate.index.lookup import known_candidates
from factory.curate.index.pin import read_view
from factory.curate.sketch import BANDS, SKETCHES
from factory.curate.templates import templates
from factory.identity import add_digests, make_id
from factory.run.outputs import Output, by_unit, read_outputs
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import Layout, read_range

STEP_VERSION = 6

CANDIDATE = pa.schema(
    [
        ("first", pa.uint64()),  # bands.ref_of: place of the sketch unit in the step's outputs index, and row
        ("second", pa.uint64()),
        ("exact", pa.bool_()),
    ]
)

PAIRS, CAPS = 0, 1
"""Parts of a unit's output: CANDIDATE rows sorted by first and second, and templates.CAPPED rows sorted by ref."""

PAIRS_A_GROUP = 1 << 16

PARALLEL_READS = 16
"""Files read at once: S3 answers in 5-30 ms, and a run of a million questions has thousands of files."""


@dataclass(frozen=True)
class Sketched:
    """A unit of the sketch step: the question file it covers, and its files."""

    parent: str
    sketches: FileRef
    bands: FileRef
    others: tuple[FileRef, ...] = ()


@dataclass(frozen=True)
class MatchStep:
    """Work step with a unit a range of keys; see `match_units` for its parameters. `template_variants`: how many texts
    of one template stay (templates.py), None for all."""

    name: str = "match"
    template_variants: int | None = None

    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {} if self.template_variants is None else {"template_variants": self.template_variants}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        given = unit.parameters
        partition, partitions = given["partition"], given["partitions"]
        sketched = sketched_files(read_outputs(store, given["sketches"]))
        entries = read_entries(store, [each.bands for each in sketched], key_range(partition, partitions))
        found = candidates(entries)
        moulds = templates(entries, self.template_variants)
        ledger = {
            "candidate_pairs": len(found.first),
            "crowded_buckets": found.crowded,
            "templates": moulds.groups,
            "template_variants": moulds.variants,
        }
        if "index" in given:
            parts = read_view(store, given["index"]).parts
            known = known_candidates(store, parts, len(sketched), entries)
            ledger |= {"known_pairs": len(known.first), "crowded_known_buckets": known.crowded}
            found = both(found, known)
        own = [each.sketches for each in sketched[partition::partitions]]
        rows = sum(file.rows for file in own)
        digest = add_digests(file.ids_digest for file in own)
        table = pa.table([pa.array(found.first), pa.array(found.second), pa.array(found.exact)], schema=CANDIDATE)
        return UnitResult(
            inputs=rows,
            used=rows,
            tables=(table, moulds.capped),
            layouts=(Layout(PAIRS_A_GROUP),) * 2,
            id_column="",
            input_ids_digest=digest,
            accepted=rows,
            accepted_ids_digest=digest,
            ledger=ledger,
        )


def match_units(folder: str, sketches: str, outputs: Sequence[Output], index: str | None = None) -> list[Unit]:
    """One unit a range of keys; `sketches` is the key of the sketch step's outputs index, `outputs` what it holds,
    `index` the key of the view of published questions, None where there are none to compare with."""
    partitions = partitions_for(sum(each.bands.rows for each in sketched_files(outputs)))
    shared = {"sketches": sketches} | ({"index": index} if index else {})
    return [
        Unit(
            make_id("match", folder, partitions, partition),
            parameters={**shared, "partition": partition, "partitions": partitions},
        )
        for partition in range(partitions)
    ]


def sketched_files(outputs: Sequence[Output]) -> list[Sketched]:
    """The sketch step's units in the order of its outputs index: a place in this list is what refs are made of."""
    parents = {output.file.name: output.parent for output in outputs}
    return [
        Sketched(parents[files[SKETCHES].name], files[SKETCHES], files[BANDS], tuple(files[BANDS + 1 :]))
        for files in by_unit(outputs).values()
    ]


def read_entries(store: Store, files: Sequence[FileRef], keys: tuple[int, int]) -> Entries:
    """The band entries of `files` within a range of keys."""
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        tables = list(pool.map(lambda file: read_range(store, file.key, "entry", *keys), files))
    starts = np.cumsum([0, *(table.num_rows for table in tables)])
    whole = pa.concat_tables([BAND.empty_table(), *(table.select(BAND.names).cast(BAND) for table in tables)])
    entries, exact, order = (whole.column(name).to_numpy() for name in BAND.names)
    return Entries(entries, exact, order, starts)
