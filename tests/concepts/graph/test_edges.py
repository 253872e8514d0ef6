"""The graph is what plain counting finds, whatever the units, their order, the partitions or what was there before."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.concepts.graph import counting as counting_module
from factory.concepts.graph import edges as edges_module
from factory.concepts.graph import pairs as pairs_module
from factory.concepts.graph.config import GraphConfig
from factory.concepts.graph.counting import Pairs, pair_blocks, pairs_within, summed
from factory.concepts.graph.edges import EDGES, NODES, GraphEdgesStep, edge_table, edges_units, find_earlier
from factory.concepts.graph.groups import pairs_units
from factory.concepts.graph.names import canonical
from factory.concepts.graph.nodes import names_of, node_table
from factory.concepts.graph.pairs import PAIRS, pairs_step
from factory.concepts.graph.tables import CONCEPT, NAME, TOPIC, kind_of, node_id
from factory.errors import ConservationError
from factory.run.attempt import content_sha256
from factory.run.outputs import outputs_key
from factory.run.plan import global_folder
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.commits import Commit
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from tests.concepts.graph.corpora import Reference, Topics, count_pairs, passages, put_corpus, reference, work_all

PAIRS_STEP = pairs_step(GraphConfig(signature_permutations=0))


def build(store: Store, files: Sequence[FileRef], partitions: int, run: str = "run", group: int = 1) -> list[Commit]:
    """Counts `files`, in groups of `group` passages at least, and sums them; commits of the edges, a partition each."""
    counted = count_pairs(store, PAIRS_STEP, files, run, group)
    folder = global_folder(GraphEdgesStep(), [commit.unit for commit in counted])
    units = edges_units(store, folder, outputs_key(run, "graph_pairs"), partitions)
    commits = work_all(store, GraphEdgesStep(), units, run, folder)
    assert sum(commit.counts.inputs for commit in commits) == sum(commit.counts.accepted for commit in counted)
    return commits


def graph(store: Store, commits: Sequence[Commit]) -> tuple[pa.Table, pa.Table]:
    nodes, edges = (
        pa.concat_tables([read_parquet(store, commit.files[part].key) for commit in commits]) for part in (NODES, EDGES)
    )
    return nodes.replace_schema_metadata(None), edges.replace_schema_metadata(None)


def counted_by_hand(nodes: pa.Table, edges: pa.Table) -> Reference:
    """A graph in the shape of the reference."""
    found = Reference()
    for row in nodes.to_pylist():
        found.doc_freq[row["node_id"]] = row["doc_freq"]
        forms = found.forms.setdefault(row["node_id"], Counter())
        forms[row["name"]] += row["name_passages"]
        forms.update(dict(zip(row["aliases"], row["alias_passages"], strict=True)))
    found.freq.update({(row["src"], row["dst"]): row["freq"] for row in edges.to_pylist()})
    return found


def check_shape(nodes: pa.Table, edges: pa.Table, partitions: int) -> None:
    """Order, offsets and degrees are as promised."""
    ids = nodes.column("node_id").to_numpy()
    assert (ids[1:] > ids[:-1]).all()
    src, dst = edges.column("src").to_numpy(), edges.column("dst").to_numpy()
    order = np.lexsort((dst, kind_of(dst), src))
    assert (order == np.arange(len(order))).all()
    begin = 0
    offsets = dict(zip(ids.tolist(), nodes.column("offset").to_pylist(), strict=True))
    partition_starts: dict[int, int] = {}
    for row in nodes.to_pylist():
        partition = row["node_id"] * partitions >> 64
        partition_starts.setdefault(partition, begin)
        assert offsets[row["node_id"]] == begin - partition_starts[partition]
        end = begin + row["topic_degree"] + row["concept_degree"]
        assert (src[begin:end] == row["node_id"]).all()
        kinds = kind_of(dst[begin:end])
        assert (kinds[: row["topic_degree"]] == TOPIC).all()
        assert (kinds[row["topic_degree"] :] == CONCEPT).all()
        begin = end
    assert begin == len(src)


@settings(max_examples=15, deadline=None)
@given(
    passages,
    st.integers(1, 5),
    st.sampled_from([1, 2, 8]),
    st.sampled_from([3, 1 << 22]),
    st.sampled_from([2, 63]),
    st.integers(0, 2**32),
)
def test_counts_are_those_of_plain_counting(
    corpus: list[Topics], rows: int, partitions: int, slice_rows: int, code_bits: int, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(edges_module, "PAIRS_A_SLICE", slice_rows)
        patch.setattr(counting_module, "CODE_BITS", code_bits)  # with 2, ids share a code, and are numbered
        store = LocalStore(folder)
        files = put_corpus(store, corpus, rows)
        random.Random(seed).shuffle(files)
        nodes, edges = graph(store, build(store, files, partitions))
    expected, found = reference(corpus), counted_by_hand(nodes, edges)
    assert (found.doc_freq, found.freq, found.forms) == (expected.doc_freq, expected.freq, expected.forms)
    for row in nodes.to_pylist():
        plain = expected.forms[row["node_id"]]
        assert canonical(row["name"]).normal == row["normal"]
        assert plain[row["name"]] == row["name_passages"]
    check_shape(nodes, edges, partitions)


@settings(max_examples=6, deadline=None)
@given(passages, st.integers(0, 2**32))
def test_files_are_the_same_bytes_whatever_the_units(corpus: list[Topics], seed: int) -> None:
    hashes = set()
    for rows in (1, 3, 50):
        with tempfile.TemporaryDirectory() as folder:
            store = LocalStore(folder)
            files = put_corpus(store, corpus, rows)
            draw = random.Random(seed + rows)
            draw.shuffle(files)
            commits = build(store, files, 4, group=draw.choice([1, 4, 100]))
            hashes.add(tuple(file.content_sha256 for commit in commits for file in commit.files))
            # The bytes name run, step and unit as well; without these they are a function of the rows.
            whole = {
                tuple(content_sha256(table) for table in graph(store, build(store, files, p))[1:]) for p in (1, 2, 16)
            }
            assert len(whole) == 1
    assert len(hashes) == 1


@settings(max_examples=6, deadline=None)
@given(passages, passages, st.sampled_from([(1, 1), (2, 4), (8, 2)]), st.sampled_from([1, 4, 100]), st.integers(0, 3))
def test_a_graph_that_grows_anywhere_is_the_graph_made_anew(
    first: list[Topics], second: list[Topics], partitions: tuple[int, int], group: int, place: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        grown, anew = LocalStore(folder), LocalStore(other)
        files = put_corpus(grown, first, 2)
        build(grown, files, partitions[0], "first", group)
        new = put_corpus(grown, second, 3, len(first))
        commits = build(grown, files[:place] + new + files[place:], partitions[1], "second", group)
        if first and second:
            assert [commit.ledger["files_read"] for commit in commits] == [
                len(pairs_units(new, passages=group))
            ] * partitions[1]
        scratch = build(anew, put_corpus(anew, first, 2) + put_corpus(anew, second, 3, len(first)), partitions[1])
        for one, two in zip(commits, scratch, strict=True):
            assert [file.content_sha256 for file in one.files] == [file.content_sha256 for file in two.files]
            assert [anew.get(file.key) for file in two.files] != []
            for a, b in zip(one.files, two.files, strict=True):
                assert read_parquet(grown, a.key).equals(read_parquet(anew, b.key))


ONE: Topics = [("algebra", ["groups", "rings"]), ("geometry", ["rings", "lines"])]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


def test_an_unfinished_or_unrelated_graph_is_not_built_on(store: LocalStore) -> None:
    files = put_corpus(store, [ONE, ONE, ONE], 1)
    counted = count_pairs(store, PAIRS_STEP, files[:2], "unfinished", 1)
    folder = global_folder(GraphEdgesStep(), [commit.unit for commit in counted])
    units = edges_units(store, folder, outputs_key("unfinished", "graph_pairs"), 2)
    work_all(store, GraphEdgesStep(), units[:1], "unfinished", folder)
    commits = build(store, files, 2, "after")
    assert [commit.ledger["files_read"] for commit in commits] == [3, 3]
    # Less than what is there: the larger graph holds a file that is not asked for.
    assert [commit.ledger["files_read"] for commit in build(store, files[1:], 2, "less")] == [2, 2]


def test_the_largest_earlier_graph_is_taken(store: LocalStore) -> None:
    files = put_corpus(store, [ONE] * 4, 1)
    build(store, files[:1], 1, "small")
    build(store, files[:3], 1, "large")
    assert [commit.ledger["files_read"] for commit in build(store, files, 1, "all")] == [1]
    assert find_earlier(store, "graph_edges-none", {}) is None


def test_identical_passages_count_as_many_times_as_they_are(store: LocalStore) -> None:
    nodes, edges = graph(store, build(store, put_corpus(store, [ONE] * 7, 3), 1))
    assert set(nodes.column("doc_freq").to_pylist()) == {7}
    assert set(edges.column("freq").to_pylist()) == {7}
    assert edges.num_rows == 2 + 2 * 3 + 3 * 2


def test_one_passage_and_isolated_topics(store: LocalStore) -> None:
    alone: Topics = [("solitude", [])]
    nodes, edges = graph(store, build(store, put_corpus(store, [alone], 1), 1))
    assert (nodes.num_rows, edges.num_rows) == (1, 0)
    row = nodes.to_pylist()[0]
    assert (row["name"], row["topic_degree"], row["concept_degree"], row["offset"]) == ("solitude", 0, 0, 0)


def test_a_corpus_without_a_usable_name_is_an_empty_graph(store: LocalStore) -> None:
    nodes, edges = graph(store, build(store, put_corpus(store, [[], [("...", [""])]], 1), 2))
    assert (nodes.num_rows, edges.num_rows) == (0, 0)


def test_two_names_of_one_id_are_an_error_that_names_both() -> None:
    rows = [
        {"node_id": 5, "name": name, "form": name, "abbreviation": False, "passages": 1, "node_passages": 1}
        for name in ("graph", "tree")
    ]
    tables = [pa.Table.from_pylist([row], schema=NAME) for row in rows]
    with pytest.raises(ConservationError, match="'graph' and 'tree'"):
        node_table(tables, summed([]))


def test_large_tables_are_counted_in_blocks_of_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(0)
    ids = np.unique(drawn.integers(0, 2**63, 60, dtype=np.uint64))
    sets = [np.unique(drawn.integers(0, len(ids), 9)) for _ in range(50)]
    starts = np.concatenate(([0], np.cumsum([len(each) for each in sets])))
    whole = pairs_within(ids, starts, np.concatenate(sets))
    monkeypatch.setattr("factory.concepts.graph.counting.BLOCK_PAIRS", 100)
    blocks = list(pair_blocks(ids, starts, np.concatenate(sets)))
    assert len(blocks) == -(-sum(len(each) ** 2 for each in sets) // 100)
    added = summed([edge_table(block) for block in blocks])
    for found in (pairs_within(ids, starts, np.concatenate(sets)), added):
        for one, two in zip(whole, found, strict=True):
            assert (one == two).all()


def test_a_unit_with_many_pairs_writes_them_in_several_files(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("factory.concepts.graph.counting.BLOCK_PAIRS", 20)
    files = put_corpus(store, [ONE] * 7 + [[]], 3)
    (counted,) = count_pairs(store, PAIRS_STEP, files, "many", 100)
    assert [file.name.rsplit("/", 1)[1] for file in counted.files] == [str(part) for part in range(2 + 7)]
    assert counted.facts["pairs"] == sum(file.rows for file in counted.files[PAIRS:])
    nodes, edges = graph(store, build(store, files, 4, "many", 100))
    expected = reference([ONE] * 7)
    assert counted_by_hand(nodes, edges).freq == expected.freq
    assert counted_by_hand(nodes, edges).doc_freq == expected.doc_freq


def test_partitions_read_row_groups_and_not_whole_files(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "PAIRS_A_RANGE", 8)
    corpus: list[Topics] = [[("t", [f"concept {n} {k}" for k in range(12)])] for n in range(4)]
    commits = build(store, put_corpus(store, corpus, 4), 8)
    nodes, edges = graph(store, commits)
    expected = reference(corpus)
    assert counted_by_hand(nodes, edges).freq == expected.freq
    import pyarrow.parquet as pq

    pair_files = [
        info.key for info in store.list("steps/graph_pairs-0/data/") if info.key.endswith(f".{PAIRS}.parquet")
    ]
    groups = [pq.ParquetFile(pa.BufferReader(store.get(key))).num_row_groups for key in pair_files]
    assert max(groups) >= 8


def test_nodes_and_the_names_they_were_made_of_are_one_thing(store: LocalStore) -> None:
    corpus: list[Topics] = [[("Galois Theory (GT)", ["group", "Groups"])], [("galois theories", ["the group"])]]
    nodes, edges = graph(store, build(store, put_corpus(store, corpus, 1), 1))
    pairs = Pairs(*(edges.column(name).to_numpy() for name in ("src", "dst", "freq")))
    assert node_table([names_of(nodes)], pairs).equals(nodes)
    topic = {row["node_id"]: row for row in nodes.to_pylist()}[node_id(TOPIC, "galois theory")]
    assert (topic["name"], topic["aliases"], topic["abbreviations"]) == ("Galois Theory", ["galois theories", "GT"], 1)
