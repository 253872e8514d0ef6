"""What a group of extract files adds to the graph: conservation, named rejects, signatures, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import given, settings

from factory.concepts.graph import counting
from factory.concepts.graph.config import GraphConfig
from factory.concepts.graph.counting import Pairs, pairs_within, summed
from factory.concepts.graph.edges import edge_table
from factory.concepts.graph.groups import group_unit
from factory.concepts.graph.lookup import buckets_of
from factory.concepts.graph.names import canonical
from factory.concepts.graph.pairs import NAMES, PAIRS, PASSAGES, GraphPairsStep, pairs_step, range_groups
from factory.concepts.graph.passages import node_sets
from factory.concepts.graph.tables import CONCEPT, TOPIC, node_id, partition_range
from factory.curate.minhash import shingle_hash32, shingle_hashes
from factory.curate.words import tokenise
from factory.run.attempt import account
from factory.run.outputs import fetch_passages
from factory.run.units import Unit, UnitResult
from factory.store.local import LocalStore
from factory.tables import CONCEPTS, DOCUMENT, source_of
from tests.concepts.graph.corpora import Topics, commit, concepts_row, passages, put_concepts, put_corpus, reference

STEP = GraphPairsStep(1024, 0, 5)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


def concepts(corpus: list[Topics]) -> pa.Table:
    return pa.Table.from_pylist([concepts_row(topics, number) for number, topics in enumerate(corpus)], schema=CONCEPTS)


def worked(store: LocalStore, corpus: list[Topics], step: GraphPairsStep = STEP) -> UnitResult:
    return step.work(store, group_unit(put_corpus(store, corpus, 3)))


@settings(max_examples=150, deadline=None)
@given(passages, passages)
def test_pairs_of_tables_add_up_to_those_of_plain_counting(first: list[Topics], second: list[Topics]) -> None:
    parts = []
    for corpus in (first, second):
        sets = node_sets(concepts(corpus), 1024)
        pairs = pairs_within(sets.ids, sets.starts, sets.members)
        assert counts(pairs) == dict(reference(corpus).freq)
        counted = {row["node_id"]: row["node_passages"] for row in sets.names.to_pylist()}
        assert counted == dict(reference(corpus).doc_freq)
        parts.append(pairs)
    assert counts(summed([edge_table(part) for part in parts])) == dict(reference(first + second).freq)


def counts(pairs: Pairs) -> dict[tuple[int, int], int]:
    src, dst, freq = (column.tolist() for column in pairs)
    found = {(a, b): number for a, b, number in zip(src, dst, freq, strict=True)}
    assert len(found) == len(src)
    assert [(a, b & 1, b) for a, b in found] == sorted((a, b & 1, b) for a, b in found)
    return found


def test_what_cannot_be_used_is_a_named_reject_and_counted(store: LocalStore) -> None:
    corpus: list[Topics] = [
        [("algebra", ["x" * 10_000, "", "groups", "?!"])],
        [],
        [("...", ["!"])],
        [("algebra", [])],
        [("many", [f"concept {number}" for number in range(9)])],
    ]
    result = worked(store, corpus, GraphPairsStep(8, 0, 5))
    counts, reasons = account(result)
    counts.check("the unit")
    assert (result.inputs, result.used, counts.rejected) == (5, 2, 3)
    assert reasons["input"] == {"no_concepts": 2, "too_many_concepts": 1}
    assert reasons["output"] == {"name_empty": 1, "name_of_punctuation": 3, "name_too_long": 1}
    assert max(len(reject.text or "") for reject in result.rejects) <= 200
    held = result.tables[PASSAGES].to_pylist()
    assert [row["row"] for row in held] == [0, 0]
    assert len({row["extract_file"] for row in held}) == 2
    assert held[0]["nodes"] == sorted([node_id(TOPIC, "algebra"), node_id(CONCEPT, "group")])


def test_passages_of_a_group_say_where_they_lie(store: LocalStore) -> None:
    corpus: list[Topics] = [[("t", [f"c{number}"])] for number in range(5)]
    files = put_corpus(store, corpus, 2)
    result = STEP.work(store, group_unit(files[::-1]))
    held = result.tables[PASSAGES].to_pylist()
    assert [row["row"] for row in held] == [0, 0, 1, 0, 1]
    for row in held:
        assert fetch_passages(store, [{"file": row["extract_file"], "row": row["row"]}], ["chunk_id"]).to_pylist() == [
            {"chunk_id": row["chunk_id"]}
        ]
    assert result.facts["files"] == [(file.name, file.content_sha256) for file in files[::-1]]
    assert result.inputs == 5


def test_nulls_in_a_foreign_table_are_no_names(store: LocalStore) -> None:
    row = concepts_row([("t", ["a"])], 0)
    row["topics"] = [{"topic": None, "key_concepts": ["a", None]}, {"topic": "t", "key_concepts": None}, None]
    file = put_concepts(store, [row, concepts_row([], 1) | {"topics": None}])
    result = STEP.work(store, group_unit([file]))
    assert result.tables[PASSAGES].column("nodes").to_pylist() == [sorted([node_id(TOPIC, "t"), node_id(CONCEPT, "a")])]


def test_a_name_is_both_topic_and_concept_where_it_is_used_as_both(store: LocalStore) -> None:
    result = worked(store, [[("rings", ["rings", "fields"])]])
    pairs = counts(Pairs(*(result.tables[PAIRS].column(name).to_numpy() for name in ("src", "dst", "freq"))))
    topic, ring, field = node_id(TOPIC, "ring"), node_id(CONCEPT, "ring"), node_id(CONCEPT, "field")
    assert set(pairs) == {(topic, ring), (topic, field), (ring, field), (field, ring)}


def test_forms_are_counted_by_passage(store: LocalStore) -> None:
    corpus: list[Topics] = [
        [("t", ["Fast Fourier Transform (FFT)", "fast Fourier transforms", " Fast Fourier Transform "])],
        [("t", ["FFT (Fast Fourier Transform)"])],
    ]
    names = [row for row in worked(store, corpus).tables[NAMES].to_pylist() if row["node_id"] & 1]
    assert {(row["form"], row["abbreviation"], row["passages"], row["node_passages"]) for row in names} == {
        ("Fast Fourier Transform", False, 2, 2),
        ("fast Fourier transforms", False, 1, 2),
        ("FFT", True, 2, 2),
    }
    assert {row["name"] for row in names} == {"fast fourier transform"}


def test_signatures_are_those_of_the_passages_text(store: LocalStore) -> None:
    texts = [f"the {word} of all things is a question that is asked again and again" for word in ("sum", "end", "sum")]
    documents = [
        {"chunk_id": f"c{number}", "doc_id": f"d{number}", "text": text, "license": "MIT"}
        for number, text in enumerate(texts)
    ]
    table = pa.Table.from_pylist(documents, schema=DOCUMENT)
    file = commit(store, "select-0", Unit("5" * 32), UnitResult(3, 3, (table,), "chunk_id")).files[0]
    rows = []
    for number, document in enumerate(table.to_pylist()):
        row = concepts_row([("t", ["a", "b"])], number)
        rows.append(row | {"chunk_id": f"c{number}", "sources": [source_of(document, file.name, number)]})
    result = pairs_step(GraphConfig()).work(store, group_unit([put_concepts(store, rows)]))
    held = result.tables[PASSAGES].to_pylist()
    assert [row["license"] for row in held] == ["MIT"] * 3
    assert held[0]["signature"] == held[2]["signature"] != held[1]["signature"]
    theirs = MinHash(num_perm=64, seed=1, scheme="affine32", hashfunc=lambda value: value)
    for value in shingle_hash32(shingle_hashes(tokenise(texts[:1]), 5)[0]).tolist():
        theirs.update(value)
    assert held[0]["signature"] == theirs.digest().tolist()


def test_row_groups_are_equal_ranges_of_ids() -> None:
    ids = np.sort(np.random.default_rng(1).integers(0, 2**64, 400_000, dtype=np.uint64))
    groups = range_groups(ids, 1 << 15)
    assert len(groups) == 8
    ends = np.cumsum(groups)
    for partition, (start, end) in enumerate(zip(np.r_[0, ends[:-1]].tolist(), ends.tolist(), strict=True)):
        first, last = partition_range(partition, 8)
        assert first <= int(ids[start])
        assert int(ids[end - 1]) <= last
    assert range_groups(ids[:10], 8) == (10,)
    assert range_groups(ids[:0], 8) == (0,)


def test_an_id_says_its_kind_and_hashes_the_name() -> None:
    assert node_id(TOPIC, "ring") & 1 == TOPIC
    assert node_id(CONCEPT, "ring") & 1 == CONCEPT
    assert node_id(TOPIC, "ring") >> 1 != node_id(CONCEPT, "ring") >> 1
    assert node_id(CONCEPT, canonical("The Rings").normal) == node_id(CONCEPT, "ring")
    assert (partition_range(0, 1), partition_range(3, 4)) == ((0, 2**64 - 1), (3 << 62, 2**64 - 1))


@pytest.mark.parametrize("code_bits", [2, 63])
def test_codes_of_many_destinations_fill_their_buckets_evenly(code_bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "CODE_BITS", code_bits)  # with 2 they are numbered
    ids = np.random.default_rng(3).integers(0, 2**64, 20_000, dtype=np.uint64)
    codes, known, table, bits = counting._coded_destinations(ids, 46)
    assert (known[np.searchsorted(table, codes)] == ids).all()
    assert np.diff(buckets_of(table, bits).begins).max() < 20
