"""graph_merges: which nodes are taken for which others, from all names of a graph.

Design: one global unit over the NODE tables of graph_edges; two rules, each optional. *Abbreviation*: where the corpus
explains FFT as fast Fourier transform ("Fast Fourier Transform (FFT)") in nearly all cases, the node "FFT" is that
node; where it has several explanations (CLT), nothing happens. *Similarity*: names whose embeddings nearly agree
(similar_names.py), topics with topics and concepts with concepts. The result is the ALIAS table, every row with its
evidence, and it is the report of merges; it is applied to edges by graph_joined and to passages by graph_index.

Cost: 2 microseconds a node for abbreviations. Similarity: the embedding model; see select/training/embedding.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from factory.concepts.graph.config import MergeNamesConfig
from factory.concepts.graph.edges import NODES
from factory.concepts.graph.names import NORMALISER_VERSION, canonical
from factory.concepts.graph.similar_names import similar_names
from factory.concepts.graph.tables import ALIAS, CONCEPT, TOPIC, kind_of, node_id
from factory.identity import ids_digest
from factory.run.outputs import by_unit, read_outputs
from factory.run.units import Unit, UnitResult
from factory.select.training.embedding import Embedder, EmbeddingModel, resolve_embedding
from factory.store.base import Store
from factory.store.parquet import read_parquet

STEP_VERSION = 1

ABBREVIATION, SIMILARITY = "abbreviation", "similarity"

MIN_CAPITALS = 2
"""An abbreviation is written in capitals: "(set)" behind a name explains nothing."""

MAX_TOKENS = 64
"""Of a name, for the embedding model; names have at most 200 characters."""

COLUMNS = ["node_id", "name", "normal", "aliases", "alias_passages", "abbreviations", "doc_freq"]
PARALLEL_READS = 8


@dataclass(frozen=True)
class GraphMergesStep:
    """Work step with one unit; its parameter `edges` is the key of the outputs index of graph_edges."""

    abbreviation_share: float | None
    similarity: float | None
    model: EmbeddingModel | None

    name = "graph_merges"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {
            "abbreviation_share": self.abbreviation_share,
            "similarity": self.similarity,
            "model": self.model.to_json() if self.model else None,
            "names": NORMALISER_VERSION,
        }

    def work(self, store: Store, unit: Unit) -> UnitResult:
        outputs = by_unit(read_outputs(store, unit.parameters["edges"]))
        files = [parts[NODES] for parts in outputs.values()]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            nodes = pa.concat_tables(pool.map(lambda file: read_parquet(store, file.key, COLUMNS), files))
        ids = nodes.column("node_id").to_pylist()
        rows = abbreviation_rows(nodes, self.abbreviation_share) if self.abbreviation_share is not None else {}
        facts: dict[str, int] = {"abbreviations": len(rows)}
        if self.similarity is not None and self.model is not None:
            similar, compared = similarity_rows(nodes, rows, self.similarity, Embedder(self.model))
            rows |= similar
            facts |= {"similar": len(similar), **compared}
        digest = ids_digest(map(str, ids))
        return UnitResult(
            inputs=len(ids),
            used=len(ids),
            tables=(alias_table(nodes, rows),),
            id_column="",
            input_ids_digest=digest,
            accepted=len(ids),
            accepted_ids_digest=digest,
            facts=facts,
        )


def merges_step(config: MergeNamesConfig) -> GraphMergesStep | None:
    """None where no rule is on. Raises ConfigError when the embedding model is not on this machine."""
    if not config.on:
        return None
    model = None
    if config.similarity is not None and config.model is not None:
        model = resolve_embedding(config.model, config.revision, MAX_TOKENS)
    return GraphMergesStep(config.abbreviation_share if config.abbreviations else None, config.similarity, model)


Rows = dict[int, tuple[int, str, float]]
"""node -> (node it is merged into, rule, similarity)."""


def abbreviation_rows(nodes: pa.Table, least_share: float) -> Rows:
    """Nodes that are abbreviations of others, where at least `least_share` of the explanations agree."""
    explained: dict[str, Counter[str]] = {}
    short = nodes.filter(pc.greater(nodes.column("abbreviations"), 0))
    for row in short.select(["normal", "aliases", "alias_passages", "abbreviations"]).to_pylist():
        first = len(row["aliases"]) - row["abbreviations"]
        for form, passages in zip(row["aliases"][first:], row["alias_passages"][first:], strict=True):
            name = canonical(form).normal
            if name and sum(map(str.isupper, form)) >= MIN_CAPITALS:
                explained.setdefault(name, Counter())[row["normal"]] += passages
    present = set(nodes.column("node_id").to_pylist()) if explained else set()
    rows: Rows = {}
    for name, explanations in explained.items():
        long, passages = min(explanations.items(), key=lambda item: (-item[1], item[0]))
        share = passages / explanations.total()
        for kind in (TOPIC, CONCEPT):
            own, into = node_id(kind, name), node_id(kind, long)
            if share >= least_share and own != into and own in present and into in present:
                rows[own] = (into, ABBREVIATION, share)
    return _ends(rows)


def similarity_rows(
    nodes: pa.Table, merged: Mapping[int, Any], threshold: float, embedder: Any
) -> tuple[Rows, dict[str, int]]:
    """Nodes nearly identical to commoner ones, among those not in `merged`; and counts of what was compared."""
    rows: Rows = {}
    counts: Counter[str] = Counter()
    ids = nodes.column("node_id").to_numpy()
    left = ~np.isin(ids, np.array(list(merged), np.uint64))
    for kind in (TOPIC, CONCEPT):
        chosen = nodes.filter(pa.array(left & (kind_of(ids) == kind)))
        if not chosen.num_rows:
            continue
        own = chosen.column("node_id").to_pylist()
        vectors = embedder.embed(chosen.column("name").to_pylist())
        found = similar_names(
            chosen.column("normal").to_pylist(),
            vectors,
            chosen.column("doc_freq").to_numpy().astype(np.int64),
            threshold,
        )
        rows |= {own[merge.name]: (own[merge.into], SIMILARITY, merge.similarity) for merge in found.merges}
        counts.update({f"held_back_{reason}": number for reason, number in found.held_back.items()})
        counts["compared_pairs"] += found.compared
    return rows, dict(counts)


def alias_table(nodes: pa.Table, rows: Rows) -> pa.Table:
    """ALIAS rows, each node one step from the one it ends in."""
    ends = _ends(rows)
    wanted = np.array(sorted({*ends, *(into for into, _, _ in ends.values())}), np.uint64)
    about = {
        row["node_id"]: row
        for row in nodes.select(["node_id", "name", "doc_freq"])
        .filter(pa.array(np.isin(nodes.column("node_id").to_numpy(), wanted)))
        .to_pylist()
    }
    table = [
        {
            "node_id": own,
            "into_id": into,
            "name": about[own]["name"],
            "into_name": about[into]["name"],
            "doc_freq": about[own]["doc_freq"],
            "into_doc_freq": about[into]["doc_freq"],
            "rule": rule,
            "similarity": similarity,
        }
        for own, (into, rule, similarity) in sorted(ends.items())
    ]
    return pa.Table.from_pylist(table, schema=ALIAS)


def _ends(rows: Rows) -> Rows:
    """Every merge to the end of its chain: an abbreviation of a name that is itself merged. Chains cannot close: an
    abbreviation is shorter than what it stands for, and similar names are merged into commoner ones that stay."""
    ends: Rows = {}
    for own, (into, rule, similarity) in rows.items():
        while into in rows:
            into = rows[into][0]
        ends[own] = (into, rule, similarity)
    return ends
