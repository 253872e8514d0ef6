"""What derives from documents: the ids of all rows made of them, and names and texts that only those have.

Design: a row that names an erased thing in a column that says what it is made of (matching.OWN) is erased, and the ids
that are its own are erased with it, until a pass over all steps finds no more; steps are read in the order data walks,
so that is the second pass. Names of concepts need more: the graph keeps them without documents. A name goes where
only erased extractions have it, and with it the walks over it and what was asked along them.
Of rows that stay only what erased rows have as well is held, so memory goes by what is erased and not by the root.
Cost: every file of a step is read four times, as a rule seven times where names go with the rows, and once more each
time names are compared if it holds any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.concepts.graph.names import normal_form
from factory.govern.erasure.files import StepFile, step_files
from factory.govern.erasure.matching import OWN, PASSED_ON, Matcher, flat, pieces_of, plain
from factory.govern.erasure.records import ID, Work
from factory.govern.erasure.tables import erased_rows
from factory.identity import make_id
from factory.store.base import Store
from factory.store.objects import damaged, read_mapping

ORDER = ("select", "document", "merge", "extract", "graph", "walk", "visits", "pair", "question", "sketch", "match",
         "compare", "decide", "curate", "semantic", "answer", "check", "judge", "samples", "recheck", "gate", "shards",
         "segment")  # fmt: skip

ALONG_NAMES = ("graph_", "walk", "visits", "pair")
"""Steps whose rows may hold a concept's name without the document it is from."""

TEXTS = ("text", "question", "answer", "texts")
LONGEST_TEXTS = 4096
"""Texts that are looked for in the end, at most: those of some hundred documents and what was asked of them."""

NAMES = ("topics", "subject")


@dataclass
class _Said:
    """Strings of rows: mutable, because they are collected over all files. `places` are the files with names."""

    names: set[str] = field(default_factory=set)
    normals: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    places: list[StepFile] = field(default_factory=list)


def closure(store: Store, documents: Iterable[str]) -> Work:
    """Everything that the erasure of `documents` looks for."""
    documents = frozenset(documents)
    files = sorted(step_files(store), key=lambda file: (_rank(file.step), file.key))
    ids = _derived(store, files, set(documents), frozenset())
    erased, kept = _said(store, files, ids)
    words = erased.names - kept.names
    normals = {normal_form(name) for name in words} - kept.normals - {""}
    found = Matcher.of(Work((), tuple(words), tuple(normals), tuple(erased.subjects - kept.subjects)))
    if words or normals:
        ids = _derived(store, files, ids, found.words | found.subjects)
        erased, kept = _said(store, files, ids)
    published = _published(store, ids)
    pieces = _nobody_elses(store, files, Matcher.of(Work(tuple(ids))), pieces_of(erased.texts))
    return Work(
        ids=tuple(sorted(ids | published | _drawn(store, ids | published))),
        words=tuple(sorted(words)),
        normals=tuple(sorted(normals)),
        subjects=tuple(sorted(erased.subjects - kept.subjects)),
        texts=tuple(sorted(erased.texts, key=lambda text: (-len(text), text))[:LONGEST_TEXTS]),
        pieces=tuple(pieces),
        alike=tuple(sorted(_alike(store, files, documents))),
    )


def _rank(step: str) -> int:
    return next((place for place, name in enumerate(ORDER) if step.startswith(name)), len(ORDER))


def _derived(store: Store, files: Sequence[StepFile], ids: set[str], words: frozenset[str]) -> set[str]:
    """`ids` and those of every row made of them."""
    matcher = Matcher.of(Work(tuple(ids), tuple(words)))
    while True:
        before = len(ids)
        for file in files:
            along = bool(words) and file.step.startswith(ALONG_NAMES)
            wanted = {*OWN, *PASSED_ON, *(("topics", "concepts", "trace") if along else ())}
            table = read_columns(store, file.key, wanted)
            rows = erased_rows(table, matcher, along)
            if rows.any():
                ids |= set(_own_ids(table.filter(pa.array(rows))))
                if len(ids) > len(matcher.ids):
                    matcher = Matcher.of(Work(tuple(ids), tuple(words)))
        if len(ids) == before:
            return ids


def _published(store: Store, ids: set[str]) -> set[str]:
    """Ids that published rows have besides: a mix gives its rows others, and the steps of a dataset may be gone."""
    found: set[str] = set()
    matcher = Matcher.of(Work(tuple(ids)))
    for info in store.list("datasets/"):
        if info.key.endswith(".parquet"):
            table = read_columns(store, info.key, {"sample_id", "doc_ids", "lineage"})
            found |= set(_own_ids(table.filter(pa.array(erased_rows(table, matcher)))))
    return found


