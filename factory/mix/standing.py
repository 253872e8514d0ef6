"""Whether a published dataset may go into a mix: approved, not withdrawn, and without rows of withdrawn documents.

Design: asked before a shard of it is hashed. The records lie below the root that the dataset's address names; a dataset
that was copied away from its root has none, and counts as a draft. `mix.require` changes no row, so it is no part of a
mix's version. Cost: a few small reads a dataset; its `doc_ids` are read where a document of its root is withdrawn.
"""

from __future__ import annotations

from factory.errors import ConfigError, GateError
from factory.govern.places import find
from factory.govern.resting import withdrawn_rows
from factory.govern.state import state_of
from factory.mix.config import Require


def require_standing(part: str, address: str, require: Require) -> None:
    """Raises GateError where the dataset at `address` is not what `require` asks for."""
    if require == "any":
        return
    try:
        found = find(address)
    except ConfigError:
        if require == "approved":
            raise _refused(part, address, "nothing is known of its approval: it does not lie below a root") from None
        return
    state = state_of(found.root, found.dataset)
    if state.name == "withdrawn":
        raise _refused(part, found.dataset.title, f"it is {state.line}")
    if state.name == "draft" and require == "approved":
        raise _refused(part, found.dataset.title, f"it is a {state.line}")
    rows = withdrawn_rows(found.root, found.store, [str(shard["path"]) for shard in found.dataset.manifest["shards"]])
    if rows:
        named = ", ".join(f"{doc_id} ({number:,} rows)" for doc_id, number in rows.items())
        raise _refused(part, found.dataset.title, f"documents that its rows rest on are withdrawn: {named}")


def _refused(part: str, title: str, why: str) -> GateError:
    return GateError(
        f"part {part}: {title} is not taken into a mix: {why}",
        cause="mix.require asks for datasets that somebody answers for",
        remedy="approve it (factory approve), take a version that is approved, or say what is enough: "
        "mix.require=not_withdrawn takes drafts, mix.require=any everything",
    )
