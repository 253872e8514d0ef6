"""Parquet sources: the footer, which bytes hold the wanted columns, and reading them exactly once.

Design: the byte ranges of the wanted column chunks are known from the footer. They are read in file order, with
small gaps read along, hashed, and Arrow decodes from that memory: one pass over network or disk, a hash that
does not depend on how Arrow happens to read, and a clean line between failed reads (raised) and damaged
content (`DamageError`). One row group is held at a time, compressed, and decoded in batches.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.corpus.config import Columns
from factory.corpus.places import SourceBytes
from factory.corpus.streams import DamageError, Hashed, blocks

TAIL_BYTES = 64 << 10
"""Holds the footer of nearly every file in one read; a longer one costs a second."""

GAP_BYTES = 1 << 20
"""Unwanted bytes between two column chunks that are cheaper to read along than to ask S3 twice."""

BATCH_ROWS = 1024

Buffer = tuple[int, bytes]


@dataclass(frozen=True)
class Footer:
    metadata: Any  # pq.FileMetaData
    tail: Buffer


def read_footer(source: SourceBytes) -> Footer:
    """Raises DamageError when the file has none that can be read: truncated, or not Parquet at all."""
    start = max(0, source.size - TAIL_BYTES)
    tail = source.read(start, source.size)
    if len(tail) < 12 or tail[-4:] != b"PAR1":
        raise DamageError("truncated_file", {"error": "no Parquet footer at the end of the file", "bytes": source.size})
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length > source.size - 4:
        raise DamageError("corrupt_file", {"error": f"the footer claims {length} bytes of {source.size}"})
    if length > len(tail):
        start = source.size - length
        tail = source.read(start, source.size)
    try:
        metadata = pq.read_metadata(pa.BufferReader(tail[-length:]))
    except (pa.ArrowException, OSError) as error:
        raise DamageError("corrupt_file", {"error": first_line(error)}) from None
    return Footer(metadata, (start, tail))


def field_at(schema: Any, path: str) -> Any | None:
    """The Arrow field that a column mapping names: a column, or a field of a struct as "meta.url"."""
    if path in schema.names:
        return schema.field(path) if schema.names.count(path) == 1 else None
    head, *rest = path.split(".")
    if schema.names.count(head) != 1:
        return None
    field = schema.field(head)
    for name in rest:
        if not pa.types.is_struct(field.type) or field.type.get_field_index(name) < 0:
            return None
        field = field.type.field(name)
    return field if rest else None


def wanted_columns(schema: Any, columns: Columns) -> dict[str, str]:
    """Role ("text", "source", …) -> column, for the columns of the mapping that are there."""
    mapping = columns.model_dump()
    return {role: path for role, path in mapping.items() if path is not None and field_at(schema, path) is not None}


def column_at(batch: Any, path: str) -> Any:
    """The column (Arrow array) of `batch` that `path` names; `field_at` says whether there is one."""
    if path in batch.schema.names:
        return batch.column(path)
    head, *rest = path.split(".")
    return pc.struct_field(batch.column(head), rest)


def chunks_of(row_group: Any, paths: Sequence[str]) -> list[Any]:
    """Metadata of the column chunks that `paths` need."""
    chunks = [row_group.column(index) for index in range(row_group.num_columns)]
    return [
        chunk
        for chunk in chunks
        if any(chunk.path_in_schema == path or chunk.path_in_schema.startswith(f"{path}.") for path in paths)
    ]


def chunk_spans(row_group: Any, paths: Sequence[str]) -> list[tuple[int, int]]:
    """Bytes [start, stop) of those chunks, in file order."""
    spans = []
    for chunk in chunks_of(row_group, paths):
        start = chunk.data_page_offset
        if chunk.has_dictionary_page and 0 < (chunk.dictionary_page_offset or 0) < start:
            start = chunk.dictionary_page_offset
        spans.append((start, start + chunk.total_compressed_size))
    return sorted(spans)


def read_group(
    source: SourceBytes, footer: Footer, group: int, paths: Sequence[str], hashed: Hashed, held: bytes | None
) -> Iterator[Any]:
    """Record batches of a row group with the columns `paths`; `held`: the file's bytes, where they have been
    read already. Raises DamageError, after the batches before the damage."""
    buffers = [(0, held)] if held is not None else _read_chunks(source, footer, group, paths, hashed)
    try:
        opened = pq.ParquetFile(
            pa.PythonFile(_Held(source, buffers), mode="r"), metadata=footer.metadata, page_checksum_verification=True
        )
        yield from opened.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(paths), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DamageError("corrupt_file", {"row_group": group, "error": first_line(error)}) from None


def _read_chunks(source: SourceBytes, footer: Footer, group: int, paths: Sequence[str], hashed: Hashed) -> list[Buffer]:
    buffers = [footer.tail]
    for start, stop in _joined(chunk_spans(footer.metadata.row_group(group), paths)):
        if not 0 <= start <= stop <= source.size:
            raise DamageError("corrupt_file", {"row_group": group, "error": "column chunks lie outside the file"})
        buffers.append((start, b"".join(blocks(source, hashed, start, stop))))
    return buffers


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, stop in spans:
        if joined and start <= joined[-1][1] + GAP_BYTES:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


class _Held(io.RawIOBase):
    """A file of which parts are held in memory; Arrow's few reads outside them go to the source."""

    def __init__(self, source: SourceBytes, buffers: Sequence[Buffer]) -> None:
        super().__init__()
        self._source, self._buffers, self._at = source, buffers, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        start = self._at
        stop = self._source.size if size < 0 else min(start + size, self._source.size)
        self._at = max(start, stop)
        for begin, data in self._buffers:
            if begin <= start and stop <= begin + len(data):
                return data[start - begin : stop - begin]
        return self._source.read(start, stop)


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
