"""Commits folded into index files, so that a step of 100,000 units is read in some hundred requests.

Design: `commits/index-<n>.parquet` holds commits byte for byte, each with the entity tag its object had when it was
read. An index is a copy and never the truth: a unit is committed when the listing shows its commit, and a row of an
index stands for that commit only while the listing shows the same tag. So a commit that was deleted, or done again
after that, or copied elsewhere, is read from its own object, and so is everything in an index that is damaged or gone.
Files are immutable and put if absent under the next free number; who finds the number taken leaves the rest to whoever
took it. Nothing is ever replaced or deleted here, so a fold may be killed anywhere and may run beside readers, writers
and other folds. Old roots have no index and are read object by object until somebody folds (run/folding.py).

Cost: docs/benchmarks.md, `units`.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from factory.errors import StoreError, TransientStoreError
from factory.store.base import AbsentObjectError, Store
from factory.store.commits import Commit, ahead, commit_key, parsed_commit, read_commit
from factory.store.objects import damaged

FOLD_AT = 1000
"""Commits outside every index from which folding pays: so many take a second or two to read from S3."""

INDEX_ROWS = 10_000
"""Commits an index file has at most: 15 MB of commits, of which whoever folds holds one file's and readers less."""

GROUP_ROWS = 512
"""Rows a row group: what a reader has decoded at a time, some 700 kB."""

SCHEMA = pa.schema([("unit", pa.string()), ("tag", pa.string()), ("body", pa.binary()), ("digest", pa.binary(32))])
"""`digest` is over the other three: whatever becomes of a file, no reader takes a row that was not written so."""

_NAME = re.compile(r"index-(\d{1,9})\.parquet")

Row = tuple[str, str, bytes]
"""Unit, entity tag of its commit, bytes of its commit."""

Outcome = Commit | AbsentObjectError | StoreError


@dataclass(frozen=True)
class Listed:
    """One listing of a step's commits: the entity tag of each unit's commit, and the keys of index files."""

    tags: Mapping[str, str]
    indexes: tuple[str, ...]


def list_commits(store: Store, folder: str) -> Listed:
    prefix = f"steps/{folder}/commits/"
    tags: dict[str, str] = {}
    indexes: list[str] = []
    for info in store.list(prefix):
        name = info.key.rsplit("/", 1)[1]
        if name.endswith(".json"):
            tags[name.removesuffix(".json")] = info.etag
        elif _NAME.fullmatch(name) and info.key == prefix + name:
            indexes.append(info.key)
    return Listed(tags, tuple(sorted(indexes, key=_number)))


def each_commit(store: Store, folder: str, units: Collection[str], at_least: int = FOLD_AT) -> Iterator[Commit]:
    """The commits of `units`, each once, in no promised order, whether they are in an index or not; for fewer than
    `at_least` units no index is looked at.

    Raises KeyError when a unit is not committed, StoreError when its commit cannot be read.
    """
    for _, outcome in each_outcome(store, folder, units, at_least):
        if isinstance(outcome, Exception):
            raise outcome
        yield outcome


def each_outcome(
    store: Store,
    folder: str,
    units: Collection[str],
    at_least: int | None = FOLD_AT,
    passed_over: list[StoreError] | None = None,
) -> Iterator[tuple[str, Outcome]]:
    """As `each_commit`, by unit, with the error of a commit in its place. Raises TransientStoreError.

    With None for `at_least` every commit is read from its own object. What is wrong with an index that cannot be used
    is put into `passed_over`.
    """
    open_units = set(units)
    if at_least is not None and len(open_units) >= at_least:
        listed = list_commits(store, folder)
        for key in listed.indexes:
            try:
                for unit, tag, body in index_rows(store, key):
                    if unit in open_units and listed.tags.get(unit) == tag:
                        outcome = _parsed(store, folder, unit, body)
                        open_units.remove(unit)
                        yield unit, outcome
            except TransientStoreError:
                raise
            except AbsentObjectError:
                continue
            except StoreError as error:  # what it held is read from the commits
                if passed_over is not None:
                    passed_over.append(error)
    yield from ahead(sorted(open_units), lambda unit: (unit, _outcome(store, folder, unit)))


