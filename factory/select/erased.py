"""Documents that were erased from a root: a run over a corpus that still holds them must not bring them back.

Design: the list knows no ids, only hashes of them with a salt of the root (factory/govern/erasure): the id of a
document is the hash of its text, and who guesses the text could look it up. A document is asked for by its id as it
came and as the filters left it. Where nothing was erased there is no list, and nothing about a run changes.
Cost: two hashes a document, where there is a list.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from factory.identity import fingerprint

REASON = "erased"


def salted(salt: str, name: str) -> str:
    """64 hexadecimal digits that stand for an id (or another short string) outside of the rows that had it."""
    return hashlib.sha256(f"{salt}\0{name}".encode()).hexdigest()


@dataclass(frozen=True)
class DenyList:
    """`documents` are the salted ids of those erased."""

    salt: str
    documents: frozenset[str]

    def identity(self) -> str:
        return fingerprint(sorted(self.documents))

    def found(self, *doc_ids: str) -> str | None:
        """The entry that one of these ids has; None where it has none."""
        return next((entry for doc_id in doc_ids if (entry := salted(self.salt, doc_id)) in self.documents), None)
