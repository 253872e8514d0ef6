"""A segment: the questions of a published dataset, as a later run looks them up and compares with them.

Design: a segment is an immutable folder, `curate/index/segments/<id>/`, of parts and one `segment.json`; it exists when
that does, and its id is a hash of what it holds. A part has three files of at most about PART_ROWS questions: entries,
sorted and cut into row groups at equal key ranges; rows (id, level, hash of the normal form); and the distinct shingle
hashes of each row, in order, so nobody needs the text again. Nothing in it is compressed: keys and hashes are random
bits, and looking a run up reads every entry of a part but little else. Which rows of a part are whose is in
`segment.json` (spans), because a merged segment holds the questions of several datasets.

Shingles are no Parquet but bare integers end to end, and rows say where theirs begin: those of one row here and one
there are a read each. As a column in row groups of 256 rows, comparing 3,000 new questions with 300,000 published ones
took 0.10 to 0.24 s of a busy core, with this 0.04.

Entries are those of bands.py, without what stands beside them there: what is published always stays, so it has no
order, and its hash is in the rows. Keys that agree in 43 bits by chance (some hundred pairs between a million questions
and ten million) are candidates like others: every pair is verified (known.py).

Cost: 25 microseconds a question of 60 words, its text tokenised and signed; 837 bytes (docs/benchmarks.md, `dedup`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.curate.bands import entries_of
from factory.curate.minhash import LshParameters, sketch_keys
from factory.curate.shingles import shingled
from factory.curate.similarity import distinct_sets
from factory.curate.words import NORMALISER_VERSION, U64
from factory.errors import StoreError
from factory.identity import canonical_json, fingerprint
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.objects import damaged, read_mapping, typed
from factory.store.parquet import Layout

ENTRY = pa.schema([pa.field("entry", pa.uint64(), nullable=False)])

QUESTION = (
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("level", pa.int8(), nullable=False),
    pa.field("exact", pa.binary(16), nullable=False),  # hash of the normal form
    pa.field("kind", pa.int8(), nullable=False),  # of its shingles
)

WHOLE_ROW = pa.schema(
    [*QUESTION, pa.field("shingles", pa.binary(), nullable=False), pa.field("below", pa.binary(), nullable=False)]
)
"""A row while a part is made: its distinct shingle hashes in order, uint64 little-endian, by its own kind and by the
kind below (shingles.py)."""

ROW = pa.schema(
    [
        *QUESTION,
        pa.field("start", pa.uint64(), nullable=False),  # bytes of the part's shingles that are this row's
        pa.field("middle", pa.uint64(), nullable=False),  # where those of the kind below begin
        pa.field("stop", pa.uint64(), nullable=False),
    ]
)

PART_ROWS = 1 << 17
"""Questions a part, about: 80 MB of files."""

ENTRIES_A_GROUP = 1 << 18
"""2 MB: read at once, and every group has a cost of its own."""

MAX_GROUPS = 64
ROWS_A_GROUP = 1 << 14

KIND, FORMAT = "factory-index-segment", 2
SEGMENTS = "curate/index/segments"

Member = tuple[str, str]
"""A dataset's name and version."""


@dataclass(frozen=True)
class Span:
    """Rows `start` up to `stop` of a part are questions of this dataset."""

    dataset: str
    version: str
    start: int
    stop: int

    @property
    def member(self) -> Member:
        return self.dataset, self.version


@dataclass(frozen=True)
class Part:
    """Three files and whose rows they hold; spans are in order and do not overlap."""

    entries: FileRef
    rows: FileRef
    shingles: FileRef
    spans: tuple[Span, ...]

    @property
    def files(self) -> tuple[FileRef, ...]:
        return self.entries, self.rows, self.shingles

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Part:
        """Raises ValueError for what is no part."""
        part = typed(Part, value)
        if any(not 0 <= span.start <= span.stop for span in part.spans):
            raise ValueError("spans: a span ends before it begins")
        return part


@dataclass(frozen=True)
class Segment:
    """`lsh` is what keys and shingles depend on (lsh_identity)."""

    segment_id: str
    lsh: Mapping[str, Any]
    parts: tuple[Part, ...]

    @property
    def members(self) -> dict[Member, int]:
        """Questions of every dataset in it."""
        found: dict[Member, int] = {}
        for span in (span for part in self.parts for span in part.spans):
            found[span.member] = found.get(span.member, 0) + span.stop - span.start
        return found


def lsh_identity(parameters: LshParameters) -> dict[str, Any]:
    """What two segments must have in common to be compared. The threshold only chose bands and second views."""
    identity = parameters.identity()
    del identity["threshold"]
    return {**identity, "normaliser": NORMALISER_VERSION}


