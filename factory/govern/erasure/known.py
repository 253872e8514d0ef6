"""Which documents a root has, and which were erased from it: asked of every id before anything is erased.

Design: an id that no row names and no erasure record has is a slip, and an erasure that took it along would attest that
something is gone which never was there. Ids of earlier erasures are looked up by their salted hashes. Cost: the columns
with ids of every file, until each id was met.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from factory.errors import ConfigError
from factory.govern.erasure.closure import read_columns
from factory.govern.erasure.files import step_file
from factory.govern.erasure.matching import OWN, Matcher
from factory.govern.erasure.records import SALT, Begun, Work, erasures, salt_of, unfinished
from factory.govern.erasure.tables import erased_rows
from factory.select.erased import salted
from factory.store.base import Store

NAMED = 20
"""Unknown ids that a message names; the number of all of them is always given."""


def absent(store: Store, documents: Iterable[str]) -> list[str]:
    """Those of these ids that no row of a step and no published row has. Raises StoreError where a file is damaged."""
    open_ones = sorted(set(documents))
    for key in _keys(store):
        if not open_ones:
            break
        table = read_columns(store, key, {*OWN, "lineage"})
        if erased_rows(table, Matcher.of(Work(tuple(open_ones)))).any():
            open_ones = [each for each in open_ones if not _holds(table, each)]
    return open_ones


def erased_before(store: Store, doc_id: str) -> Begun | None:
    """The last erasure of a document that was begun in this root."""
    if store.head(SALT) is None:
        return None
    entry = salted(salt_of(store), doc_id)
    return next((begun for begun in reversed(erasures(store)) if entry in begun.documents), None)


def require_known(store: Store, documents: Sequence[str]) -> None:
    """Raises ConfigError naming every id that nothing in the root has and that was never erased from it, and where
    there is nothing left to erase because each was erased before."""
    nowhere = absent(store, documents)
    before = {each: begun for each in nowhere if (begun := erased_before(store, each)) is not None}
    unknown = [each for each in nowhere if each not in before]
    if unknown:
        named = ", ".join(unknown[:NAMED]) + (f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else "")
        which = "this document" if len(documents) == 1 else f"{len(unknown)} of these {len(documents)} documents"
        raise ConfigError(
            f"no file of {store.uri} has {which}: {named}",
            cause="a slip in the id, or another root; no erasure of this root had it either",
            remedy="nothing was erased: correct the id or leave it out, and give the command again; `factory impact` "
            "says where a document is used",
        )
    going_on = {begun.erasure for begun in unfinished(store)}
    if len(before) == len(set(documents)) and not any(begun.erasure in going_on for begun in before.values()):
        told = ", ".join(f"{each} on {begun.at[:10]} (erasure {begun.erasure})" for each, begun in before.items())
        raise ConfigError(
            f"no file of {store.uri} has {'this document' if len(before) == 1 else 'any of these documents'}: "
            f"erased before, {told}",
            cause="the same was asked before",
            remedy="nothing: what was done stands in erasures/ of the root",
        )


def _keys(store: Store) -> Iterable[str]:
    for folder in ("steps/", "datasets/"):
        for info in store.list(folder):
            if step_file(info.key) is not None or (folder == "datasets/" and info.key.endswith(".parquet")):
                yield info.key


def _holds(table: pa.Table, doc_id: str) -> bool:
    return bool(np.any(erased_rows(table, Matcher.of(Work((doc_id,))))))
