"""What a dataset's state says of rows that rest on withdrawn documents: a withdrawal of a document changes no record of
the datasets that have rows of it.

Design: verification reads the column that tells; a listing of many datasets does not, and says that it has not looked.
Documents that a dataset's manifest names as left out of it are none of its rows. Cost: nothing where no document is
withdrawn; else a read of `doc_ids` for `withdrawn_rows` and `with_rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from factory.govern.scan import count_by_document
from factory.govern.state import Dataset, State
from factory.govern.withdrawals import withdrawn_documents
from factory.store.base import Store

SHOWN = 5
"""Documents that a line names; the number of all of them is always given."""


def left_out(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Withdrawn documents that the manifest names as left out. Never raises: it may be a forged one."""
    steps = manifest.get("steps", ())
    found: set[str] = set()
    for step in steps if isinstance(steps, list | tuple) else ():
        identity = step.get("identity") if isinstance(step, Mapping) else None
        own = identity.get("own") if isinstance(identity, Mapping) else None
        named = own.get("withdrawn") if isinstance(own, Mapping) else None
        found |= {str(each) for each in named} if isinstance(named, list | tuple) else set()
    return frozenset(found)


def without_looking(dataset: Dataset, state: State, withdrawn: frozenset[str]) -> State:
    """The state, and that nobody has looked, where rows of an approved dataset may rest on withdrawn documents."""
    open_ones = withdrawn - left_out(dataset.manifest)
    if state.name != "approved" or not open_ones:
        return state
    how = "`factory impact` does" if dataset.mix else "`factory verify` does"
    said = f"not looked at: whether its rows rest on withdrawn documents ({len(open_ones)} below this root; {how})"
    return replace(state, withdrawn_rows=said)


def withdrawn_rows(root: Store, store: Store, shards: Sequence[str]) -> dict[str, int]:
    """Document withdrawn below `root` -> rows of these shards that rest on it. Raises StoreError where a shard cannot
    be read."""
    withdrawn = frozenset(withdrawn_documents(root))
    return count_by_document(store, shards, withdrawn) if withdrawn else {}


def with_rows(root: Store, dataset_store: Store, dataset: Dataset, state: State) -> State:
    """The state, and how many rows of an approved dataset rest on withdrawn documents. Raises StoreError where a shard
    cannot be read."""
    if state.name != "approved":
        return state
    if dataset.mix:
        return without_looking(dataset, state, frozenset(withdrawn_documents(root)))
    counts = withdrawn_rows(root, dataset_store, [str(each["path"]) for each in dataset.manifest["shards"]])
    if not counts:
        return state
    named = ", ".join(f"{doc_id} ({rows:,} rows)" for doc_id, rows in list(counts.items())[:SHOWN])
    more = f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else ""
    return replace(state, withdrawn_rows=f"but rows of it rest on withdrawn documents: {named}{more}")
