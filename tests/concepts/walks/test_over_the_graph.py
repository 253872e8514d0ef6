"""From extracted concepts to paired walks through the steps of a run, against sets of names."""

from __future__ import annotations

from collections import Counter
from itertools import chain, pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from factory.concepts.graph.config import GraphConfig
from factory.concepts.graph.edges import GraphEdgesStep, edges_units
from factory.concepts.graph.groups import pairs_units
from factory.concepts.graph.pairs import pairs_step
from factory.concepts.graph.segments import GraphIndexStep, index_units
from factory.concepts.walks.config import PairConfig, WalkConfig
from factory.concepts.walks.pair_step import pair_step
from factory.concepts.walks.walk_step import plan_walks, walk_step
from factory.identity import make_id
from factory.run.outputs import read_outputs
from factory.run.units import Unit, UnitResult, unit_over
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from factory.tables import CONCEPTS
from tests.concepts.walks.stored import commit, worked
from tests.concepts.walks.test_pair_step import PASSAGES, concepts_row


@pytest.mark.parametrize("partitions", [1, 4])
def test_walks_and_pairs_over_a_counted_graph(tmp_path: Path, partitions: int) -> None:
    store = LocalStore(str(tmp_path / "root"))
    rows = [concepts_row(number) for number in range(len(PASSAGES))]
    files = []
    for start in range(0, len(rows), 25):
        table = pa.Table.from_pylist(rows[start : start + 25], schema=CONCEPTS)
        result = UnitResult(table.num_rows, table.num_rows, (table,), "chunk_id")
        files.append(commit(store, "extract-0", Unit(make_id("extract", start)), result).files[0])
    pairs, _ = worked(store, pairs_step(GraphConfig(signature_permutations=0)), pairs_units(files, passages=50))
    graph, _ = worked(store, GraphEdgesStep(), edges_units(store, "graph_edges-run", pairs, partitions))
    index, _ = worked(store, GraphIndexStep(), index_units(read_outputs(store, pairs), 40))
    walks, _ = worked(store, walk_step(WalkConfig(), 5), plan_walks(graph, len(rows), 0, 100, 1000))
    unit = unit_over(read_outputs(store, walks)[0].file, index=index)
    _, (made,) = worked(store, pair_step(PairConfig(), None, None, {}), [unit])
    assert made.counts.inputs == made.counts.used + made.counts.rejected == 100
    assert made.counts.used > 80

    sets = {
        row["chunk_id"]: {("t", name) for name in topics} | {("c", name) for name in concepts}
        for row, (topics, concepts) in zip(rows, PASSAGES, strict=True)
    }
    together = Counter(chain.from_iterable(((one, other) for one in held for other in held) for held in sets.values()))
    found = list(chain.from_iterable(read_parquet(store, file.key).to_pylist() for file in made.files))
    for row in found:
        names = dict(zip(row["topic_ids"], (("t", name) for name in row["topics"]), strict=True))
        names |= dict(zip(row["concept_ids"], (("c", name) for name in row["concepts"]), strict=True))
        for (src, dst), probability in zip(pairwise(row["trace"]["nodes"]), row["probabilities"], strict=True):
            kind = names[dst][0]
            total = sum(
                count for (one, other), count in together.items() if one == names[src] != other and other[0] == kind
            )
            assert probability == pytest.approx(together[names[src], names[dst]] / total, rel=1e-4)
        walk = set(names.values())
        scores = sorted((len(walk & held) / len(walk | held) for held in sets.values()), reverse=True)
        assert row["scores"][0] == scores[0]
        for chunk_id, score, shared in zip(row["chunk_ids"], row["scores"], row["overlap"], strict=True):
            assert score == len(walk & sets[chunk_id]) / len(walk | sets[chunk_id])
            assert shared == len(walk & sets[chunk_id])