def fold(store: Store, folder: str, at_least: int = FOLD_AT) -> int:
    """Writes the commits that no index holds into new index files, if there are `at_least`; how many were written.

    A commit that cannot be read is left to whoever reads it, and so is one that goes meanwhile.
    """
    listed = list_commits(store, folder)
    tail = _outside(store, listed) if len(listed.tags) >= at_least else []
    if not tail or len(tail) < at_least:
        return 0
    number = max((_number(key) for key in listed.indexes), default=-1) + 1
    files = -(-len(tail) // INDEX_ROWS)
    written = 0
    for place in range(files):
        share = tail[place * len(tail) // files : (place + 1) * len(tail) // files]
        rows = [row for row in ahead(share, lambda unit: _whole(store, folder, unit)) if row is not None]
        if not rows:
            continue
        # Two that fold at the same moment have the same commits before them: the second stops here.
        if not store.put_if_absent(index_key(folder, number), index_bytes(folder, rows)):
            break
        number, written = number + 1, written + len(rows)
    return written


def index_key(folder: str, number: int) -> str:
    return f"steps/{folder}/commits/index-{number}.parquet"


def index_bytes(folder: str, rows: Sequence[Row]) -> bytes:
    """An index file of one or more rows."""
    columns = zip(*((*row, _digest(row)) for row in sorted(rows)), strict=True)
    table = pa.table([pa.array(column, kind.type) for column, kind in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
    # `put_if_absent` asks for something attempt-unique in what is put.
    about = {"kind": "commit-index", "step": folder, "writer": uuid.uuid4().hex}
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata(about),
        sink,
        row_group_size=GROUP_ROWS,
        compression="zstd",
        compression_level=3,
        use_dictionary=False,
    )
    return bytes(sink.getvalue())


def index_rows(store: Store, key: str) -> Iterator[Row]:
    """The rows of an index file. Raises AbsentObjectError, and StoreError at the first that cannot be read."""
    data = store.get(key)
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, SCHEMA.names, use_threads=False).cast(SCHEMA)
            for *row, digest in zip(*(table.column(name).to_pylist() for name in SCHEMA.names), strict=True):
                unit, tag, body = row
                if _digest((unit, tag, body)) != digest:
                    raise damaged(store.uri, key, "it holds a row that was not written so")
                yield unit, tag, body
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise damaged(store.uri, key, f"it is no whole index ({type(error).__name__}: {str(error)[:200]})") from error


def _digest(row: Row) -> bytes:
    unit, tag, body = row
    return hashlib.sha256(b"\0".join([unit.encode(), tag.encode(), body])).digest()


def _outside(store: Store, listed: Listed) -> list[str]:
    """Committed units that no index file holds as they are listed, sorted."""
    outside = dict(listed.tags)
    for key in listed.indexes:
        try:
            for unit, tag, _ in index_rows(store, key):
                if outside.get(unit) == tag:
                    del outside[unit]
        except TransientStoreError:
            raise
        except (AbsentObjectError, StoreError):
            continue
    return sorted(outside)


def _number(key: str) -> int:
    found = _NAME.fullmatch(key.rsplit("/", 1)[1])
    assert found is not None
    return int(found[1])


def _outcome(store: Store, folder: str, unit: str) -> Outcome:
    try:
        return read_commit(store, folder, unit)
    except TransientStoreError:
        raise
    except (AbsentObjectError, StoreError) as error:
        return error


def _parsed(store: Store, folder: str, unit: str, body: bytes) -> Outcome:
    try:
        return parsed_commit(body, store.uri, commit_key(folder, unit))
    except StoreError:
        return _outcome(store, folder, unit)


def _whole(store: Store, folder: str, unit: str) -> Row | None:
    """The row of a commit that can be read; None for one that is gone or damaged."""
    key = commit_key(folder, unit)
    try:
        body, tag = store.get_tagged(key)
        parsed_commit(body, store.uri, key)
    except TransientStoreError:
        raise
    except (AbsentObjectError, StoreError):
        return None
    return unit, tag, body
