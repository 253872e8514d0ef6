"""The `merge` step: one copy of every document, all its origins, and the sample that `limit` asks for.

Design: a global step over what `select` committed. It reads ids and origins, never text. The first
occurrence of a document (in the plan's order of files, then by row) is kept; chunks of later ones become
rejects that name it, and every origin (url, licence, shard, row) of a document met more than once goes to
the origins table, so that no licence is lost. Near-duplicates (select/document_repeats.py) are left out before
anything is sampled. With `limit`, documents are taken in the order of sample.py,
so that the sample of a larger limit contains this one. That order goes by the names of files, and so by the name of the
step that wrote them: after an erasure files are sampled by the names they had before it, or every unit would be another
(107 requests again of 104, for one document of 6,937).

Output: table 0 "picks", one row a committed select file that still has rows (name, rows to read, their
chunk-id digest); table 1 "origins". Cost: 16 bytes a chunk for ids plus one file's columns at a time; the
rejects are as many as the chunks dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.corpus.sample import sample_key
from factory.identity import add_digests, ids_digest
from factory.run.outputs import Output, read_outputs
from factory.run.reject import Reject
from factory.run.units import Unit, UnitResult
from factory.select.document_repeats import read_repeats
from factory.store.base import Store
from factory.store.parquet import read_parquet

STEP_VERSION = 2

PICKS = pa.schema([("file", pa.string()), ("picks", pa.list_(pa.int32())), ("ids_digest", pa.string())])

ORIGIN = pa.struct(
    [
        ("source", pa.string()),
        ("license", pa.string()),
        ("url", pa.string()),
        ("shard", pa.string()),
        ("shard_row", pa.int64()),
    ]
)
ORIGINS = pa.schema([("doc_id", pa.string()), ("origins", pa.list_(ORIGIN))])

Repeats = Mapping[str, tuple[str, float]]
"""Document id -> (id of the document it repeats, similarity)."""

Ids = npt.NDArray[np.bytes_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Occurrences:
    """Every occurrence of a document, in reading order: its id, and where its chunks start and end.

    `file`, `start`, `stop` (rows) and `first_chunk` (that chunk's position in the document; above 0 where
    the document began in the file before) are parallel to `doc_id`; shape (n,) each.
    """

    doc_id: Ids
    file: Numbers
    start: Numbers
    stop: Numbers
    first_chunk: Numbers


@dataclass(frozen=True)
class MergeStep:
    """`sampled_as` is the folder of `select` in whose name the sample is drawn; None: the one that wrote the files."""

    limit: int | None
    sampled_as: str | None = None

    name = "merge"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"limit": self.limit} | ({"sampled_as": self.sampled_as} if self.sampled_as else {})

    def work(self, store: Store, unit: Unit) -> UnitResult:
        outputs = read_outputs(store, unit.parameters["outputs"])
        occurrences = find_occurrences(
            [read_parquet(store, output.file.key, ["doc_id", "chunk"]) for output in outputs]
        )
        repeats_key = unit.parameters.get("repeats")
        repeats = read_repeats(store, repeats_key) if repeats_key else {}
        names = [_renamed(output.file.name, self.sampled_as) for output in outputs]
        kept, repeated = choose(occurrences, self.limit, names, repeats.keys())
        return _result(store, outputs, occurrences, kept, repeated, repeats)


def _renamed(name: str, folder: str | None) -> str:
    """The lineage name of a file as if the step had that folder."""
    return name if folder is None else f"{folder}/{name.partition('/')[2]}"


def find_occurrences(tables: Sequence[pa.Table]) -> Occurrences:
    """Splits each file's rows at chunk 0 of a document, or where a document goes on from the file before."""
    ids: list[Ids] = []
    files: list[Numbers] = []
    starts: list[Numbers] = []
    stops: list[Numbers] = []
    chunk_numbers: list[Numbers] = []
    for position, table in enumerate(tables):
        doc_ids = np.array(table.column("doc_id").to_pylist(), dtype="S32")
        chunks = table.column("chunk").to_numpy()
        if not len(doc_ids):
            continue
        begins = np.flatnonzero((chunks == 0) | np.r_[True, doc_ids[1:] != doc_ids[:-1]])
        ids.append(doc_ids[begins])
        files.append(np.full(len(begins), position, dtype=np.int64))
        starts.append(begins.astype(np.int64))
        stops.append(np.r_[begins[1:], len(doc_ids)].astype(np.int64))
        chunk_numbers.append(chunks[begins].astype(np.int64))
    if not ids:
        empty = np.zeros(0, dtype=np.int64)
        return Occurrences(np.zeros(0, dtype="S32"), empty, empty, empty, empty)
    return Occurrences(
        np.concatenate(ids),
        np.concatenate(files),
        np.concatenate(starts),
        np.concatenate(stops),
        np.concatenate(chunk_numbers),
    )


