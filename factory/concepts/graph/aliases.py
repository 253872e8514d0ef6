"""The alias table: which nodes are taken for which others.

Design: node ids are hashes of names and stay valid for ever; that two names mean one thing is found out later, by
looking at all of them, and can change. So merges are a table of their own (graph_merges writes it, its content names
the folders of what is read through it), applied to ids when they are read. A table is one step deep: what is merged
into is never merged itself.

Cost: 40 ns an id looked up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from factory.concepts.graph.tables import U64
from factory.errors import StoreError
from factory.run.outputs import read_outputs
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.parquet import read_parquet


@dataclass(frozen=True)
class Aliases:
    """`ids` (sorted) are taken for `into`, place by place."""

    ids: U64
    into: U64

    def applied(self, nodes: U64) -> U64:
        """`nodes` with the merged ones replaced; any order, repeats allowed."""
        if not len(self.ids):
            return nodes
        places = np.minimum(np.searchsorted(self.ids, nodes), len(self.ids) - 1)
        return np.where(self.ids[places] == nodes, self.into[places], nodes)


NO_ALIASES = Aliases(np.zeros(0, np.uint64), np.zeros(0, np.uint64))


def aliases_from(table: pa.Table, where: str) -> Aliases:
    """From ALIAS rows. Raises StoreError when a node is merged into one that is merged itself."""
    ids, into = (table.column(name).to_numpy() for name in ("node_id", "into_id"))
    order = np.argsort(ids)
    chained = np.isin(into, ids)
    if chained.any() or len(np.unique(ids)) < len(ids):
        raise StoreError(
            f"the alias table {where} merges node {int(into[chained][0]) if chained.any() else 0:016x} on both sides",
            cause="it was edited by hand, or made by another version",
            remedy="delete the commit of the graph_merges step to have it made again",
        )
    return Aliases(ids[order], into[order])


def alias_file(store: Store, key: str | None) -> FileRef | None:
    """The alias table among the outputs of graph_merges (outputs index `key`); None without that step."""
    return None if key is None else read_outputs(store, key)[0].file


def read_aliases(store: Store, key: str | None) -> Aliases:
    """The alias table that lies at `key`; none where that is None."""
    if key is None:
        return NO_ALIASES
    return aliases_from(read_parquet(store, key, ["node_id", "into_id"]), key)