def part_tables(ids: pa.Array, levels: pa.Array, texts: list[str], parameters: LshParameters) -> tuple[pa.Table, ...]:
    """ENTRY and WHOLE_ROW tables of N questions, rows in the order given."""
    array, views = shingled(texts, parameters.shingling)
    keys, owners = sketch_keys(array, views, parameters)
    entries = entries_of(keys, owners, np.arange(len(texts)), array.text_hashes[:, 0])
    values, starts = distinct_sets(views.hashes, views.offsets)
    every = pa.Array.from_buffers(
        pa.binary(), len(starts) - 1, [None, pa.py_buffer((starts * 8).astype(np.int32)), pa.py_buffer(values)]
    )
    own, below = (every.take(pa.array(np.arange(first, len(every), 2))) for first in (0, 1))
    kinds = pa.array(views.kinds)
    rows = pa.table([ids, levels, array.text_hash_column(), kinds, own, below], schema=WHOLE_ROW)
    return entries_in_order(entries), rows


def entries_in_order(entries: U64) -> pa.Table:
    """ENTRY rows from entries in any order."""
    return pa.table([pa.array(np.sort(entries))], schema=ENTRY)


def entry_layout(table: pa.Table) -> Layout:
    """Row groups at equal key ranges of about ENTRIES_A_GROUP entries."""
    ranges = 1
    while ranges < MAX_GROUPS and table.num_rows >= 2 * ranges * ENTRIES_A_GROUP:
        ranges *= 2
    keys = table.column("entry").to_numpy()
    edges = [(number * 2**64) // ranges for number in range(1, ranges)]
    cuts = [0, *np.searchsorted(keys, np.array(edges, np.uint64)).tolist(), len(keys)]
    counts = [stop - start for start, stop in itertools.pairwise(cuts) if stop > start]
    return Layout(tuple(counts) or 1, {"entry": "PLAIN"}, "none")


ROW_LAYOUT = Layout(ROWS_A_GROUP, dict.fromkeys(("sample_id", "exact", "start", "middle", "stop"), "PLAIN"), "none")


def split_rows(rows: pa.Table) -> tuple[pa.Table, bytes]:
    """ROW rows and the part's shingles, of WHOLE_ROW rows."""
    whole = rows.combine_chunks()
    values = [whole.column(name).to_pylist() for name in ("shingles", "below")]
    sizes = np.array([[len(value) for value in column] for column in values], np.uint64).reshape(2, -1)
    stops = np.cumsum(sizes.sum(axis=0), dtype=np.uint64)
    middles = stops - sizes[1]
    data = b"".join(part for row in zip(*values, strict=True) for part in row)
    columns = [whole.column(field.name) for field in QUESTION]
    bounds = [pa.array(column) for column in (middles - sizes[0], middles, stops)]
    return pa.table([*columns, *bounds], schema=ROW), data


def joined_rows(rows: pa.Table, shingles: bytes) -> pa.Table:
    """WHOLE_ROW rows of what `split_rows` gave."""
    bounds = [rows.column(name).to_pylist() for name in ("start", "middle", "stop")]
    values = [
        pa.array([shingles[start:stop] for start, stop in zip(*pair, strict=True)], pa.binary())
        for pair in itertools.pairwise(bounds)
    ]
    return pa.table([*(rows.column(field.name) for field in QUESTION), *values], schema=WHOLE_ROW)


def prefix_of(segment_id: str) -> str:
    return f"{SEGMENTS}/{segment_id}"


def segment_key(segment_id: str) -> str:
    return f"{prefix_of(segment_id)}/segment.json"


def segment_id_of(lsh: Mapping[str, Any], parts: list[tuple[str, str, tuple[Span, ...]]]) -> str:
    """The id of what parts hold: (content hash of entries, of rows, spans) each."""
    held = [[entries, rows, [asdict(span) for span in spans]] for entries, rows, spans in parts]
    return fingerprint({"kind": KIND, "format": FORMAT, "lsh": dict(lsh), "parts": held})[:32]


def segment_bytes(segment: Segment) -> bytes:
    return canonical_json(
        {
            "kind": KIND,
            "format": FORMAT,
            "segment": segment.segment_id,
            "lsh": dict(segment.lsh),
            "datasets": [[*member, rows] for member, rows in sorted(segment.members.items())],
            "parts": [part.to_json() for part in segment.parts],
        }
    )


def read_segment(store: Store, segment_id: str) -> Segment:
    """Raises AbsentObjectError when it is gone, StoreError when it is damaged or of another format."""
    key = segment_key(segment_id)
    value = read_mapping(store, key, ("kind", "format", "lsh", "parts"))
    if (value["kind"], value["format"]) != (KIND, FORMAT):
        raise StoreError(
            f"{key} in {store.uri} is a {value['kind']} of format {value['format']}, not {KIND} of format {FORMAT}",
            cause="it was written by another version of the factory",
            remedy="take its datasets off the list (`factory index remove`) and add them again (`factory index add`)",
        )
    if not isinstance(value["lsh"], dict):
        raise damaged(store.uri, key, "lsh: no object")
    return Segment(segment_id, value["lsh"], parts_in(value["parts"], store.uri, key))


def parts_in(values: Any, uri: str, key: str) -> tuple[Part, ...]:
    """The parts that the object `key` lists. Raises StoreError where it lists none that could be."""
    if not isinstance(values, list):
        raise damaged(uri, key, "parts: no list")
    try:
        return tuple(Part.from_json(part) for part in values)
    except ValueError as error:
        raise damaged(uri, key, str(error)) from None
