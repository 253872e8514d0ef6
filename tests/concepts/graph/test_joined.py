"""Merged names: the graph read through an alias table is the graph of the corpus with its names replaced."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.concepts.graph.edges import EDGES, NODES, GraphEdgesStep, edges_units
from factory.concepts.graph.joined import GraphJoinedStep, joined_units
from factory.concepts.graph.names import canonical
from factory.concepts.graph.tables import ALIAS, CONCEPT, TOPIC, node_id
from factory.run.outputs import outputs_key, read_outputs
from factory.run.plan import global_folder
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from tests.concepts.graph.corpora import WORDS, Topics, commit, count_pairs, passages, put_corpus, reference, work_all
from tests.concepts.graph.test_edges import PAIRS_STEP, check_shape, counted_by_hand


def put_aliases(store: Store, aliases: dict[int, int]) -> FileRef:
    rows = [{"node_id": own, "into_id": into, "rule": "similarity"} for own, into in sorted(aliases.items())]
    table = pa.Table.from_pylist(rows, schema=ALIAS)
    return commit(store, "graph_merges-0", Unit("a" * 32), UnitResult(0, 0, (table,), "", accepted=0)).files[0]


def joined(
    store: Store, files: Sequence[FileRef], aliases: dict[int, int], before: int, after: int
) -> tuple[pa.Table, pa.Table]:
    """NODE and EDGE of the graph of `files` through `aliases`, counted in `before` partitions, joined in `after`."""
    counted = count_pairs(store, PAIRS_STEP, files, group_passages=4)
    pairs, edges = (outputs_key("run", name) for name in ("graph_pairs", "graph_edges"))
    folder = global_folder(GraphEdgesStep(), [each.unit for each in counted])
    work_all(store, GraphEdgesStep(), edges_units(store, folder, pairs, before), folder=folder)
    units = joined_units(store, "graph_joined-0", edges, pairs, put_aliases(store, aliases), after)
    commits = work_all(store, GraphJoinedStep(), units)
    assert sum(each.counts.inputs for each in commits) == sum(each.counts.accepted for each in counted)
    nodes, found = (
        pa.concat_tables([read_parquet(store, each.files[part].key) for each in commits]) for part in (NODES, EDGES)
    )
    return nodes, found


KEYS = sorted({canonical(word).normal for word in WORDS} - {""})


@settings(max_examples=12, deadline=None)
@given(passages, st.sampled_from([(1, 1), (4, 2), (2, 8)]), st.integers(1, 3), st.integers(0, 2**32))
def test_joining_is_counting_with_the_names_replaced(
    corpus: list[Topics], partitions: tuple[int, int], merged: int, seed: int
) -> None:
    present = reference(corpus).doc_freq
    draw = random.Random(seed)
    aliases: dict[int, int] = {}
    for kind in (TOPIC, CONCEPT):
        own = [node for node in (node_id(kind, key) for key in KEYS) if node in present]
        draw.shuffle(own)
        kept, gone = own[merged:], own[:merged]
        aliases |= {node: draw.choice(kept) for node in gone if kept}
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(folder)
        nodes, edges = joined(store, put_corpus(store, corpus, 3), aliases, *partitions)
    expected, found = reference(corpus, aliases), counted_by_hand(nodes, edges)
    assert (found.doc_freq, found.freq) == (expected.doc_freq, expected.freq)
    assert {node: set(forms) for node, forms in found.forms.items()} == {
        node: set(forms) for node, forms in expected.forms.items()
    }
    check_shape(nodes, edges, partitions[1])
    for row in nodes.to_pylist():
        assert row["node_id"] == node_id(row["kind"], row["normal"])


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


def test_a_passage_that_holds_both_names_counts_once(store: LocalStore) -> None:
    corpus: list[Topics] = [[("t", ["ring", "annulus", "field"])], [("t", ["annulus", "field"])]]
    ring, annulus, field = (node_id(CONCEPT, name) for name in ("ring", "annulus", "field"))
    nodes, edges = joined(store, put_corpus(store, corpus, 1), {annulus: ring}, 1, 1)
    freq = {(row["src"], row["dst"]): row["freq"] for row in edges.to_pylist()}
    assert freq[ring, field] == freq[field, ring] == 2
    assert (ring, ring) not in freq
    about = {row["node_id"]: row for row in nodes.to_pylist()}
    assert annulus not in about
    assert (about[ring]["doc_freq"], about[ring]["name"], about[ring]["aliases"]) == (2, "annulus", ["ring"])


def test_without_merges_nothing_changes(store: LocalStore) -> None:
    corpus: list[Topics] = [[("t", ["ring", "field"])], [("u", ["Rings", "field"])]]
    nodes, edges = joined(store, put_corpus(store, corpus, 1), {}, 2, 2)
    outputs = read_outputs(store, outputs_key("run", "graph_edges"))
    for part, table in ((NODES, nodes), (EDGES, edges)):
        files = [output.file.key for output in outputs if output.file.name.endswith(f"/{part}")]
        plain = pa.concat_tables([read_parquet(store, key) for key in files])
        assert plain.replace_schema_metadata(None).equals(table.replace_schema_metadata(None))
