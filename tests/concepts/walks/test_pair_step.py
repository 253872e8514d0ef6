"""Walk files joined with passages of a committed index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from factory.concepts.walks.config import PairConfig, WalkConfig
from factory.concepts.walks.index_reading import stored_index
from factory.concepts.walks.pair_step import pair_step
from factory.concepts.walks.pairing import Conflict, SplitOf
from factory.concepts.walks.tables import PAIRED_WALK
from factory.concepts.walks.walk_step import plan_walks, walk_step
from factory.errors import StoreError
from factory.identity import ids_digest, make_id
from factory.run.outputs import Output, write_outputs
from factory.run.units import FileRef, Unit, UnitResult, unit_over
from factory.store.commits import Commit
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from factory.tables import CONCEPTS
from tests.concepts.walks.graphs import concept, graph_of, node_sets, random_passages, topic
from tests.concepts.walks.stored import commit, put_graph, worked

PASSAGES = random_passages(31, 90)
SETS = node_sets(PASSAGES)
LICENCES = ("MIT", "CC-BY-4.0", "CC-BY-SA-4.0")


@dataclass(frozen=True)
class Corpus:
    """Where the fixtures lie: keys of outputs, and the CONCEPTS rows by chunk id."""

    graph: str
    index: str
    rows: dict[str, dict[str, Any]]


def concepts_row(number: int) -> dict[str, Any]:
    topics, concepts = PASSAGES[number]
    chunk_id, doc_id = make_id("chunk", number), make_id("document", number // 2)
    source = dict.fromkeys(("span_start", "span_end", "source", "url", "shard", "shard_row", "duties"))
    source |= {"lang": None, "lang_prob": None, "domain_score": None}
    source |= {"doc_id": doc_id, "chunk_id": chunk_id, "file": "select-0/u/0", "row": number}
    return {
        "chunk_id": chunk_id,
        "doc_id": doc_id,
        "edu_level": ("school", "college")[number % 2],
        "subject": f"subject {number % 7}",
        "topics": [{"topic": name, "key_concepts": list(concepts)} for name in topics],
        "request_id": "",
        "sources": [source | {"license": LICENCES[number // 2 % 3]}],
    }


def put_segment(store: LocalStore, number: int, passages: Sequence[tuple[int, str, int]], signed: bool) -> Commit:
    """A segment of (number of the passage, its extract file, row there)."""
    rows = [concepts_row(passage) for passage, _, _ in passages]
    nodes = sorted(set(chain.from_iterable(SETS[passage] for passage, _, _ in passages)))
    table = pa.table(
        {
            "chunk_id": [row["chunk_id"] for row in rows],
            "doc_id": [row["doc_id"] for row in rows],
            "license": [row["sources"][0]["license"] for row in rows],
            "subject": [row["subject"] for row in rows],
            "size": pa.array([len(SETS[passage]) for passage, _, _ in passages], pa.uint32()),
            "extract_file": [file for _, file, _ in passages],
            "row": [row for _, _, row in passages],
            "signature": pa.array(
                [signature(passage) if signed else None for passage, _, _ in passages], pa.list_(pa.uint32())
            ),
        }
    )
    postings = [[place for place, item in enumerate(passages) if node in SETS[item[0]]] for node in nodes]
    terms = pa.table({"node_id": pa.array(nodes, pa.uint64()), "postings": pa.array(postings, pa.list_(pa.uint32()))})
    result = UnitResult(len(rows), len(rows), (table, terms), "none of its own", accepted=len(rows))
    return commit(store, "graph_index-0", Unit(make_id("segment", number)), result)


def signature(number: int) -> list[int]:
    """Passages whose numbers agree modulo 30 are near-duplicates: 7 of 8 values are equal."""
    return [*((number % 30) * 100 + place for place in range(7)), 9000 + number]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


def put_corpus(store: LocalStore, segment: int = 40, signed: bool = True) -> Corpus:
    places, rows = [], [concepts_row(number) for number in range(len(PASSAGES))]
    for start in range(0, len(rows), 25):
        table = pa.Table.from_pylist(rows[start : start + 25], schema=CONCEPTS)
        made = commit(
            store,
            "extract-0",
            Unit(make_id("extract", start)),
            UnitResult(len(table), len(table), (table,), "chunk_id"),
        )
        places += [(start + row, made.files[0].name, row) for row in range(len(table))]
    commits = [
        put_segment(store, number, places[start : start + segment], signed)
        for number, start in enumerate(range(0, len(places), segment))
    ]
    outputs = [Output(made.unit, "", file) for made in commits for file in made.files]
    names = {topic(name): name for names, _ in PASSAGES for name in names}
    names |= {concept(name): name for _, names in PASSAGES for name in names}
    graph = put_graph(store, graph_of(PASSAGES, 2), names)
    return Corpus(graph, write_outputs(store, "run", "graph_index", outputs), {row["chunk_id"]: row for row in rows})


def walked(store: LocalStore, corpus: Corpus, count: int = 120) -> FileRef:
    _, (made,) = worked(store, walk_step(WalkConfig(), 5), plan_walks(corpus.graph, len(PASSAGES), 0, count, 1000))
    return made.files[0]


def paired(
    store: LocalStore,
    corpus: Corpus,
    config: PairConfig | None = None,
    conflict: Conflict | None = None,
    split_of: SplitOf | None = None,
    picks: tuple[int, ...] | None = None,
) -> Commit:
    step = pair_step(config or PairConfig(), conflict, split_of, {"conflict": 1})
    unit = unit_over(walked(store, corpus), picks, index=corpus.index)
    return worked(store, step, [unit])[1][0]


def rows_of(store: LocalStore, made: Commit) -> list[dict[str, Any]]:
    return [row for file in made.files for row in read_parquet(store, file.key).to_pylist()]


def nodes_of(chunk_id: str) -> set[int]:
    return next(SETS[number] for number in range(len(PASSAGES)) if make_id("chunk", number) == chunk_id)


def test_rows_hold_what_a_question_is_asked_with(store: LocalStore) -> None:
    corpus = put_corpus(store)
    made = paired(store, corpus)
    assert made.counts.inputs == made.counts.used + made.counts.rejected == len(walked_ids(store, corpus))
    rows = rows_of(store, made)
    assert len(rows) > 100
    for row in rows:
        walk = set(row["topic_ids"]) | set(row["concept_ids"])
        held = [corpus.rows[chunk_id] for chunk_id in row["chunk_ids"]]
        assert row["doc_ids"] == [passage["doc_id"] for passage in held]
        assert len(set(row["doc_ids"])) == 2
        assert row["sources"] == [passage["sources"][0] for passage in held]
        assert (row["edu_level"], row["subject"]) == (held[0]["edu_level"], held[0]["subject"])
        assert row["overlap"] == [len(walk & nodes_of(chunk_id)) for chunk_id in row["chunk_ids"]]
        assert row["scores"] == [
            len(walk & nodes_of(chunk_id)) / len(walk | nodes_of(chunk_id)) for chunk_id in row["chunk_ids"]
        ]
        assert row["scores"] == sorted(row["scores"], reverse=True)
        assert row["scores"][0] == max(len(walk & nodes) / len(walk | nodes) for nodes in SETS)


def walked_ids(store: LocalStore, corpus: Corpus) -> list[str]:
    ids: list[str] = read_parquet(store, walked(store, corpus).key).column("walk_id").to_pylist()
    return ids


def test_near_duplicates_are_no_pair(store: LocalStore) -> None:
    for row in rows_of(store, paired(store, put_corpus(store))):
        numbers = [int(source["row"]) for source in row["sources"]]
        assert numbers[0] % 30 != numbers[1] % 30


def test_without_signatures_equal_sets_are_near_duplicates(store: LocalStore) -> None:
    index = stored_index(store, put_corpus(store, signed=False).index)
    places = np.array([0, 1, 2, (2 << 32) | 3, (1 << 32) | 39])
    one, other = (grid.reshape(-1) for grid in np.meshgrid(places, places))
    numbers = {place: (place >> 32) * 40 + (place & 0xFFFFFFFF) for place in places.tolist()}
    expected = [float(SETS[numbers[a]] == SETS[numbers[b]]) for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    assert index.similarity(one, other).tolist() == expected


def test_licences_and_splits_are_kept_apart(store: LocalStore) -> None:
    corpus = put_corpus(store)
    made = paired(store, corpus, conflict=lambda one, other: one != other, split_of=lambda doc_id: doc_id[0])
    rows = rows_of(store, made)
    assert rows
    for row in rows:
        assert len({source["license"] for source in row["sources"]}) == 1
        assert len({doc_id[0] for doc_id in row["doc_ids"]}) == 1
    assert made.reasons["input"].keys() <= {
        "no_second_document", "near_duplicate_pair", "licence_conflict", "split_conflict",
    }  # fmt: skip
    assert made.counts.rejected > 0


def test_the_size_of_segments_changes_nothing(store: LocalStore) -> None:
    found = [
        [{**row, "walk_id": ""} for row in rows_of(store, paired(store, put_corpus(store, size)))]
        for size in (1, 17, 1000)
    ]
    assert found[0] == found[1] == found[2]


def test_files_are_as_long_as_asked(store: LocalStore) -> None:
    made = paired(store, put_corpus(store), PairConfig(unit_rows=50))
    assert [file.rows for file in made.files][:-1] == [50] * (len(made.files) - 1)
    assert len(made.files) > 1
    assert all(read_parquet(store, file.key).schema.remove_metadata().equals(PAIRED_WALK) for file in made.files)


def test_a_unit_may_take_some_of_the_walks(store: LocalStore) -> None:
    corpus = put_corpus(store)
    ids = walked_ids(store, corpus)
    made = paired(store, corpus, picks=(3, 5, 8))
    assert made.input_ids_digest == ids_digest([ids[3], ids[5], ids[8]])


def test_without_a_pair_there_is_still_a_file(store: LocalStore) -> None:
    made = paired(store, put_corpus(store), split_of=lambda doc_id: doc_id)
    assert [file.rows for file in made.files] == [0]
    assert made.reasons == {"input": {"split_conflict": made.counts.inputs}}


def test_what_is_no_index_is_said(store: LocalStore) -> None:
    corpus = put_corpus(store)
    step = pair_step(PairConfig(), None, None, {})
    key = write_outputs(store, "run", "walk", [Output("u", "", walked(store, corpus))])
    with pytest.raises(StoreError, match="names a segment"):
        step.work(store, unit_over(walked(store, corpus), index=key))


def test_measure_and_functions_name_the_step() -> None:
    plain = pair_step(PairConfig(), None, None, {})
    assert plain.identity() != pair_step(PairConfig(measure="containment"), None, None, {}).identity()
    assert plain.identity() != pair_step(PairConfig(), None, None, {"split_seed": 3}).identity()
