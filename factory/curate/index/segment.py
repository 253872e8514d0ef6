"""A segment: the questions of a published dataset, as a later run looks them up and compares with them.

Design: a segment is an immutable folder, `curate/index/segments/<id>/`, of parts and one `segment.json`; it exists when
that does, and its id is a hash of what it holds. A part has two files of at most about PART_ROWS questions: entries
(band key and row, sorted by key, cut into row groups at equal key ranges) and rows (id, level, hash of the normal
form, the distinct shingle hashes in order), so nobody needs the text again. Nothing in it is compressed: keys and
hashes are random bits, and looking a run up reads every key of a part but little else. Which rows of a part are whose
is in `segment.json` (spans), because a merged segment holds the questions of several datasets.

An entry has neither the hash nor the order of bands.BAND: a hit on the key made of a text's hash says that the texts
are equal, and what is published already always stays. That saves 16 bytes of 28, 26 times a question.

Cost: 8 to 9 microseconds a question of 50 words, its text read and tokenised (one core); 700 bytes a question at 25
bands and 45 shingles, 310 of them entries.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.curate.bands import exact_keys, place_bits, sorted_places
from factory.curate.minhash import LshParameters, band_keys, shingle_hashes, signatures
from factory.curate.similarity import distinct_sets
from factory.curate.words import I64, NORMALISER_VERSION, U64, significant_keys, tokenise
from factory.errors import StoreError
from factory.identity import canonical_json, fingerprint
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.objects import read_mapping
from factory.store.parquet import Layout

ENTRY = pa.schema([pa.field("key", pa.uint64(), nullable=False), pa.field("row", pa.uint32(), nullable=False)])

ROW = pa.schema(
    [
        pa.field("sample_id", pa.string(), nullable=False),
        pa.field("level", pa.int8(), nullable=False),
        pa.field("exact", pa.binary(16), nullable=False),  # hash of the normal form
        pa.field("shingles", pa.binary(), nullable=False),  # distinct shingle hashes in order, uint64 little-endian
    ]
)

PART_ROWS = 1 << 17
"""Questions a part, about: 95 MB of files, some 600 MB while one is made."""

ENTRIES_A_GROUP = 1 << 18
"""2 MB of keys: with 50,000 entries a group, opening groups was a quarter of the cost of a lookup."""

MAX_GROUPS = 64
ROWS_A_GROUP = 256
"""Rows are fetched one here and one there: 90 kB a group of them."""

KIND, FORMAT = "factory-index-segment", 1
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
    """Two files and whose rows they hold; spans are in order and do not overlap."""

    entries: FileRef
    rows: FileRef
    spans: tuple[Span, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Part:
        spans = tuple(Span(**span) for span in value["spans"])
        return Part(FileRef(**value["entries"]), FileRef(**value["rows"]), spans)


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
    """What two segments must have in common to be compared. The threshold only chose the bands."""
    identity = parameters.identity()
    del identity["threshold"]
    return {**identity, "normaliser": NORMALISER_VERSION}


def part_tables(ids: pa.Array, levels: pa.Array, texts: list[str], parameters: LshParameters) -> tuple[pa.Table, ...]:
    """ENTRY and ROW tables of N questions, rows in the order given."""
    array = tokenise(texts)
    hashes, offsets = shingle_hashes(array, parameters.shingle_words)
    signed = signatures(hashes, offsets, parameters.permutations)
    keys = band_keys(signed, significant_keys(array), parameters)
    values, starts = distinct_sets(hashes, offsets)
    shingles = pa.Array.from_buffers(
        pa.binary(), len(texts), [None, pa.py_buffer((starts * 8).astype(np.int32)), pa.py_buffer(values)]
    )
    rows = pa.table([ids, levels, array.text_hash_column(), shingles], schema=ROW)
    return entry_table(keys, array.text_hashes[:, 0]), rows


def entry_table(keys: U64, exact: U64) -> pa.Table:
    """ENTRY rows of N texts: `keys` uint64[N, bands], `exact` uint64[N]. Sorted by key."""
    count, bands = keys.shape
    every = np.concatenate((keys.reshape(-1), exact_keys(exact)))
    owner = np.concatenate((np.repeat(np.arange(count, dtype=np.uint32), bands), np.arange(count, dtype=np.uint32)))
    return entries_in_order(every, owner)


def entries_in_order(keys: U64, rows: Any) -> pa.Table:
    """ENTRY rows from keys and rows in any order."""
    by = places_in_order(keys)
    return pa.table([pa.array(keys[by]), pa.array(rows[by])], schema=ENTRY)


def places_in_order(keys: U64) -> I64:
    """int64[N]: places of `keys` in their order; equal ones in the order given."""
    by = sorted_places(keys)
    ordered = keys[by]
    # `sorted_places` looks at the highest bits alone. Of 3 million keys two or so differ only below them.
    for place in np.flatnonzero(ordered[1:] < ordered[:-1]).tolist():
        bits = np.uint64(place_bits(len(keys)))
        run = np.searchsorted(ordered >> bits, ordered[place] >> bits, "left"), place + 2
        stop = int(np.searchsorted(ordered >> bits, ordered[place] >> bits, "right"))
        chosen = slice(int(run[0]), stop)
        by[chosen] = by[chosen][np.argsort(keys[by[chosen]], kind="stable")]
        ordered[chosen] = keys[by[chosen]]
    return by


def entry_layout(table: pa.Table) -> Layout:
    """Row groups at equal key ranges of about ENTRIES_A_GROUP entries."""
    ranges = 1
    while ranges < MAX_GROUPS and table.num_rows >= 2 * ranges * ENTRIES_A_GROUP:
        ranges *= 2
    keys = table.column("key").to_numpy()
    edges = [(number * 2**64) // ranges for number in range(1, ranges)]
    cuts = [0, *np.searchsorted(keys, np.array(edges, np.uint64)).tolist(), len(keys)]
    counts = [stop - start for start, stop in itertools.pairwise(cuts) if stop > start]
    return Layout(tuple(counts) or 1, {"key": "PLAIN", "row": "PLAIN"}, "none")


ROW_LAYOUT = Layout(ROWS_A_GROUP, {"sample_id": "PLAIN", "exact": "PLAIN", "shingles": "PLAIN"}, "none")


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
    return Segment(segment_id, value["lsh"], tuple(Part.from_json(part) for part in value["parts"]))
