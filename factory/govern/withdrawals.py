"""Withdrawals, of datasets and of source documents: what rests on a withdrawn document is not published again.

Design: a dataset's withdrawal is a record beside its approvals (state.py). Anybody who can write the root may withdraw,
which only ever stops something; who takes it back must be one who may approve. For documents there is a log each,
`withdrawals/<document id>/`, so that one is looked up, taken back and withdrawn again without touching the others. A
document's id is the hash of its text: the same text is withdrawn wherever it turns up, in any corpus and run. Nothing
that was published changes: `factory impact` lists what rests on it, and the runs that made it, given again, publish
without it (factory/run/withdrawn.py).
Cost: a listing of withdrawals/, which is empty in most roots, and a small read a withdrawn document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from factory.errors import ConfigError
from factory.govern.demands import may_not
from factory.govern.records import Record, append, read_records, signoff_prefix
from factory.govern.state import Dataset, demands_of_dataset, folded
from factory.identity import ID_HEX_DIGITS
from factory.printable import one_line
from factory.store.base import Store

FOLDER = "withdrawals"
PARALLEL_READS = 16

_DOCUMENT = re.compile(rf"[0-9a-f]{{{ID_HEX_DIGITS}}}")


def check_document(doc_id: str) -> str:
    """`doc_id` itself. Raises ConfigError where it can be none."""
    if not _DOCUMENT.fullmatch(doc_id):
        raise ConfigError(
            f"{doc_id!r} is no document id",
            cause="ids of documents are 32 hexadecimal digits",
            remedy="the column doc_ids of every row names them (`factory replay DATASET SAMPLE_ID` shows them)",
        )
    return doc_id


def document_prefix(doc_id: str) -> str:
    return f"{FOLDER}/{check_document(doc_id)}"


def withdraw_document(root: Store, doc_id: str, by: str, role: str, reason: str) -> Record:
    """The record that withdraws it. Raises ConfigError where it is withdrawn already."""
    standing = standing_withdrawal(root, doc_id)
    if standing is not None:
        raise ConfigError(
            one_line(
                f"document {doc_id} is withdrawn already, by {standing.by} on {standing.at[:10]}: {standing.note}"
            ),
            cause="the same was asked before, perhaps by somebody else",
            remedy="nothing: it is left out of whatever is published from now on; --reinstate takes it back",
        )
    return append(root, document_prefix(doc_id), Record("withdrawal", doc_id, by, role, reason))


def reinstate_document(
    root: Store, doc_id: str, by: str, role: str, reason: str, resting: Iterable[Dataset] = ()
) -> Record:
    """The record that takes a withdrawal back. `resting` are the published datasets that have rows of it. Raises
    ConfigError where there is no withdrawal, or where `by` may not approve one of those datasets."""
    if standing_withdrawal(root, doc_id) is None:
        raise ConfigError(
            f"document {doc_id} is not withdrawn",
            cause="a slip in the id, another root, or it was taken back before",
            remedy=f"look below {FOLDER}/ of the root",
        )
    for dataset in resting:
        _require_approver(dataset, by)
    return append(root, document_prefix(doc_id), Record("reinstatement", doc_id, by, role, reason))


def _require_approver(dataset: Dataset, by: str) -> None:
    refused = [f"{dataset.title}: {each}" for each in may_not(demands_of_dataset(dataset), by)]
    if refused:
        raise ConfigError(refused[0], remedy="whoever may approve may take a withdrawal back (docs/withdrawal.md)")


def standing_withdrawal(root: Store, doc_id: str) -> Record | None:
    """The record that withdraws a document now, None where none does. Raises StoreError where its log is damaged."""
    records = read_records(root, document_prefix(doc_id))
    last = records[-1] if records else None
    return last if last is not None and last.kind == "withdrawal" else None


def withdraw_dataset(root: Store, dataset: Dataset, by: str, role: str, reason: str) -> Record:
    """The record that withdraws a dataset or mix. Raises ConfigError where it is withdrawn already."""
    return _changed(root, dataset, "withdrawal", by, role, reason)


def reinstate_dataset(root: Store, dataset: Dataset, by: str, role: str, reason: str) -> Record:
    """The record that takes a withdrawal back: it is a draft again. Raises ConfigError where there is none, or by
    somebody who may not approve."""
    return _changed(root, dataset, "reinstatement", by, role, reason)


def _changed(
    root: Store, dataset: Dataset, kind: Literal["withdrawal", "reinstatement"], by: str, role: str, reason: str
) -> Record:
    prefix = signoff_prefix(dataset.name, dataset.version)
    state = folded(read_records(root, prefix), dataset.manifest_sha256, demands_of_dataset(dataset))
    if (state.name == "withdrawn") == (kind == "withdrawal"):
        raise ConfigError(
            f"{dataset.title} is {'already ' if kind == 'withdrawal' else 'not withdrawn: it is '}{state.line}",
            cause="the same was asked before, perhaps by somebody else"
            if kind == "withdrawal"
            else "another version or root, or it was taken back before",
            remedy="nothing; --reinstate takes it back, `factory status ROOT` lists the state of every dataset"
            if kind == "withdrawal"
            else "`factory status ROOT` lists the state of every dataset",
        )
    if kind == "reinstatement":
        _require_approver(dataset, by)
    return append(root, prefix, Record(kind, dataset.manifest_sha256, by, role, reason))


def withdrawn_documents(root: Store) -> Mapping[str, Record]:
    """Document id -> the record that withdraws it, of every document withdrawn now."""
    folders = sorted({info.key.split("/")[1] for info in root.list(f"{FOLDER}/") if info.key.count("/") == 2})
    documents = [name for name in folders if _DOCUMENT.fullmatch(name)]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        standing = list(pool.map(lambda doc_id: standing_withdrawal(root, doc_id), documents))
    return {doc_id: record for doc_id, record in zip(documents, standing, strict=True) if record is not None}
