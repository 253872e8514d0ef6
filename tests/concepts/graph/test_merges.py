"""Which names are taken for one, and which never are, however near they look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.concepts.graph.aliases import aliases_from
from factory.concepts.graph.config import GraphConfig, MergeNamesConfig
from factory.concepts.graph.edges import GraphEdgesStep, edges_units
from factory.concepts.graph.merges import (
    GraphMergesStep,
    abbreviation_rows,
    alias_table,
    merges_step,
    similarity_rows,
)
from factory.concepts.graph.similar_names import differs, near_pairs, similar_names
from factory.concepts.graph.tables import CONCEPT, node_id
from factory.errors import ConfigError
from factory.run.outputs import outputs_key
from factory.run.plan import global_folder
from factory.run.units import Unit
from factory.section import checked
from factory.store.base import Store
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from tests.concepts.graph.corpora import Topics, count_pairs, put_corpus, work_all
from tests.concepts.graph.test_edges import PAIRS_STEP, build, graph


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


def nodes_of(store: Store, corpus: list[Topics]) -> pa.Table:
    nodes, _ = graph(store, build(store, put_corpus(store, corpus, 4), 2))
    return nodes


FFT = "Fast Fourier Transform (FFT)"


def test_an_abbreviation_explained_in_the_corpus_is_what_it_stands_for(store: LocalStore) -> None:
    corpus: list[Topics] = [[("signals", [FFT]), ("FFT", ["sampling"])], [("signals", ["FFT"])], [("FFT", [FFT])]]
    table = alias_table(nodes_of(store, corpus), abbreviation_rows(nodes_of(store, corpus), 0.9))
    short, long = (node_id(CONCEPT, name) for name in ("fft", "fast fourier transform"))
    (row,) = table.to_pylist()
    assert (row["node_id"], row["into_id"], row["rule"], row["similarity"]) == (short, long, "abbreviation", 1.0)
    assert (row["name"], row["into_name"], row["doc_freq"]) == ("FFT", "Fast Fourier Transform", 1)


def test_an_abbreviation_of_two_things_stays_by_itself(store: LocalStore) -> None:
    corpus: list[Topics] = [
        [("t", ["Central Limit Theorem (CLT)", "CLT"])],
        [("t", ["Classical Lamination Theory (CLT)", "CLT"])],
        [("t", ["Central Limit Theorem (CLT)"])],
    ]
    nodes = nodes_of(store, corpus)
    assert abbreviation_rows(nodes, 0.9) == {}
    assert set(abbreviation_rows(nodes, 0.6)) == {node_id(CONCEPT, "clt")}


def test_a_word_in_brackets_explains_nothing(store: LocalStore) -> None:
    assert abbreviation_rows(nodes_of(store, [[("t", ["small expert team (set)", "set"])]]), 0.5) == {}


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("l1 norm", "l2 norm", "numbers"),
        ("first order logic", "second order logic", "numbers"),
        ("vitamin c", "vitamin d", "numbers"),
        ("c++", "c#", "numbers"),
        ("upper bound", "lower bound", "opposites"),
        ("linear system", "nonlinear system", "opposites"),
        ("continuous function", "discontinuous function", "opposites"),
        ("supervised learning", "unsupervised learning", "opposites"),
        ("sine rule", "cosine rule", "opposites"),
        ("commutative ring", "not commutative ring", "opposites"),
        ("eigen value", "eigenvalue", ""),
        ("normalized vector", "normalised vector", ""),
    ],
)
def test_what_is_never_one_thing(one: str, other: str, reason: str) -> None:
    assert differs(one, other) == differs(other, one) == reason


def planted(count: int, near: int) -> np.ndarray:  # type: ignore[type-arg]
    """`count` unrelated directions in a cone, the first `near` of them repeated with a little noise."""
    drawn = np.random.default_rng(2)
    plain = drawn.standard_normal((count, 64)) + 3.0 * np.eye(64)[0]
    noise = 0.12 * drawn.standard_normal((near, 64))
    return np.concatenate((plain, plain[:near] + noise)).astype(np.float32)


def test_most_near_pairs_are_found_without_comparing_all() -> None:
    vectors = planted(6000, 300)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second, similarity, compared = near_pairs(unit, 0.95)
    exact = np.argwhere(np.triu(unit @ unit.T >= 0.95, 1))
    assert len(exact) >= 290
    found = set(zip(first.tolist(), second.tolist(), strict=True))
    assert found <= {(int(a), int(b)) for a, b in exact}
    assert len(found) > 0.95 * len(exact)
    assert compared < 0.4 * len(unit) ** 2 / 2
    assert float(similarity.min()) >= 0.95 - 1e-5


def test_names_are_merged_into_commoner_ones_that_stay() -> None:
    angle = np.deg2rad([0, 10, 20, 90])
    vectors = np.stack((np.cos(angle), np.sin(angle)), axis=1).astype(np.float32)
    names = ["alpha map", "alpha maps of", "alpha mapping", "unrelated"]
    found = similar_names(names, vectors, np.array([5, 9, 1, 4]), 0.98)
    # The middle one is commonest and takes both; the outer two are too far from each other.
    assert [(merge.name, merge.into) for merge in found.merges] == [(0, 1), (2, 1)]
    found = similar_names(names, vectors, np.array([9, 5, 1, 4]), 0.98)
    assert [(merge.name, merge.into) for merge in found.merges] == [(1, 0)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), min_size=1, max_size=25), st.randoms())
def test_merges_have_no_chains_and_no_order(drawn: list[tuple[int, int]], shuffle: Any) -> None:
    items = [(f"name {chr(97 + place)}{'x' * place}", degrees, freq) for place, (degrees, freq) in enumerate(drawn)]

    def merged(rows: Sequence[tuple[str, int, int]]) -> set[tuple[str, str]]:
        angle = np.deg2rad([row[1] for row in rows])
        vectors = np.stack((np.cos(angle), np.sin(angle)), axis=1).astype(np.float32)
        names = [row[0] for row in rows]
        found = similar_names(names, vectors, np.array([row[2] for row in rows]), 0.9961)
        gone = {merge.name for merge in found.merges}
        assert gone.isdisjoint(merge.into for merge in found.merges)
        return {(names[merge.name], names[merge.into]) for merge in found.merges}

    other = list(items)
    shuffle.shuffle(other)
    assert merged(items) == merged(other)


class Letters:
    """Embeds a name as its letters' counts: near for near spellings, and no model needed."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([[text.lower().count(chr(97 + place)) for place in range(26)] for text in texts], np.float32)


