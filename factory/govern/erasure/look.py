"""Looking for what was erased in every byte of a root: Parquet decompressed, everything else as it lies.

Design: the last act of an erasure and the proof of it. Ids are looked for everywhere, texts by their longest pieces
that no row which stays has (closure.py). Cost: one read of the
whole root; of each Parquet file one row group in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from factory.govern.erasure.matching import Matcher, plain
from factory.govern.erasure.records import FOLDER, Work
from factory.store.base import Store


def residue(store: Store, work: Work) -> list[str]:
    """Keys of objects that still hold an erased id, or a piece of erased text that is nobody else's."""
    matcher = Matcher.of(work)
    keys = sorted(info.key for info in store.list("") if not info.key.startswith(f"{FOLDER}/"))
    return [key for key in keys if matcher.named(key) or _held(strings_of(store, key), matcher, work.pieces)]


def holds_erased(store: Store, key: str, matcher: Matcher) -> bool:
    """Whether an object holds an erased id or quotes an erased text."""
    return any(matcher.named(text) or matcher.quoted(text) for text in strings_of(store, key))


def _held(texts: Iterable[str], matcher: Matcher, pieces: Sequence[str]) -> bool:
    for text in texts:
        if matcher.named(text):
            return True
        if pieces:
            said = plain(text)
            if any(piece in said for piece in pieces):
                return True
    return False


def strings_of(store: Store, key: str) -> Iterator[str]:
    """Everything an object says: strings of all columns of a Parquet file and its metadata, or its bytes as text."""
    data = store.get(key)
    if key.endswith(".parquet"):
        try:
            file = pq.ParquetFile(pa.BufferReader(data))
            for name, value in (file.metadata.metadata or {}).items():
                if name != b"ARROW:schema":
                    yield value.decode(errors="replace")
            for group in range(file.num_row_groups):
                yield from _distinct(file.read_row_group(group, use_threads=False))
            return
        except (pa.ArrowException, OSError):
            pass  # what is no Parquet is looked through as it lies
    yield data.decode("utf-8", errors="replace")


def _distinct(table: pa.Table) -> Iterator[str]:
    for column in table.columns:
        yield from _inside(column.combine_chunks())


def _inside(found: pa.Array | pa.ChunkedArray) -> Iterator[str]:
    if isinstance(found, pa.ChunkedArray):
        for chunk in found.chunks:
            yield from _inside(chunk)
        return
    kind = found.type
    if pa.types.is_struct(kind):
        for field in range(kind.num_fields):
            yield from _inside(found.field(field))
    elif pa.types.is_map(kind):
        yield from _inside(found.keys)
        yield from _inside(found.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _inside(found.values)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield from (value for value in found.unique().to_pylist() if value)
    elif pa.types.is_binary(kind):
        yield from (value.decode("utf-8", errors="replace") for value in found.unique().to_pylist() if value)
