"""Which questions of a run are dropped: the one global pass of curation.

Design: second of three passes. It reads the sketches of all question files, judges duplicates
(duplicates.py) among the rows that overlap no benchmark, and fetches the texts of only those rows that
share a band key. Its output is one row a dropped question: where it lies, why, and because of which kept
row or benchmark item. The rows are split by hash of the question file's name into parts of about
`PART_ROWS`, so that the third pass (step.py) reads the part that concerns its file and no more.

Cost: 200,000 questions in 200 files 4 s of one core, reading included; memory as duplicates.py says, about
0.3 kB a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from factory.curate.duplicates import Duplicates, Sketches, find_duplicates
from factory.curate.minhash import LshParameters, shingle_hashes
from factory.curate.words import I64, U64, tokenise
from factory.identity import add_digests, canonical_json, ids_digest
from factory.run.outputs import Output, read_outputs, resolve
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet, read_rows

STEP_VERSION = 3

DECISION = pa.schema(
    [
        ("file", pa.string()),  # lineage name of the question file
        ("row", pa.int64()),
        ("question_id", pa.string()),
        ("reason", pa.string()),  # exact_duplicate | near_duplicate | contaminated
        ("kept_id", pa.string()),  # the question it repeats; null for contaminated rows
        ("similarity", pa.float64()),
        ("evidence", pa.string()),  # canonical JSON
    ]
)

PART_ROWS = 100_000
"""Decisions a part: about 5 MB of Parquet, read once by every worker process that meets one of its files."""

ACROSS = 3
"""Level of questions across documents, whose files come in the order of their walks."""

PARALLEL_READS = 16
"""Files read at once: S3 answers in 5-30 ms, and a run of a million questions has thousands of files."""

COLUMNS = ["question_id", "row", "level", "sample_key", "exact_hash", "band_keys", "contaminated_by", "overlap"]


@dataclass(frozen=True)
class MatchStep:
    """Work step with one unit; its parameter `sketches` is the key of the sketch step's outputs index."""

    parameters: LshParameters

    name = "match"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"lsh": self.parameters.identity()}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        outputs = read_outputs(store, unit.parameters["sketches"])
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            tables = list(pool.map(lambda output: read_parquet(store, output.file.key, COLUMNS), outputs))
        sketches, places = _stack(tables, self.parameters.bands), _Places(outputs, tables)
        texts = _Texts(store, places, self.parameters.shingle_words)
        duplicates = find_duplicates(sketches, self.parameters.threshold, texts.shingles)
        decisions = decide(sketches, duplicates, places, tables, self.parameters)
        reasons = Counter(decisions.column("reason").to_pylist())
        kept = np.ones(len(sketches.ids), np.bool_)
        kept[duplicates.dropped] = False
        kept &= sketches.eligible
        return UnitResult(
            inputs=len(sketches.ids),
            used=len(sketches.ids),
            tables=split(decisions),
            id_column="question_id",
            input_ids_digest=add_digests(output.file.ids_digest for output in outputs),
            accepted=int(kept.sum()),
            accepted_ids_digest=ids_digest(name.decode() for name in sketches.ids[kept].tolist()),
            ledger={"compared_pairs": duplicates.pairs, "saturated_buckets": duplicates.saturated},
            facts=dict(sorted(reasons.items())),
        )


class _Places:
    """Where the stacked rows lie: `file` is the position of their question file in `names`, `row` the row there."""

    def __init__(self, outputs: Sequence[Output], tables: Sequence[pa.Table]) -> None:
        self.names = [output.parent for output in outputs]
        self.file = np.repeat(np.arange(len(tables)), [table.num_rows for table in tables])
        parts = [table.column("row").to_numpy() for table in tables]
        self.row: I64 = np.concatenate(parts) if parts else np.zeros(0, np.int64)


@dataclass(frozen=True)
class _Texts:
    """Shingles of rows, from their texts; the texts are let go file by file."""

    store: Store
    places: _Places
    size: int

    def shingles(self, rows: I64) -> tuple[U64, I64]:
        """As duplicates.Shingles. Reads every question file that holds one of `rows` once."""
        files = self.places.file[rows]
        by = np.argsort(files, kind="stable")
        found = rows[by]
        groups = np.split(found, np.flatnonzero(np.diff(files[by])) + 1)
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            hashed = list(pool.map(self._of_file, groups))
        values = np.concatenate([hashes for hashes, _ in hashed])
        counts = np.concatenate([np.diff(offsets) for _, offsets in hashed])
        starts = np.cumsum(counts) - counts
        place = np.argsort(by)  # back to the order asked for
        counts, starts = counts[place], starts[place]
        offsets = np.concatenate(([0], np.cumsum(counts)))
        take = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts) + np.repeat(starts, counts)
        return values[take], offsets

    def _of_file(self, rows: I64) -> tuple[U64, I64]:
        name = self.places.names[int(self.places.file[rows[0]])]
        key = resolve(self.store, name).key
        table = read_rows(self.store, key, self.places.row[rows].tolist(), ["text"])
        return shingle_hashes(tokenise(table.column("text").to_pylist()), self.size)


