"""Whether a root has ever read a document: asked before one is withdrawn that no published row rests on.

Design: documents come in by the first steps alone, so only their files are asked, accepted and turned away, until the
first that has it. A slip in an id would otherwise end in a withdrawal that withdraws nothing and says so to nobody.
Cost: one read of those files, where no published row has the document.
"""

from __future__ import annotations

from factory.errors import ConfigError
from factory.govern.erasure.closure import read_columns
from factory.govern.erasure.files import step_files
from factory.govern.erasure.matching import OWN, Matcher
from factory.govern.erasure.records import Work
from factory.govern.erasure.tables import erased_rows
from factory.store.base import Store

FIRST_STEPS = ("select", "document", "merge")


def is_seen(root: Store, doc_id: str) -> bool:
    """Raises StoreError where a file is damaged."""
    matcher = Matcher.of(Work((doc_id,)))
    files = (file for file in step_files(root) if file.step.startswith(FIRST_STEPS) and file.kind != "requests")
    return any(erased_rows(read_columns(root, file.key, set(OWN)), matcher).any() for file in files)


def require_seen(root: Store, doc_id: str) -> None:
    """Raises ConfigError where nothing below the root has read the document."""
    if not is_seen(root, doc_id):
        raise ConfigError(
            f"nothing below {root.uri} has document {doc_id}",
            cause="a slip in the id, another root, or no run has read it yet",
            remedy="look it up (column doc_ids of every row); --unknown withdraws a document before it is read",
        )
