"""Rewriting the units of steps: rows are emptied in new files, and the commit names those.

Design: every count of a commit stays what the attempt found; what was taken out since is a figure of its own, by
erasure, in `erased`. `content_sha256` stays as well: it is what later units were planned over, and their names. Files
keep the attempt in their names, so that receipts still belong to commits. Files of attempts that were never committed
are deleted where they hold something erased.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.curate.bands import BAND, ROW_MASK, band_layout
from factory.curate.index.segment import ENTRY, entry_layout
from factory.govern.erasure.closure import ALONG_NAMES, rows_by_place
from factory.govern.erasure.files import StepFile, renamed, step_files
from factory.govern.erasure.matching import Matcher
from factory.govern.erasure.tables import emptied, erased_rows, without_cells
from factory.identity import canonical_json, sha256_hex
from factory.publish.gates.results import GATE
from factory.store.base import Store
from factory.store.commits import commit_key, read_commit
from factory.store.objects import damaged
from factory.store.parquet import Layout, to_parquet

Edited = tuple[pa.Table, int] | None
"""A table without what is erased, and how many rows that concerned; None where it concerns none."""

Edit = Callable[[StepFile, pa.Table, Mapping[str, pa.Table]], Edited]
"""What becomes of a file's table, given the other data tables of its unit by part."""

References = dict[str, tuple[str, str]]
"""Old key -> new key and hash."""


def edit_units(
    draft: Store, erasure: str, edit: Edit, matcher: Matcher | None = None
) -> tuple[Counter[str], References]:
    """Rewrites every unit that `edit` changes; rows by step and kind of file, and where files lie now."""
    rows: Counter[str] = Counter()
    moved: References = {}
    units: dict[tuple[str, str], list[StepFile]] = defaultdict(list)
    for file in step_files(draft):
        units[file.folder, file.unit].append(file)
    for (folder, unit), files in sorted(units.items()):
        own, new = _edit_unit(draft, erasure, folder, unit, files, edit, matcher)
        rows.update(own)
        moved.update(new)
    return rows, moved


def _edit_unit(
    draft: Store, erasure: str, folder: str, unit: str, files: list[StepFile], edit: Edit, matcher: Matcher | None
) -> tuple[Counter[str], References]:
    committed: set[str] = set()
    commit = None
    if draft.head(commit_key(folder, unit)) is not None:
        commit = read_commit(draft, folder, unit)
        committed = {file.key for file in commit.files} | {str(other["key"]) for other in commit.other_files.values()}
    tables = {file.key: _read(draft, file.key) for file in files}
    rows: Counter[str] = Counter()
    erased: dict[str, int] = {}
    moved: References = {}
    sizes: dict[str, int] = {}
    for file in files:
        siblings = {
            other.part: tables[other.key] for other in files if other.kind == "data" and other.attempt == file.attempt
        }
        found = edit(file, tables[file.key], siblings)
        if found is None:
            continue
        if file.key not in committed:
            draft.delete(file.key)
            rows[f"{file.step}, uncommitted"] += found[1]
            continue
        table, number = found
        key = renamed(file, erasure)
        data = to_parquet(table, {"erasure": erasure}, _layout(draft, file.key, table))
        draft.put(key, data)
        draft.delete(file.key)
        moved[file.key] = (key, sha256_hex(data))
        sizes[file.key] = len(data)
        kind = f"{file.kind} {file.part}".strip()
        erased[kind] = number
        rows[f"{file.step} {kind}"] += number
    if commit is not None and moved:
        facts: Mapping[str, Any] = commit.facts if matcher is None else matcher.value(dict(commit.facts))
        new = replace(
            commit,
            files=tuple(
                replace(file, key=moved[file.key][0], sha256=moved[file.key][1]) if file.key in moved else file
                for file in commit.files
            ),
            other_files={
                kind: {**other, "key": moved[other["key"]][0], "sha256": moved[other["key"]][1],
                       "bytes": sizes[other["key"]]} if other["key"] in moved else other
                for kind, other in commit.other_files.items()
            },
            facts=facts,
            erased={**commit.erased, erasure: erased},
        )  # fmt: skip
        draft.put(commit_key(folder, unit), canonical_json(new.to_json()))
    return rows, moved


