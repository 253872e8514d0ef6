"""The work of an export, a file at a time: read a shard, choose rows, shape them, encode and put the file.

Design: a piece is as large as the shard that it is made of, which bounds what a worker holds; pieces share nothing, so
they are spread over processes and come back as receipts. A file has a name that its piece decides and bytes that its
rows decide, so doing a piece twice is harmless. A worker that dies (of memory, mostly) ends the export with what
happened; what is finished stays finished. Cost: a shard decoded and a file encoded in memory a process.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from factory.errors import FactoryError
from factory.export import generator
from factory.export.carried import carried_columns, file_metadata
from factory.export.encode import encoded, uncompressed
from factory.export.forms import form_of
from factory.export.gather import Part, deal, gathered, parts_of
from factory.export.generator import Requests
from factory.export.recipe import FORMATS, Recipe
from factory.export.shaped import Counts, Shaped
from factory.export.source import Source, read_rows_of, shards_of
from factory.export.where import columns_of, conditions, meeting
from factory.identity import sha256_hex
from factory.store.base import Store

WORTH_PROCESSES = 64 << 20
"""Bytes of a dataset, uncompressed, from which on processes are started: each imports for 3 s first."""

NOT_VERIFIED, NOT_CHOSEN = "not_verified", "where"


@dataclass(frozen=True)
class Piece:
    """One file of the export: `name` is its path without ending. It is made of a `shard` of the dataset, of the rows in
    `part` that were brought together of all shards (gather.py), or of `requests` (generator.py)."""

    name: str
    split: str
    shard: str = ""
    part: Part | None = None
    requests: Requests | None = None


@dataclass(frozen=True)
class Work:
    """What every piece of an export shares."""

    source: Source
    recipe: Recipe
    out: Store


def plan(source: Source, recipe: Recipe, folder: str) -> list[Piece]:
    """A piece a shard of the splits, named as the shard is. `folder` is a temporary one of this machine."""
    if form_of(recipe).of_requests is not None:
        found = generator.plan(source, recipe, f"{folder}/published.npy")
        return [Piece(f"data/{split}-{name}", split, requests=each) for split in recipe.splits for name, each in found]
    shards = shards_of(source, recipe.splits)
    gathers = form_of(recipe).files is not None
    parts = parts_of(folder, shards)
    return [
        Piece(shard.path.removesuffix(".parquet"), shard.split, shard.path, part if gathers else None)
        for shard, part in zip(shards, parts, strict=True)
    ]


def before(work: Work, pieces: Sequence[Piece], processes: int | None) -> Iterator[str]:
    """What has to be done before any of the pieces can be made, a shard of the dataset at a time."""
    shards = [Piece("", each.split, each.path) for each in shards_of(work.source, work.recipe.splits)]
    if pieces[0].requests is not None:
        parts = []
        for ids in for_each(published, work, shards, processes):
            parts.append(ids)
            yield ""
        generator.write_index(parts, pieces[0].requests.index)
    elif pieces[0].part is not None:
        yield from for_each(gather, work, pieces, processes)


def published(work: Work, piece: Piece) -> npt.NDArray[np.uint64]:
    """Hashes of what the rows of a shard rest on that the recipe asks for."""
    return generator.published_ids(chosen_rows(work.source, work.recipe, piece.shard, generator.COLUMNS)[0])


def gather(work: Work, piece: Piece) -> str:
    """Deals the rows of a piece's shard out to the pieces that they belong to; the shard's path."""
    form = form_of(work.recipe)
    assert piece.part is not None
    assert form.files is not None
    rows, _, left_out = chosen_rows(work.source, work.recipe, piece.shard, form.columns)
    deal(piece.part, rows, form.files(rows), left_out)
    return piece.shard


def shaped(work: Work, piece: Piece) -> tuple[Shaped, Counts]:
    """The rows of a piece's file, and what became of those that it read."""
    form = form_of(work.recipe)
    if piece.requests is not None:
        told, read = generator.shape_requests(work.source, work.recipe, piece.requests, piece.split)
        made = form.shape(work.source, work.recipe, told.table)
        lost = dict(Counter(told.left_out) + Counter(made.left_out))
        used = read - sum(lost.values())
        return made, Counts(read, used, made.table.num_rows, lost, {**told.facts, **made.facts})
    if piece.part is None:
        rows, read, left_out = chosen_rows(work.source, work.recipe, piece.shard, form.columns)
    else:
        found, read, left_out = gathered(piece.part)
        rows = found if found is not None else work.source.schema.empty_table()
    made = form.shape(work.source, work.recipe, rows)
    used = rows.num_rows - sum(made.left_out.values())
    return made, Counts(read, used, made.table.num_rows, {**left_out, **made.left_out}, made.facts)