def test_topics_are_not_merged_with_concepts_and_merges_end_where_they_end(store: LocalStore) -> None:
    corpus: list[Topics] = [
        [("homomorphism", ["homomorphism", "homomorphysm", "homomorphism"])],
        [("t", ["Homomorphysm Group (HG)", "HG"])],
        [("t", ["homomorphism", "homomorphism group"])],
        [("t", ["homomorphism group"])],
    ]
    nodes = nodes_of(store, corpus)
    rows = abbreviation_rows(nodes, 0.9)
    similar, counts = similarity_rows(nodes, rows, 0.95, Letters())
    table = alias_table(nodes, rows | similar)
    merged = {(row["name"], row["into_name"], row["rule"]) for row in table.to_pylist()}
    assert merged == {
        ("homomorphysm", "homomorphism", "similarity"),
        ("Homomorphysm Group", "homomorphism group", "similarity"),
        ("HG", "homomorphism group", "abbreviation"),
    }
    assert counts["compared_pairs"] > 0
    assert len(aliases_from(table, "here").ids) == 3


def test_the_step_reads_the_nodes_of_a_graph(store: LocalStore) -> None:
    files = put_corpus(store, [[("t", [FFT, "FFT"])]], 1)
    counted = count_pairs(store, PAIRS_STEP, files)
    folder = global_folder(GraphEdgesStep(), [commit.unit for commit in counted])
    units = edges_units(store, folder, outputs_key("run", "graph_pairs"), 2)
    edges = work_all(store, GraphEdgesStep(), units, folder=folder)
    step = merges_step(MergeNamesConfig())
    assert isinstance(step, GraphMergesStep)
    (merges,) = work_all(store, step, [Unit("b" * 32, parameters={"edges": outputs_key("run", "graph_edges")})])
    assert read_parquet(store, merges.files[0].key).num_rows == 1
    assert merges.counts.inputs == sum(commit.counts.accepted for commit in edges)
    assert merges_step(MergeNamesConfig(abbreviations=False)) is None


def test_settings_that_cannot_work_are_named() -> None:
    with pytest.raises(ConfigError, match="partitions has to be a power of two"):
        checked(GraphConfig, {"partitions": 12})
    with pytest.raises(ConfigError, match=r"similarity needs graph\.merge_names\.model"):
        checked(MergeNamesConfig, {"similarity": 0.9})
    with pytest.raises(ConfigError, match="no model in"):
        merges_step(MergeNamesConfig(similarity=0.9, model="/nowhere"))