def _stack(tables: Sequence[pa.Table], bands: int) -> Sketches:
    """Columns of all sketch tables as arrays. Rows that overlap a benchmark are not eligible."""
    ids: list[npt.NDArray[np.bytes_]] = [np.zeros(0, "S32")]
    levels = [np.zeros(0, np.int8)]
    sample_keys = [np.zeros(0, np.uint64)]
    exact = [np.zeros((0, 2), np.uint64)]
    keys = [np.zeros((0, bands), np.uint64)]
    eligible = [np.zeros(0, np.bool_)]
    for table in tables:
        ids.append(np.array(table.column("question_id").to_pylist(), "S"))
        levels.append(table.column("level").to_numpy())
        sample_keys.append(table.column("sample_key").to_numpy())
        hashes = b"".join(table.column("exact_hash").to_pylist())
        exact.append(np.frombuffer(hashes, "<u8").reshape(-1, 2))
        keys.append(table.column("band_keys").combine_chunks().flatten().to_numpy().reshape(-1, bands))
        eligible.append(table.column("contaminated_by").is_null().to_numpy(zero_copy_only=False))
    level = np.concatenate(levels)
    # Of two questions of level 3 the earlier walk's stays: a later round must not displace what is answered already.
    keys_of = np.concatenate(sample_keys)
    keys_of[level == ACROSS] = np.arange((level == ACROSS).sum(), dtype=np.uint64)
    return Sketches(
        np.concatenate(ids),
        level,
        keys_of,
        np.concatenate(exact),
        np.concatenate(keys),
        np.concatenate(eligible),
    )


def decide(
    sketches: Sketches, duplicates: Duplicates, places: _Places, tables: Sequence[pa.Table], parameters: LshParameters
) -> pa.Table:
    """DECISION rows of all dropped questions, in order of file and row."""
    overlaps: list[str] = [text for table in tables for text in table.column("overlap").drop_null().to_pylist()]
    contaminated = np.flatnonzero(~sketches.eligible)
    dropped = np.concatenate((contaminated, duplicates.dropped))
    evidence = overlaps + [
        canonical_json(
            {
                "kept": sketches.ids[kept].decode(),
                "kept_level": int(sketches.levels[kept]),
                "similarity": round(similarity, 6),
                "threshold": parameters.threshold,
                "shingle_words": parameters.shingle_words,
            }
        ).decode()
        for kept, similarity in zip(duplicates.kept.tolist(), duplicates.similarity.tolist(), strict=True)
    ]
    reasons = ["contaminated"] * len(contaminated)
    reasons += ["exact_duplicate" if exact else "near_duplicate" for exact in duplicates.exact.tolist()]
    none = [None] * len(contaminated)
    table = pa.table(
        {
            "file": pa.array([places.names[file] for file in places.file[dropped].tolist()], pa.string()),
            "row": places.row[dropped],
            "question_id": [name.decode() for name in sketches.ids[dropped].tolist()],
            "reason": reasons,
            "kept_id": none + [name.decode() for name in sketches.ids[duplicates.kept].tolist()],
            "similarity": none + duplicates.similarity.tolist(),
            "evidence": evidence,
        },
        schema=DECISION,
    )
    return table.sort_by([("file", "ascending"), ("row", "ascending")])


def split(decisions: pa.Table) -> tuple[pa.Table, ...]:
    """Decisions in parts; `part_of` says which part holds those of a file. At least one part, maybe empty."""
    parts = max(1, -(-decisions.num_rows // PART_ROWS))
    if parts == 1:
        return (decisions,)
    names = decisions.column("file").dictionary_encode().combine_chunks()
    part = np.array([part_of(name, parts) for name in names.dictionary.to_pylist()])[names.indices.to_numpy()]
    return tuple(decisions.filter(pa.array(part == number)) for number in range(parts))


def part_of(file: str, parts: int) -> int:
    """Number of the part that holds decisions about a question file."""
    return xxhash.xxh64_intdigest(file.encode()) % parts
