"""The inverted index says which passages hold a node, in segments that a growing corpus leaves as they are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.concepts.graph.aliases import Aliases, aliases_from
from factory.concepts.graph.config import GraphConfig
from factory.concepts.graph.names import canonical
from factory.concepts.graph.pairs import PASSAGES, pairs_step
from factory.concepts.graph.segments import SEGMENTS, TERMS, GraphIndexStep, index_units, segment_tables
from factory.concepts.graph.tables import ALIAS, CONCEPT, TOPIC, node_id
from factory.errors import StoreError
from factory.run.outputs import fetch_passages, outputs_key, read_outputs
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from tests.concepts.graph.corpora import Topics, concepts_row, count_pairs, passages, put_corpus, reference, work_all

PAIRS_STEP = pairs_step(GraphConfig(signature_permutations=0))


@settings(max_examples=15, deadline=None)
@given(passages, st.integers(1, 4), st.integers(1, 6))
def test_every_passage_is_found_by_each_of_its_nodes(corpus: list[Topics], rows: int, segment_passages: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(folder)
        files = put_corpus(store, corpus, rows)
        count_pairs(store, PAIRS_STEP, files, group_passages=5)
        units = index_units(read_outputs(store, outputs_key("run", "graph_pairs")), segment_passages)
        commits = work_all(store, GraphIndexStep(), units)
        found: dict[str, set[int]] = {}
        rows_of: dict[str, tuple[str, int]] = {}
        for commit in commits:
            segment = read_parquet(store, commit.files[SEGMENTS].key).to_pylist()
            terms = read_parquet(store, commit.files[TERMS].key).to_pylist()
            assert [term["node_id"] for term in terms] == sorted({term["node_id"] for term in terms})
            for term in terms:
                assert term["postings"] == sorted(set(term["postings"]))
                for position in term["postings"]:
                    found.setdefault(segment[position]["chunk_id"], set()).add(term["node_id"])
            for row in segment:
                assert row["size"] == len(found[row["chunk_id"]])
                rows_of[row["chunk_id"]] = (row["extract_file"], row["row"])
        for chunk_id, (name, row) in rows_of.items():
            assert fetch_passages(store, [{"file": name, "row": row}], ["chunk_id"]).to_pylist() == [
                {"chunk_id": chunk_id}
            ]
    expected = {}
    for number, topics in enumerate(corpus):
        nodes = set(reference([topics]).doc_freq)
        if nodes:
            chunk = str(concepts_row(topics, number)["chunk_id"])
            expected[chunk] = nodes
            assert rows_of[chunk][1] == number % rows
    assert found == expected


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


def test_a_corpus_that_grows_keeps_its_full_segments(store: LocalStore) -> None:
    corpus: list[Topics] = [[("t", [f"c{number}"])] for number in range(9)]
    count_pairs(store, PAIRS_STEP, put_corpus(store, corpus[:5], 1), "small", 1)
    count_pairs(store, PAIRS_STEP, put_corpus(store, corpus, 1), "large", 1)
    small, large = (
        [unit.unit_id for unit in index_units(read_outputs(store, outputs_key(run, "graph_pairs")), 2)]
        for run in ("small", "large")
    )
    assert (len(small), len(large)) == (3, 5)
    assert large[:2] == small[:2]
    assert large[2] != small[2]


def test_merged_nodes_are_one_term(store: LocalStore) -> None:
    corpus: list[Topics] = [[("t", ["ring", "rings of sets", "field"])], [("t", ["field"])]]
    commits = count_pairs(store, PAIRS_STEP, put_corpus(store, corpus, 2))
    table = read_parquet(store, commits[0].files[PASSAGES].key)
    ring, sets = (node_id(CONCEPT, canonical(name).normal) for name in ("ring", "rings of sets"))
    aliases = Aliases(np.array([sets], np.uint64), np.array([ring], np.uint64))
    segment, terms = segment_tables(table, aliases)
    postings = dict(zip(terms.column("node_id").to_pylist(), terms.column("postings").to_pylist(), strict=True))
    assert postings[ring] == [0]
    assert sets not in postings
    assert segment.column("size").to_pylist() == [3, 2]
    assert postings[node_id(TOPIC, "t")] == [0, 1]


def test_an_alias_table_in_chains_is_refused() -> None:
    def row(own: int, into: int) -> dict[str, object]:
        return {"node_id": own, "into_id": into, "name": "", "into_name": "", "doc_freq": 1, "into_doc_freq": 1}

    import pyarrow as pa

    with pytest.raises(StoreError, match="0000000000000003 on both sides"):
        aliases_from(pa.Table.from_pylist([row(1, 3), row(3, 5)], schema=ALIAS), "here")