def _drawn(store: Store, ids: set[str]) -> set[str]:
    """What reviews call the erased rows that were drawn for them."""
    found: set[str] = set()
    for info in store.list("datasets/"):
        if "/reviews/" in info.key and info.key.endswith("/sheet.json"):
            items = read_mapping(store, info.key, ("items",))["items"]
            found |= {item["item"] for item in items if item.get("sample_id") in ids and item.get("item")}
    return found


def _own_ids(table: pa.Table) -> Iterator[str]:
    for name in PASSED_ON:
        if name in table.column_names:
            for value in flat(table.column(name).to_pylist()):
                if ID.fullmatch(value):
                    yield value
                    if name == "answer_id":
                        yield make_id("sample", value)


def _said(store: Store, files: Sequence[StepFile], ids: set[str]) -> tuple[_Said, _Said]:
    """What erased rows say, and what of their names rows that stay say as well."""
    matcher = Matcher.of(Work(tuple(ids)))
    erased = _said_by_erased(store, files, matcher)
    erased.normals = {normal_form(name) for name in erased.names}
    kept = _Said()
    for file in erased.places if erased.names else ():
        table = read_columns(store, file.key, {*OWN, *NAMES})
        names, subjects = _named(table.filter(pa.array(~erased_rows(table, matcher))))
        kept.names |= names & erased.names
        kept.subjects |= subjects & erased.subjects
        kept.normals |= erased.normals.intersection(map(normal_form, names))
    return erased, kept


def _said_by_erased(store: Store, files: Sequence[StepFile], matcher: Matcher) -> _Said:
    said = _Said()
    for file in files:
        table = read_columns(store, file.key, {*OWN, *TEXTS, *NAMES})
        if not set(NAMES).isdisjoint(table.column_names):
            said.places.append(file)
        gone = table.filter(pa.array(erased_rows(table, matcher)))
        for name in TEXTS:
            if name in gone.column_names:
                said.texts.update(text for text in flat(gone.column(name).to_pylist()) if text)
        names, subjects = _named(gone)
        said.names |= names
        said.subjects |= subjects
    return said


def _named(table: pa.Table) -> tuple[set[str], set[str]]:
    """Names of topics, concepts and subjects, and subjects alone."""
    topics, subjects = (
        _strings(table.column(name)) if name in table.column_names else set() for name in ("topics", "subject")
    )
    return topics | subjects, subjects


def _nobody_elses(store: Store, files: Sequence[StepFile], matcher: Matcher, pieces: list[str]) -> list[str]:
    """Of these pieces of erased texts those that no row that stays has: what two documents say, or a model says to
    everybody, proves nothing."""
    for file in files:
        table = read_columns(store, file.key, {*OWN, *TEXTS})
        stays = table.filter(pa.array(~erased_rows(table, matcher)))
        for name in TEXTS:
            if name in stays.column_names and pieces:
                for text in flat(stays.column(name).to_pylist()):
                    said = plain(text)
                    pieces = [piece for piece in pieces if piece not in said]
    return pieces


def _strings(column: pa.ChunkedArray) -> set[str]:
    """Strings of `subject`, of `topics` as extraction writes them, or as walks do."""
    if pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type):
        topics = pc.list_flatten(column)
        concepts = pc.list_flatten(pc.struct_field(topics, "key_concepts"))
        return _distinct(pc.struct_field(topics, "topic")) | _distinct(concepts)
    if pa.types.is_string(column.type):
        return _distinct(column)
    return set()  # names of the graph's: what counts is who extracted them


def _distinct(column: pa.ChunkedArray) -> set[str]:
    return {value for value in pc.unique(column).to_pylist() if value}


def _alike(store: Store, files: Sequence[StepFile], documents: frozenset[str]) -> set[str]:
    """Documents that were found to nearly repeat an erased one, or the other way round; they stay, and people are told
    of them."""
    found: set[str] = set()
    for file in files:
        if file.step == "document_decide" and file.kind == "data":
            table = read_columns(store, file.key, {"doc_id", "kept_id"})
            for row in table.to_pylist():
                pair = {row.get("doc_id"), row.get("kept_id")}
                if pair & documents:
                    found |= {one for one in pair - documents if one}
    return found


def read_columns(store: Store, key: str, wanted: set[str]) -> pa.Table:
    """Those columns of a Parquet file that it has; rows without columns where it has none. Raises StoreError."""
    try:
        file = pq.ParquetFile(pa.BufferReader(store.get(key)))
        names = [name for name in file.schema_arrow.names if name in wanted]
        if not names:
            return pa.table({"": pa.nulls(file.metadata.num_rows)})
        return file.read(names, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise damaged(store.uri, key, f"it is no Parquet ({type(error).__name__})") from error


def rows_by_place(table: pa.Table, matcher: Matcher) -> set[int]:
    """What a sketch table's `row` says of its erased rows: their places in the file that was sketched."""
    if "row" not in table.column_names:
        return set()
    rows = table.column("row").to_numpy()[np.flatnonzero(erased_rows(table, matcher))]
    return {int(row) for row in rows}
