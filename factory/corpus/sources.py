"""From the corpus configuration to source files and the ranges that tasks read.

Design: everything about a corpus that can be wrong for all of it is found here, before anything starts, from
names, Parquet footers and the first lines of JSONL files: nothing there, unknown formats, a missing or
mistyped column, a licence column that is there under another name. What is wrong with single rows or files
becomes rejects later. Ranges are ordered by the hash that names them, so any prefix is a fair sample of the
corpus and the order is the same on every machine.

Cost: one listing, and one read of 64 KiB a Parquet or JSONL file, 16 at a time.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

from factory.corpus.config import Columns, CorpusConfig
from factory.corpus.peek import Peek, nearest, peek
from factory.corpus.places import DOCSTRINGS_SCHEME, Found, find
from factory.corpus.ranges import SUFFIXES, Format, SourceFile, SourceRange, format_of
from factory.errors import CorpusError
from factory.identity import make_id

log = logging.getLogger(__name__)

MIB = 1 << 20
PEEKS_AT_ONCE = 16

SURELY_MEANT = 0.85
"""Likeness of column names from which one is taken for a slip of the other: "licence" is 0.86 like "license",
"source_id" 0.8 like "source"."""

TEXTS_A_RANGE = 256
"""Text files a range on average. Ranges of texts end behind files whose name hashes to a multiple of this, not
at every 256th file, so that a file added to a folder changes one range and not all that follow."""

MOST_TEXTS_A_RANGE = 1024


EXPANSION = {"": 1, "gzip": 3, "zstd": 4}
"""Bytes of English or code that one compressed byte holds, about: for estimates."""


@dataclass(frozen=True)
class Part:
    """What a range takes of a file (see `SourceRange`)."""

    start: int = 0
    stop: int = 0
    first_row: int = 0
    text_bytes: int = 0


def list_sources(config: CorpusConfig) -> list[SourceFile]:
    """Every file of the corpus, ordered by address.

    Raises CorpusError naming the path that leads to no file, or the file whose format is not known.
    """
    if config.kind == "docstrings":
        return _docstrings()
    files: dict[str, SourceFile] = {}
    for path in config.paths:
        found = sorted(find(path), key=lambda item: item.uri)
        kept = _of_known_format(path, found, config)
        if not kept:
            raise _nothing_at(path, found)
        files.update((file.uri, file) for file in kept if file.uri not in files)
    return _with_unique_names([files[uri] for uri in sorted(files)])


def plan_ranges(files: Sequence[SourceFile], config: CorpusConfig) -> list[SourceRange]:
    """What tasks will read, ordered by range id. Reads footers and first lines, no more.

    Raises CorpusError when a mapped column is missing or holds no text (naming file, column, the columns there
    are, and the nearest name), when a file is not what its name says, or when there is no row at all.
    """
    columns = Columns() if config.kind == "docstrings" else config.columns
    shards = [file for file in files if file.format != "text"]
    with ThreadPoolExecutor(PEEKS_AT_ONCE) as pool:
        peeks = list(pool.map(lambda file: peek(file, columns), shards))
    _check_optional_columns(shards, peeks, columns)

    def range_of(files: tuple[SourceFile, ...], part: Part) -> SourceRange:
        return SourceRange(
            files=files,
            start=part.start,
            stop=part.stop,
            first_row=part.first_row,
            columns=columns,
            default_source=config.default_source,
            default_license=config.default_license,
            text_bytes=part.text_bytes,
        )

    range_bytes = config.range_mib * MIB
    ranges = [
        range_of(tuple(batch), Part(text_bytes=sum(map(_expanded, batch))))
        for batch in _text_batches(files, range_bytes)
    ]
    for file, seen in zip(shards, peeks, strict=True):
        ranges += [range_of((file,), part) for part in _parts(file, seen, range_bytes)]
    if not ranges:
        raise CorpusError(
            f"the corpus holds no documents: {_some([file.uri for file in files])} {_are(files)} empty",
            cause="the files were never filled, or the wrong folder was named",
            remedy="correct corpus.paths",
        )
    return sorted(ranges, key=lambda range_: range_.range_id)


def _docstrings() -> list[SourceFile]:
    from factory.corpus.docstrings import ensure_docstrings, sha256_of
    from factory.engine.smollm2 import cache_root

    files = []
    for place in map(PurePosixPath, ensure_docstrings(cache_root())):
        size, digest = sha256_of(str(place))
        files.append(
            SourceFile(
                uri=f"{DOCSTRINGS_SCHEME}{place.parent.name}/{place.name}",
                size=size,
                etag=digest,
                format="parquet",
                name=f"docstrings/{place.name}",
            )
        )
    return sorted(files, key=lambda file: file.uri)


def _of_known_format(path: str, found: Sequence[Found], config: CorpusConfig) -> list[SourceFile]:
    """The found files that are documents. A file named outright must be of a known format; in a folder other
    files are left out with a warning, and so are texts (a dataset card, a licence) that lie among shards."""
    kept: list[SourceFile] = []
    left_out: list[str] = []
    formats = [config.format if config.format != "auto" else format_of(item.uri) for item in found]
    among_shards = config.format == "auto" and any(
        format_ in ("parquet", "jsonl") for item, format_ in zip(found, formats, strict=True) if not item.direct
    )
    for item, format_ in zip(found, formats, strict=True):
        if format_ is None and item.direct and item.uri.rstrip("/").endswith(PurePosixPath(path).name):
            raise CorpusError(
                f"corpus.paths: {path} is of no known format",
                cause=f"the name ends in none of {', '.join(SUFFIXES)} (JSONL and text also .gz, .zst)",
                remedy="say what it is with corpus.format=parquet, jsonl or text, or convert it",
            )
        if format_ is None or (format_ == "text" and among_shards and not item.direct):
            left_out.append(item.uri)
            continue
        kept.append(SourceFile(item.uri, item.size, item.etag, format_, _name(item, format_)))
    if left_out and kept:
        log.warning("corpus.paths: %s: %s", path, _left_out(path, left_out))
    return kept


def _left_out(path: str, uris: Sequence[str]) -> str:
    """What lies beside shards and is not read, counted by ending, and how to have it read."""
    counts = Counter(_ending(uri) for uri in uris)
    said = ", ".join(f"{number:,} {ending}" for ending, number in counts.most_common(ENDINGS_NAMED))
    if len(counts) > ENDINGS_NAMED:
        said += f" and {sum(counts.values()) - sum(n for _, n in counts.most_common(ENDINGS_NAMED)):,} others"
    texts = [ending for ending, _ in counts.most_common() if format_of(ending) == "text"]
    advice = []
    if texts:
        below = f"{path.rstrip('/')}/**/*{texts[0]}"
        advice.append(f"texts among shards are read where a pattern names them: corpus.paths=['{path}','{below}']")
    if len(texts) < len(counts):
        advice.append("other endings are read only with corpus.format=text, and then every file is")
    return f"left out: {said} ({'; '.join(advice)})"


ENDINGS_NAMED = 6
"""A folder of sources has a few kinds of files; a longer tail is summed."""


def _ending(uri: str) -> str:
    place = PurePosixPath(uri.lower())
    if place.suffix in (".gz", ".zst"):
        return PurePosixPath(place.stem).suffix + place.suffix
    return place.suffix or "without an ending"


def _name(found: Found, format_: Format) -> str:
    """A shard is called by its folder and file name, whichever folder, pattern or path led to it: a run over
    part of a corpus must find what a run over all of it has paid for. A text keeps its path below the folder
    that was named, because trees of texts repeat their file names."""
    base = found.base if format_ == "text" else found.uri.rpartition("/")[0]
    below = found.uri.removeprefix(base).lstrip("/")
    folder = base.removeprefix("s3://").rstrip("/").rpartition("/")[2]
    name = f"{folder}/{below}" if folder else below
    try:
        name.encode()
    except UnicodeEncodeError:
        raise CorpusError(
            f"the name of {name.encode(errors='backslashreplace').decode()} is not UTF-8",
            cause="the file was named under another encoding",
            remedy="rename it: lineage has to be able to say it",
        ) from None
    return name


def _with_unique_names(files: list[SourceFile]) -> list[SourceFile]:
    """Files of equal names go by their address."""
    seen = Counter(file.name for file in files)
    return [
        file if seen[file.name] == 1 else SourceFile(file.uri, file.size, file.etag, file.format, file.uri)
        for file in files
    ]


def _nothing_at(path: str, found: Sequence[Found]) -> CorpusError:
    if found:
        return CorpusError(
            f"corpus.paths: nothing at {path} is of a known format: {_some([item.uri for item in found])}",
            cause=f"names end in none of {', '.join(SUFFIXES)} (JSONL and text also .gz, .zst)",
            remedy="say what they are with corpus.format=parquet, jsonl or text, or convert them",
        )
    return CorpusError(
        f"corpus.paths: {path} leads to no file",
        cause="the path or pattern is mistyped, the folder is empty, or it lies on another machine",
        remedy="correct corpus.paths; folders are searched with all that is below them, `**` matches any folders",
    )


def _check_optional_columns(files: Sequence[SourceFile], peeks: Sequence[Peek], columns: Columns) -> None:
    """A mapped source, licence or url column that no file has: an error when the mapping was the user's own, or
    when a column of nearly that name is there, because licences must not get lost by a slip."""
    known = sorted({name for seen in peeks for name in seen.columns})
    if not known:
        return
    defaults = Columns().model_dump()
    for role, path in columns.model_dump().items():
        if role == "text" or path is None or any(path in seen.mapped for seen in peeks):
            continue
        near = nearest(path, known, SURELY_MEANT)
        if path == defaults[role] and not near:
            continue
        raise CorpusError(
            f"no file of the corpus has the column {path!r} (corpus.columns.{role}); "
            f"{files[0].uri} has: {', '.join(known)}",
            cause=f"it is called {near!r} there"
            if near
            else "the mapping has a slip, or the corpus has no such column",
            remedy=f"set corpus.columns.{role}={near or 'null'}"
            + (f", or null for corpus.default_{role}" if role != "url" and near else ""),
        )


def _text_batches(files: Sequence[SourceFile], range_bytes: int) -> Iterator[list[SourceFile]]:
    batch: list[SourceFile] = []
    size = 0
    for file in sorted((file for file in files if file.format == "text"), key=lambda file: file.uri):
        if batch and (size + file.size > range_bytes or len(batch) >= MOST_TEXTS_A_RANGE):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
        if int(make_id("text", file.name)[:8], 16) % TEXTS_A_RANGE == 0:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _parts(file: SourceFile, seen: Peek, range_bytes: int) -> Iterator[Part]:
    if file.format == "parquet":
        yield from _group_parts(seen, range_bytes)
    elif not file.compression:
        for start in range(0, file.size, range_bytes):
            stop = min(start + range_bytes, file.size)
            yield Part(start, stop, text_bytes=stop - start)
    elif not seen.empty:
        yield Part(text_bytes=_expanded(file))


def _group_parts(seen: Peek, range_bytes: int) -> Iterator[Part]:
    """Consecutive row groups of up to `range_bytes` compressed; of a file whose footer cannot be read, the one
    part whose reading will say so."""
    if seen.damaged:
        yield Part()
    start = first_row = rows = size = text = 0
    for group, (group_rows, compressed, decompressed) in enumerate(seen.groups):
        if rows and size + compressed > range_bytes:
            yield Part(start, group, first_row, text)
            start, first_row, rows, size, text = group, first_row + rows, 0, 0, 0
        rows, size, text = rows + group_rows, size + compressed, text + decompressed
    if rows:
        yield Part(start, len(seen.groups), first_row, text)


def _expanded(file: SourceFile) -> int:
    return file.size * EXPANSION[file.compression]


def _some(uris: Sequence[str]) -> str:
    return uris[0] if len(uris) == 1 else f"{uris[0]} and {len(uris) - 1} more"


def _are(files: Sequence[SourceFile]) -> str:
    return "is" if len(files) == 1 else "are"
