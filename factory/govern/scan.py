"""Which rows of a shard rest on a document, come under a licence or were written by a model.

Design: a question names the few leaves of a shard that answer it, and tells them row by row; of a plain column each
distinct value is looked at once a row group, in the dictionaries that are stored. Nothing else of a shard is fetched,
so there is no index to keep true. Cost: docs/benchmarks.md, `impact`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from factory.licences.expression import leaves, parse, terms
from factory.store.base import Store
from factory.store.objects import damaged
from factory.store.parquet import read_columns

Mask = npt.NDArray[np.bool_]


class Question(Protocol):
    """`columns` are the leaves it reads, by their path in Parquet; `rows` tells which rows of a table of them it is
    about."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def rows(self, table: pa.Table) -> Mask: ...


@dataclass(frozen=True)
class OfDocuments:
    """Rows that rest on any of these documents."""

    ids: frozenset[str]
    columns: tuple[str, ...] = ("doc_ids.list.element",)

    def rows(self, table: pa.Table) -> Mask:
        return listed_in(table.column("doc_ids"), self.ids)


@dataclass(frozen=True)
class UnderLicence:
    """Rows that have a source under this licence: every term of the expression is one of the row's, or stands in one
    of them as an alternative."""

    expression: str
    columns: tuple[str, ...] = ("license",)

    def rows(self, table: pa.Table) -> Mask:
        return told_by_value(table.column("license"), lambda stated: contains(stated, self.expression))


@dataclass(frozen=True)
class WrittenBy:
    """Rows whose question or answer this model wrote; `revision` None: any."""

    model: str
    revision: str | None
    columns: tuple[str, ...] = ("question_model", "question_model_revision", "answer_model", "answer_model_revision")

    def rows(self, table: pa.Table) -> Mask:
        found = np.zeros(table.num_rows, np.bool_)
        for role in ("question", "answer"):
            wrote = told_by_value(table.column(f"{role}_model"), lambda value: value == self.model)
            if self.revision is not None:
                wrote &= told_by_value(table.column(f"{role}_model_revision"), lambda value: value == self.revision)
            found |= wrote
        return found


@dataclass(frozen=True)
class OfSamples:
    """Rows of a mix that were these rows of these files: by what they hold, wherever the mix found them."""

    samples: pa.Array
    files: frozenset[str]
    columns: tuple[str, ...] = ("lineage.sample_id", "lineage.file_sha256")

    def rows(self, table: pa.Table) -> Mask:
        lineage = table.column("lineage")
        files = told_by_value(pc.struct_field(lineage, "file_sha256"), self.files.__contains__)
        ids = pc.is_in(pc.struct_field(lineage, "sample_id"), value_set=self.samples)
        return files & np.asarray(ids, np.bool_)


@dataclass(frozen=True)
class OfDatasets:
    """Rows of a mix that came from these published datasets, as (name, version)."""

    datasets: frozenset[tuple[str, str]]
    columns: tuple[str, ...] = ("lineage.dataset", "lineage.version")

    def rows(self, table: pa.Table) -> Mask:
        lineage = table.column("lineage")
        found = np.zeros(table.num_rows, np.bool_)
        for name, version in self.datasets:
            of_name = told_by_value(pc.struct_field(lineage, "dataset"), lambda value, name=name: value == name)
            of_version = told_by_value(
                pc.struct_field(lineage, "version"), lambda value, version=version: value == version
            )
            found |= of_name & of_version
        return found


def matching(store: Store, key: str, question: Question, ids: bool = False) -> tuple[Mask, pa.Array | None]:
    """Which rows of a shard the question is about, and the ids of those where they are asked for.

    Raises AbsentObjectError where the shard is gone, StoreError where it is not a shard of ours.
    """
    # Arrow reads dictionaries only of columns that are not nested: others come in several pieces, which it refuses.
    encoded = [column for column in question.columns if "." not in column]
    table = read_columns(store, key, question.columns, encoded)
    try:
        mask = question.rows(table)
    except (pa.ArrowException, KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(store.uri, key, f"its columns are not those of a shard: {error}") from None
    if not ids or not mask.any():
        return mask, pa.array([], pa.string()) if ids else None
    names = read_columns(store, key, ["sample_id"]).column("sample_id")
    return mask, pa.concat_arrays(names.filter(pa.array(mask)).chunks or [pa.array([], pa.string())])


@lru_cache(maxsize=65536)
def contains(stated: str, expression: str) -> bool:
    """Whether what was stated puts a row under this licence."""
    known = {*terms(stated), *leaves(parse(stated))}
    return set(terms(expression)) <= known


def told_by_value(column: pa.ChunkedArray, told: Any) -> Mask:
    """For each row whether `told` is true of its value; of null it is not. Asks once a distinct value and chunk."""
    parts = []
    for chunk in column.chunks:
        encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        values = encoded.dictionary.to_pylist()
        known = np.array([value is not None and bool(told(value)) for value in values] + [False], np.bool_)
        places = np.asarray(encoded.indices.fill_null(len(values)))
        parts.append(known[places])
    return np.concatenate(parts) if parts else np.zeros(0, np.bool_)


def listed_in(column: pa.ChunkedArray, wanted: frozenset[str]) -> Mask:
    """For each row whether its list holds one of these values."""
    parts = []
    for chunk in column.chunks:
        flat = pc.is_in(chunk.flatten(), value_set=pa.array(sorted(wanted), pa.string()))
        found = np.zeros(len(chunk), np.bool_)
        found[np.asarray(pc.list_parent_indices(chunk))[np.asarray(flat)]] = True
        parts.append(found)
    return np.concatenate(parts) if parts else np.zeros(0, np.bool_)


def count_by_document(store: Store, keys: Sequence[str], ids: frozenset[str]) -> dict[str, int]:
    """Document id -> rows of these shards that rest on it; those without any are left out. Raises as `matching`."""
    wanted, found = pa.array(sorted(ids), pa.string()), Counter[str]()
    for key in keys:
        column = read_columns(store, key, OfDocuments(ids).columns).column("doc_ids")
        try:
            named = pc.list_flatten(column)
            counted = pc.value_counts(named.filter(pc.is_in(named, value_set=wanted)))
        except pa.ArrowException as error:
            raise damaged(store.uri, key, f"its columns are not those of a shard: {error}") from None
        for pair in counted.to_pylist():
            found[pair["values"]] += pair["counts"]
    return dict(sorted(found.items()))
