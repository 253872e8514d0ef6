"""Whether a published dataset may be used: approved, not withdrawn, and without rows of withdrawn documents.

Design: asked before a shard of it is read, by whoever makes something of it (a mix, an export). The records lie below
the root that the dataset's address names; a dataset that was copied away from its root has none, and counts as a draft.
What was asked for changes no row, so it is no part of what is made. Rows of a mix are found through the published rows
that they were. Cost: a few small reads a dataset; its `doc_ids` are read where a document of its root is withdrawn, and
for a mix every dataset below the root.
"""

from __future__ import annotations

from dataclasses import dataclass

from factory.errors import ConfigError, GateError
from factory.govern.impact import asked, impact
from factory.govern.places import Found, find
from factory.govern.resting import withdrawn_rows
from factory.govern.state import state_of
from factory.govern.withdrawals import withdrawn_documents
from factory.mix.config import Require


@dataclass(frozen=True)
class Use:
    """How a refusal is worded: `use` follows the dataset's title, `setting` is what precedes a value of Require on the
    command line."""

    use: str
    setting: str
    whose: str = ""


def require_standing(
    address: str, require: Require, use: Use, root: str | None = None, endpoint_url: str | None = None
) -> str:
    """What the records say of the dataset at `address`, on one line. Raises GateError where it is not what `require`
    asks for."""
    try:
        found = find(address, root, endpoint_url)
    except ConfigError:
        if require == "approved":
            why = "nothing is known of its approval: it does not lie below a root"
            raise _refused(address, why, use) from None
        return "nothing is known: it does not lie below a root"
    state = state_of(found.root, found.dataset)
    if require == "any":
        return state.line
    if state.name == "withdrawn":
        raise _refused(found.dataset.title, f"it is {state.line}", use)
    if state.name == "draft" and require == "approved":
        raise _refused(found.dataset.title, f"it is a {state.line}", use)
    rows = _withdrawn_rows(found)
    if rows:
        named = ", ".join(f"{doc_id} ({number:,} rows)" for doc_id, number in rows.items())
        raise _refused(found.dataset.title, f"documents that its rows rest on are withdrawn: {named}", use)
    return state.line


def _withdrawn_rows(found: Found) -> dict[str, int]:
    ids = frozenset(withdrawn_documents(found.root))
    if not ids:
        return {}
    if not found.dataset.mix:
        return withdrawn_rows(found.root, found.store, [str(each["path"]) for each in found.dataset.manifest["shards"]])
    counts: dict[str, int] = {}
    for doc_id in sorted(ids):
        hits = impact(found.root, asked(doc_id, None, None)).hits
        rows = sum(hit.rows for hit in hits if hit.dataset.title == found.dataset.title)
        counts |= {doc_id: rows} if rows else {}
    return counts


def _refused(title: str, why: str, use: Use) -> GateError:
    return GateError(
        f"{use.whose}{title} is not {use.use}: {why}",
        cause=f"{use.setting.rstrip(' =')} asks for datasets that somebody answers for",
        remedy="approve it (factory approve), take a version that is approved, or say what is enough: "
        f"{use.setting}not_withdrawn takes drafts, {use.setting}any everything",
    )
