"""The Parquet files of a dataset against the facts: bytes, rows, columns, markers in the file and on every row.

Design: what `factory verify` proves of rows (order, splits, lineage) it proves; here is what documents speak of. A row
group is in memory at a time, and only the columns that are counted. Cost: a million rows in 3.7 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.errors import FactoryError, TransientStoreError
from factory.govern.check.findings import Finding, shown
from factory.govern.documents import croissant_beside
from factory.govern.facts import Facts, File
from factory.identity import sha256_hex
from factory.publish.manifest import CROISSANT
from factory.publish.verify import every_file
from factory.store.base import Store

MARKED = ("synthetic", "digital_source_type")
COUNTED = ("level", "license", "verified")
MODELS = (("question_model", "question_model_revision"), ("answer_model", "answer_model_revision"))


@dataclass
class _Seen:
    """What was counted over all shards."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in COUNTED})
    models: set[tuple[str, str]] = field(default_factory=set)
    rows: int = 0
    whole: bool = True


def shard_findings(dataset: Store, facts: Facts) -> Iterator[Finding]:
    """Of every file of the dataset but the manifest, and of files that are none of its own. Raises TransientStoreError
    where the store does not answer."""
    seen = _Seen()
    own = {file.path for file in (*facts.files, facts.manifest)}
    for path in sorted(set(every_file(dataset, "")) - own):
        yield from _stranger(dataset, facts, path)
    splits = {path: split.name for split in facts.splits for path in split.files}
    for file in facts.files:
        data, finding = _bytes_of(dataset, file)
        if finding is not None:
            yield finding
        if file.rows is not None:
            seen.whole = seen.whole and data is not None
            if data is not None:
                yield from _shard(file, data, facts, splits.get(file.path, ""), seen)
    if seen.whole:
        yield from _totals(facts, seen)


def _stranger(dataset: Store, facts: Facts, path: str) -> Iterator[Finding]:
    """Loaders take whatever matches the card's pattern, so a shard too many is rows too many."""
    if path != CROISSANT:
        yield Finding(path, "file", "does not belong to the dataset", "only the files that manifest.json lists")
    elif fault := croissant_beside.fault(dataset, facts):
        yield Finding(path, "file", fault)


def _bytes_of(dataset: Store, file: File) -> tuple[bytes | None, Finding | None]:
    try:
        data = dataset.get(file.path)
    except KeyError:
        return None, Finding(file.path, "file", "is missing", "the one that manifest.json lists")
    except TransientStoreError:
        raise
    except FactoryError as error:
        return None, Finding(file.path, "file", f"cannot be read: {error.what}")
    if sha256_hex(data) != file.sha256:
        return data, Finding(file.path, "sha256", sha256_hex(data), file.sha256)
    if len(data) != file.bytes:
        return data, Finding(file.path, "bytes", shown(len(data)), shown(file.bytes))
    return data, None


def _shard(file: File, data: bytes, facts: Facts, split: str, seen: _Seen) -> Iterator[Finding]:
    try:
        opened = pq.ParquetFile(pa.BufferReader(data))
        columns = [(each.name, _typed(str(each.type))) for each in opened.schema_arrow]
        wanted = [(name, _typed(kind)) for name, kind in facts.columns]
        if columns != wanted:
            seen.whole = False
            yield _columns(file.path, dict(columns), dict(wanted))
            return
        yield from _metadata(file.path, opened, facts, split)
        rows = opened.metadata.num_rows
        seen.rows += rows
        if rows != file.rows:
            yield Finding(file.path, "rows", shown(rows), shown(file.rows))
        yield from _rows(file.path, opened, facts, seen)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        seen.whole = False
        yield Finding(file.path, "file", f"cannot be read as Parquet: {error}")


def _typed(kind: str) -> str:
    """A type's name, whether the items of its lists are called as Arrow or as Parquet calls them."""
    return kind.replace("<item: ", "<element: ")


def _columns(path: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> Finding:
    for name in [*wanted, *found]:
        if found.get(name) != wanted.get(name):
            return Finding(path, f"column {name}", found.get(name, "is missing"), wanted.get(name, "no such column"))
    return Finding(path, "columns", "in another order", "the manifest's")


def _metadata(path: str, opened: pq.ParquetFile, facts: Facts, split: str) -> Iterator[Finding]:
    found = {key.decode(): value.decode() for key, value in (opened.metadata.metadata or {}).items() if key != SCHEMA}
    wanted = {
        "synthetic": "true",
        "digital_source_type": facts.digital_source_type,
        "generator": ", ".join(sorted({f"{model.name}@{model.revision}" for model in facts.models})),
        "run": facts.run,
        "dataset": facts.name,
        "version": facts.version,
        "split": split,
        "tokenizer": facts.tokenizer,
    }
    for key, value in wanted.items():
        if found.get(key) != value:
            yield Finding(path, f"metadata {key}", found.get(key, "is missing"), value)


SCHEMA = b"ARROW:schema"


def _rows(path: str, opened: pq.ParquetFile, facts: Facts, seen: _Seen) -> Iterator[Finding]:
    wanted = {"synthetic": True, "digital_source_type": facts.digital_source_type}
    unmarked: Counter[str] = Counter()
    names = [*MARKED, *COUNTED, *(name for pair in MODELS for name in pair)]
    for group in range(opened.num_row_groups):
        table = opened.read_row_group(group, names)
        for name, value in wanted.items():
            marked = pc.fill_null(pc.equal(table.column(name), value), False)
            unmarked[name] += table.num_rows - (pc.sum(marked).as_py() or 0)
        for name in COUNTED:
            seen.counts[name].update(
                {str(each["values"]): each["counts"] for each in pc.value_counts(table.column(name)).to_pylist()}
            )
        for pair in MODELS:
            for row in table.group_by(list(pair)).aggregate([]).to_pylist():
                seen.models.add((str(row[pair[0]]), str(row[pair[1]])))
    for name, rows in unmarked.items():
        if rows:
            yield Finding(path, f"column {name}", f"{rows:,} rows say otherwise", shown(wanted[name]))


def _totals(facts: Facts, seen: _Seen) -> Iterator[Finding]:
    """What the rows of all shards add up to, against what the manifest says of them."""
    if seen.rows != facts.rows:
        yield Finding(DATA, "rows", shown(seen.rows), shown(facts.rows))
    for name, wanted in (("level", facts.levels), ("license", facts.license_rows), ("verified", facts.verified)):
        for group in sorted(seen.counts[name].keys() | wanted.keys()):
            found, should = seen.counts[name].get(group, 0), wanted.get(group, 0)
            if found != should:
                yield Finding(DATA, f"rows of {name} {group}", shown(found), shown(should))
    named = {(model.name, model.revision) for model in facts.models}
    if strange := seen.models - named:
        yield Finding(DATA, "models", shown(strange), shown(named))


DATA = "data/"
"""What all shards together are called."""
