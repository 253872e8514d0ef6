"""Rows as fixed-size records of hashes in files, parted by key: what lets sets of any size be compared part by part.

Design: a record is 48 bytes: the key, a hash of each group of columns, and where the row lies. Keys are hashes, so
their first bits part them evenly, and both datasets alike; one part of each is in memory at a time. 64 bits of
hash: among 10 million keys a side the chance that any two meet by accident is about 10^-5, which counting bears.

Cost: temporary disk of 96 bytes a row, memory of a row group and, later, of two parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

PART_ROWS = 500_000
"""Rows a part aims at: 24 MB a dataset."""

MOST_PARTS = 256

GROUPS: Mapping[str, Sequence[str]] = {
    "text": ("question", "answer", "final_answer"),
    "verdicts": ("verified", "verified_by", "agreement", "samples", "grounded_share", "extracted_share", "judge_score"),
    "rights": ("license", "licenses", "duties", "urls"),
    "origin": (
        "doc_ids", "level", "origin", "domain", "subject", "edu_level", "concepts",
        "question_model", "question_model_revision", "answer_model", "answer_model_revision",
    ),
}  # fmt: skip
"""Columns that are compared, by what they say. Lineage is left out: two runs never have the same."""

COLUMNS = ("sample_id", *(column for columns in GROUPS.values() for column in columns))

Words = npt.NDArray[np.uint64]

RECORD = np.dtype([("key", np.uint64), *((name, np.uint64) for name in GROUPS), ("place", np.uint64)])
Records = npt.NDArray[np.void]

SHARD_BIT = 32
"""A place is the number of the shard, and in the lower bits the row in it."""

SEPARATOR, NULL = "\x1f", "\x00"


@dataclass(frozen=True)
class Spill:
    """Records of one dataset under one key, in `parts` files."""

    folder: Path
    name: str
    parts: int

    def add(self, records: Records) -> None:
        part = (records["key"] >> np.uint64(64 - _bits(self.parts))) if self.parts > 1 else np.zeros(len(records), int)
        for number in np.unique(part):
            with self._file(int(number)).open("ab") as file:
                file.write(records[part == number].tobytes())

    def part(self, number: int) -> Records:
        """The records of a part, by ascending key. Of one key there is one record: hashes of several rows are added
        up, whatever their order, and the first place is kept."""
        path = self._file(number)
        found: Records = np.fromfile(path, RECORD) if path.exists() else np.zeros(0, RECORD)
        found = found[np.lexsort((found["place"], found["key"]))]
        keys, first = np.unique(found["key"], return_index=True)
        if len(keys) == len(found):
            return found
        merged: Records = found[first]
        for name in GROUPS:
            merged[name] = np.add.reduceat(found[name], first)
        return merged

    def _file(self, number: int) -> Path:
        return self.folder / f"{self.name}-{number:03d}.bin"


def parts_for(rows: int) -> int:
    """A power of two, so that the first bits of a key say its part."""
    parts = 1
    while parts < MOST_PARTS and rows > parts * PART_ROWS:
        parts *= 2
    return parts


def _bits(parts: int) -> int:
    return parts.bit_length() - 1


def records_of(table: pa.Table, shard: int, row: int) -> tuple[Records, Records]:
    """Records by sample id, and by question. `table` has COLUMNS and begins at `row` of the shard."""
    groups = {name: _hashes(_joined(table, columns)) for name, columns in GROUPS.items()}
    place = (np.uint64(shard) << np.uint64(SHARD_BIT)) + np.arange(row, row + table.num_rows, dtype=np.uint64)
    by_id = _records(_hashes(table.column("sample_id")), groups, place)
    answers = {**groups, "text": _hashes(_joined(table, ("answer", "final_answer")))}
    return by_id, _records(_hashes(table.column("question")), answers, place)


def _records(key: Words, groups: Mapping[str, Words], place: Words) -> Records:
    records = np.zeros(len(key), RECORD)
    records["key"], records["place"] = key, place
    for name, hashes in groups.items():
        records[name] = hashes
    return records


def _joined(table: pa.Table, columns: Sequence[str]) -> pa.ChunkedArray:
    texts = [_as_text(table.column(name)) for name in columns]
    return pc.binary_join_element_wise(*texts, SEPARATOR)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.binary_join(column, SEPARATOR) if pa.types.is_list(column.type) else pc.cast(column, pa.string())
    return pc.fill_null(text, NULL)


def _hashes(texts: pa.ChunkedArray) -> Words:
    digest: Callable[[bytes], int] = xxhash.xxh3_64_intdigest
    values = pc.cast(pc.fill_null(texts, NULL), pa.binary()).to_pylist()
    return np.fromiter(map(digest, values), np.uint64, len(values))
