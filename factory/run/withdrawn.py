"""Withdrawn documents as a run meets them: pinned, and named in the samples step where they concern it.

Design: when an execution comes to its samples it writes down which documents are withdrawn below its root
(`runs/<run>/withdrawn.json`), so that every plan of it, and every pod that helps, goes by the same list. Of those, the
ones that the run's answers rest on are part of the samples step's identity: another step folder, another dataset
version. A run that none of them concerns keeps its folders and its dataset, and a root without withdrawals is read as
ever. A finished run that is given again notices what was withdrawn, or taken back, since.
Cost: one listing; where there are withdrawals, one small read each and the `doc_ids` of every answer file.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

from factory.errors import StoreError
from factory.govern.scan import listed_in
from factory.govern.withdrawals import withdrawn_documents
from factory.identity import canonical_json, fingerprint
from factory.run.outputs import outputs_key, read_outputs
from factory.run.record import Record, read_record
from factory.run.strands import of_kind
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import damaged, read_mapping
from factory.store.parquet import read_columns

if TYPE_CHECKING:
    from factory.run.stage import Session

LEAF = "doc_ids.list.element"
PARALLEL_READS = 16


def pin_key(run: str) -> str:
    return f"runs/{run}/withdrawn.json"


def pin_withdrawn(session: Session) -> None:
    """Writes down what is withdrawn now; nothing where nothing ever was."""
    store, key = session.store, pin_key(session.run)
    documents = sorted(withdrawn_documents(store))
    if documents or store.head(key) is not None:
        store.put(key, canonical_json({"documents": documents}))


def applied(store: Store, run: str) -> tuple[str, ...]:
    """The documents of the run's pin that its answers rest on, sorted. Raises StoreError where the pin is damaged."""
    return concerning(store, run, pinned(store, run))


def pinned(store: Store, run: str) -> tuple[str, ...]:
    """Ids of the documents that the run has written down as withdrawn."""
    try:
        documents = read_mapping(store, pin_key(run), ("documents",))["documents"]
    except AbsentObjectError:
        return ()
    if not isinstance(documents, list) or not all(isinstance(each, str) for each in documents):
        raise damaged(store.uri, pin_key(run), "documents: no list of ids")
    return tuple(documents)


def concerning(store: Store, run: str, documents: Iterable[str]) -> tuple[str, ...]:
    """Those of these documents that answers of the run rest on, sorted."""
    wanted = frozenset(documents)
    if not wanted:
        return ()
    stages = of_kind("answer", (read_record(store, run) or {}).get("steps") or ("answer",))
    outputs = (output for name in stages for output in read_outputs(store, outputs_key(run, name)))
    return _concerning(store, tuple(output.file.key for output in outputs), wanted)


def note_withdrawn(session: Session) -> None:
    """What the record says of it, and the user is told."""
    documents = pinned(session.store, session.run)
    session.record.pop("withdrawn", None)
    if not documents:
        return
    found = concerning(session.store, session.run, documents)
    session.record["withdrawn"] = {"seen": fingerprint(documents), "documents": list(found)}
    if found:
        session.progress.say(
            f"rows that rest on {len(found)} withdrawn documents are left out; what was published before keeps them "
            "(factory impact)"
        )


def as_noted(store: Store, previous: Record) -> bool:
    """Whether what is withdrawn now leaves a finished run as it is."""
    documents = sorted(withdrawn_documents(store))
    noted = previous.get("withdrawn") or {"seen": fingerprint(()), "documents": []}
    if noted["seen"] == fingerprint(documents):
        return True
    try:
        found = concerning(store, previous["run"], documents)
    except (AbsentObjectError, StoreError):
        return False  # the run itself says what of it is gone
    return found == tuple(noted["documents"])


@lru_cache(maxsize=8)
def _concerning(store: Store, keys: tuple[str, ...], wanted: frozenset[str]) -> tuple[str, ...]:
    # Keys of committed files: what lies there never changes.
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        return tuple(sorted(frozenset().union(*pool.map(lambda key: _documents(store, key, wanted), keys))))


def _documents(store: Store, key: str, wanted: frozenset[str]) -> frozenset[str]:
    column = read_columns(store, key, [LEAF]).column("doc_ids")
    rows = column.filter(listed_in(column, wanted))
    return wanted.intersection(doc_id for docs in rows.to_pylist() for doc_id in docs)