def choose(
    occurrences: Occurrences, limit: int | None, names: Sequence[str], left_out: Collection[str] = ()
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Masks over occurrences: which are kept, and which belong to a document that occurs more than once.
    `names` are those by which the files are sampled, `left_out` the ids of documents that are not to be kept.

    A document whose chunks run over two files has an occurrence in each; the continuation (first chunk
    above 0) counts as part of the first.
    """
    size = len(occurrences.doc_id)
    if not size:
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    continues = np.zeros(size, dtype=bool)
    continues[1:] = (
        (occurrences.doc_id[1:] == occurrences.doc_id[:-1])
        & (occurrences.file[1:] == occurrences.file[:-1] + 1)
        & (occurrences.first_chunk[1:] > 0)
    )
    heads = np.flatnonzero(~continues)
    unique, first, inverse, counts = np.unique(
        occurrences.doc_id[heads], return_index=True, return_inverse=True, return_counts=True
    )
    if left_out:
        first = first[~np.isin(unique, np.array(sorted(left_out), dtype="S32"))]
    keep_head = np.zeros(len(heads), dtype=bool)
    keep_head[first] = True
    if limit is not None and limit < len(first):
        places = zip(occurrences.file[heads[first]].tolist(), occurrences.start[heads[first]].tolist(), strict=True)
        keys = np.array([sample_key(names[file], row) for file, row in places], dtype=np.uint64)
        keep_head[first[np.argsort(keys, kind="stable")[limit:]]] = False
    head_of = np.cumsum(~continues) - 1
    return keep_head[head_of], (counts[inverse] > 1)[head_of]


def _result(
    store: Store,
    outputs: Sequence[Output],
    occurrences: Occurrences,
    kept: npt.NDArray[np.bool_],
    repeated: npt.NDArray[np.bool_],
    repeats: Repeats,
) -> UnitResult:
    picks: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    origins: dict[str, list[dict[str, Any]]] = {}
    read_digests: list[str] = []
    inputs = used = 0
    first_of: dict[str, tuple[str, int]] = {}
    kept_ids = set(occurrences.doc_id[kept].tolist()) if repeated.any() or not kept.all() else set()
    for position, output in enumerate(outputs):
        of_file = np.flatnonzero(occurrences.file == position)
        touched = bool(repeated[of_file].any())
        columns = ["chunk_id", "doc_id", *(ORIGINS_COLUMNS if touched else ())]
        table = read_parquet(store, output.file.key, columns)
        chunk_ids = table.column("chunk_id").to_pylist()
        inputs += len(chunk_ids)
        read_digests.append(ids_digest(chunk_ids))
        rows: list[int] = []
        for index in of_file:
            start, stop = int(occurrences.start[index]), int(occurrences.stop[index])
            doc_id = occurrences.doc_id[index].decode()
            if repeated[index]:
                origin = table.select(ORIGINS_COLUMNS).slice(start, 1).to_pylist()[0]
                known = origins.setdefault(doc_id, [])
                if origin not in known:
                    known.append(origin)
            if kept[index]:
                rows.extend(range(start, stop))
                first_of.setdefault(doc_id, (output.file.name, start))
                continue
            rejects.extend(
                _drop(chunk_ids[row], doc_id, occurrences.doc_id[index] in kept_ids, first_of, repeats)
                for row in range(start, stop)
            )
        if rows:
            used += len(rows)
            whole = len(rows) == len(chunk_ids)
            digest = ids_digest(chunk_ids[row] for row in rows)
            picks.append({"file": output.file.name, "picks": None if whole else rows, "ids_digest": digest})
    kept_origins = [
        {"doc_id": doc_id, "origins": found} for doc_id, found in sorted(origins.items()) if doc_id in first_of
    ]
    return UnitResult(
        inputs=inputs,
        used=used,
        tables=(pa.Table.from_pylist(picks, schema=PICKS), pa.Table.from_pylist(kept_origins, schema=ORIGINS)),
        id_column="",
        rejects=tuple(rejects),
        input_ids_digest=add_digests(read_digests),
        accepted=used,
        accepted_ids_digest=add_digests(row["ids_digest"] for row in picks),
        facts={"documents": len(np.unique(occurrences.doc_id[kept])) if len(kept) else 0},
    )


ORIGINS_COLUMNS = ["source", "license", "url", "shard", "shard_row"]


def _drop(
    chunk_id: str, doc_id: str, document_is_kept: bool, first_of: dict[str, tuple[str, int]], repeats: Repeats
) -> Reject:
    if document_is_kept:
        file, row = first_of.get(doc_id, ("", -1))
        return Reject(chunk_id, "duplicate_document", evidence={"doc_id": doc_id, "kept_file": file, "kept_row": row})
    if doc_id in repeats:
        kept, similarity = repeats[doc_id]
        evidence = {"doc_id": doc_id, "kept": kept, "similarity": round(similarity, 6)}
        return Reject(chunk_id, "near_duplicate_document", evidence=evidence)
    return Reject(chunk_id, "outside_limit", evidence={"doc_id": doc_id})