def chosen_rows(
    source: Source, recipe: Recipe, path: str, columns: Sequence[str]
) -> tuple[pa.Table, int, dict[str, int]]:
    """The rows of a shard that the recipe asks for, how many were read, and how many others were not asked for."""
    asked = conditions(recipe.where, source.schema)
    extra = ["verified"] if recipe.verified else []
    table = read_rows_of(source, path, [*columns, *carried_columns(source), *columns_of(asked), *extra])
    meets = meeting(table, asked)
    keeps = meets
    if recipe.verified:
        keeps = meets & np.array([value == "yes" for value in table.column("verified").to_pylist()], np.bool_)
    left_out = {NOT_CHOSEN: int((~meets).sum()), NOT_VERIFIED: int((meets & ~keeps).sum())}
    kept = table.filter(pa.array(keeps))
    return kept, table.num_rows, {reason: number for reason, number in left_out.items() if number}


def make(work: Work, piece: Piece) -> dict[str, Any]:
    """Writes a piece's file and gives its receipt: path, split, rows, bytes, hash and counts; without rows there is no
    file, and the path is empty."""
    made, counts = shaped(work, piece)
    receipt = {"piece": piece.name, "split": piece.split, "counts": counts.record()}
    if not made.table.num_rows:
        return {
            **receipt,
            "path": "",
            "rows": 0,
            "bytes": 0,
            "num_bytes": 0,
            "sha256": "",
            "licenses": {},
            "duties": {},
        }
    recipe = work.recipe
    path = f"{piece.name}{FORMATS[recipe.file_format]}"
    data = encoded(made.table, recipe.file_format, file_metadata(work.source, recipe, piece.split))
    work.out.put(path, data)
    return {
        **receipt,
        "path": path,
        "rows": made.table.num_rows,
        "bytes": len(data),
        "num_bytes": uncompressed(made.table, data, recipe.file_format),
        "sha256": sha256_hex(data),
        "licenses": counted(made.table.column("license")),
        "duties": counted(made.table.column("duties")),
    }


def counted(column: Any) -> dict[str, int]:
    """Rows by value, of lists by each value that they hold."""
    flat = pc.list_flatten(column) if pa.types.is_list(column.type) else column
    return dict(sorted((str(pair["values"]), pair["counts"]) for pair in pc.value_counts(flat).to_pylist()))


Done = TypeVar("Done")


def for_each(
    task: Callable[[Work, Piece], Done], work: Work, pieces: Sequence[Piece], processes: int | None
) -> Iterator[Done]:
    """What `task` gives of each piece, as they are finished, on so many processes (None: one a core, for a dataset that
    is worth starting them). Raises FactoryError where a worker died."""
    size = sum(shard["num_bytes"] for shard in work.source.manifest["shards"])
    worth = len(os.sched_getaffinity(0)) if size >= WORTH_PROCESSES else 1
    number = max(1, min(len(pieces), processes or worth))
    if number == 1:
        for piece in pieces:
            yield task(work, piece)
        return
    # Not by fork: Arrow's threads do not survive it.
    with ProcessPoolExecutor(number, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(task, work, piece) for piece in pieces]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise FactoryError(
                f"one of {number} worker processes died",
                cause="most likely memory: each holds a shard of the dataset, decoded",
                remedy="give the command again with fewer --processes: files that are finished are not made again",
            ) from None
        finally:
            for future in futures:
                future.cancel()