def erasing(matcher: Matcher) -> Edit:
    """Takes out every row that is made of what is erased, and every cell that names it."""

    def edit(file: StepFile, table: pa.Table, siblings: Mapping[str, pa.Table]) -> Edited:
        plain = table.schema.remove_metadata()
        if plain.equals(BAND.remove_metadata()):
            return _without_entries(table, rows_by_place(siblings["0"], matcher) if "0" in siblings else set())
        if plain.equals(ENTRY):
            owners = siblings.get("1")
            rows = erased_rows(owners, matcher) if owners is not None else np.zeros(0, np.bool_)
            return _without_entries(table, {int(place) for place in np.flatnonzero(rows)})
        if plain.equals(GATE):
            new, changed = without_cells(table, matcher.line, skip=("name", "meaning", "bound", "severity"))
            return (new, changed) if changed else None
        along = file.step.startswith(ALONG_NAMES)
        owners = siblings.get("0") if "vector" in table.column_names else None
        rows = erased_rows(table if owners is None else owners, matcher, along)
        new = emptied(table, rows) if rows.any() else table
        new, changed = without_cells(new, matcher.name if along else matcher.cell)
        return (new, int(rows.sum()) + changed) if rows.any() or changed else None

    return edit


def _without_entries(table: pa.Table, rows: set[int]) -> Edited:
    """Band entries without those of these rows: nobody refers to them by their place."""
    if not rows:
        return None
    owners = table.column("entry").to_numpy() & ROW_MASK
    gone = np.isin(owners, np.array(sorted(rows), np.uint64))
    return (table.filter(pa.array(~gone)), int(gone.sum())) if gone.any() else None


TEXT_COLUMNS = {"requests": "texts", "rejects": "text"}
"""Where a kind of file holds what a model answered."""


def texts_held(table: pa.Table, kind: str) -> int:
    """Rows of a request or reject file that still hold what a model answered."""
    held = table.column(TEXT_COLUMNS[kind])
    lengths = pc.list_value_length(held) if pa.types.is_list(held.type) else pc.binary_length(held)
    return int(pc.sum(pc.fill_null(pc.greater(lengths, 0), False)).as_py() or 0)


def without_completions(keep: Callable[[StepFile], bool]) -> Edit:
    """Empties what models answered, and what was turned away of it; ids, hashes and token counts stay."""

    def edit(file: StepFile, table: pa.Table, _siblings: Mapping[str, pa.Table]) -> Edited:
        if file.kind not in ("requests", "rejects") or keep(file):
            return None
        column = TEXT_COLUMNS[file.kind]
        field = table.schema.field(column)
        rows = texts_held(table, file.kind)
        if not rows:
            return None
        nothing = pa.nulls(table.num_rows, field.type) if file.kind == "rejects" else pa.array(
            [[]] * table.num_rows, field.type
        )  # fmt: skip
        return table.set_column(table.schema.get_field_index(column), field, nothing), rows

    return edit


def _read(store: Store, key: str) -> pa.Table:
    try:
        return pq.ParquetFile(pa.BufferReader(store.get(key))).read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise damaged(store.uri, key, f"it is no Parquet ({type(error).__name__})") from error


def _layout(store: Store, key: str, table: pa.Table) -> Layout:
    """The layout that the file had, as far as rows are read by it."""
    plain = table.schema.remove_metadata()
    if plain.equals(BAND.remove_metadata()):
        return band_layout(table)
    if plain.equals(ENTRY):
        return entry_layout(table)
    metadata = pq.read_metadata(pa.BufferReader(store.get(key)))
    groups = tuple(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))
    bare = metadata.num_row_groups and metadata.row_group(0).column(0).compression == "UNCOMPRESSED"
    return Layout(groups or 1, {}, "none" if bare else "zstd")


def edit_references(draft: Store, key: str, moved: References, matcher: Matcher | None) -> bool:
    """Lets a JSON object that names files by key and hash follow them; whether it changed."""
    found = orjson.loads(draft.get(key))
    new = _followed(found, moved)
    new = new if matcher is None else matcher.value(new)
    if new == found:
        return False
    draft.put(key, canonical_json(new))
    return True


def _followed(found: Any, moved: References) -> Any:
    if isinstance(found, list):
        return [_followed(item, moved) for item in found]
    if isinstance(found, dict):
        new = {key: _followed(item, moved) for key, item in found.items()}
        if isinstance(found.get("key"), str) and found["key"] in moved:
            new["key"], new["sha256"] = moved[found["key"]]
        return new
    return found
