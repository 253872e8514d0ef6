"""Blocks of walk numbers as committed rows."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from factory.concepts.walks.adjacency import Partition
from factory.concepts.walks.config import WalkConfig
from factory.concepts.walks.reading import read_subjects, read_visits, stored_graph
from factory.concepts.walks.tables import SUBJECTS, VISITS, WALK
from factory.concepts.walks.walk_step import plan_walks, walk_step
from factory.errors import ConfigError, StoreError
from factory.identity import make_id
from factory.run.outputs import Output, write_outputs
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from factory.store.scratch import shared
from tests.concepts.walks.graphs import Passage, concept, edges_of, graph_of, node_sets, random_passages, topic
from tests.concepts.walks.stored import commit, put_graph, worked

PASSAGES = [*random_passages(21, 120), (["lonely"], ["somewhere"])]
TOPICS = len({node for nodes in node_sets(PASSAGES) for node in nodes if not node & 1})
EVERYTHING = WalkConfig(
    revisit="never", temperature=1.4, max_doc_freq_share=0.6, hub_exponent=0.3, coverage_exponent=1.0,
    implicit_share=0.2, within_subject=True, cache_mib=1,
)  # fmt: skip


def names_of(passages: list[Passage]) -> dict[int, str]:
    return {topic(name): f"the topic {name}" for names, _ in passages for name in names} | {
        concept(name): f"the concept {name}" for _, names in passages for name in names
    }


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


def put_table(store: LocalStore, name: str, table: pa.Table) -> FileRef:
    result = UnitResult(table.num_rows, table.num_rows, (table,), "none of its own", accepted=table.num_rows)
    return commit(store, f"{name}-0", Unit(make_id("unit", name)), result).files[0]


def visits_file(store: LocalStore) -> FileRef:
    ids = [*sorted(names_of(PASSAGES))[::3], 2**64 - 1]
    return put_table(store, "visits", pa.table([ids, [number % 5 for number in range(len(ids))]], schema=VISITS))


def put_subjects(store: LocalStore) -> str:
    rows = []
    for number, subject in enumerate(("algebra", "logic", "topology")):
        held = list(chain.from_iterable(node_sets(PASSAGES)[number::3]))
        rows += [{"node_id": node, "subject": subject, "passages": held.count(node)} for node in set(held)]
    rows.sort(key=lambda row: (row["node_id"], row["subject"]))
    file = put_table(store, "walk_subjects", pa.Table.from_pylist(rows, schema=SUBJECTS))
    return write_outputs(store, "run", "walk_subjects", [Output("u", "", file)])


def rows_of(store: LocalStore, files: list[FileRef]) -> list[dict[str, object]]:
    return list(chain.from_iterable(read_parquet(store, file.key).to_pylist() for file in files))


def test_every_number_is_a_row_or_a_named_reject(store: LocalStore) -> None:
    graph = put_graph(store, graph_of(PASSAGES, 4), names_of(PASSAGES))
    units = plan_walks(graph, len(PASSAGES), 0, 5 * TOPICS, 7)
    _, commits = worked(store, walk_step(WalkConfig(), 3), units)
    rows = rows_of(store, [commit.files[0] for commit in commits])
    assert sum(commit.counts.inputs for commit in commits) == 5 * TOPICS
    assert sum(commit.counts.used + commit.counts.rejected for commit in commits) == 5 * TOPICS
    assert {reason for commit in commits for reason in commit.reasons.get("input", {})} == {"isolated_topic"}
    assert sum(commit.counts.rejected for commit in commits) == 5
    rejected = 5  # the lonely topic, once an epoch
    numbers = [row["number"] for row in rows]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 5 * TOPICS - rejected
    assert len({row["walk_id"] for row in rows}) == len(rows)


def test_rows_say_what_the_walk_was(store: LocalStore) -> None:
    graph = put_graph(store, graph_of(PASSAGES, 4), names_of(PASSAGES))
    _, (made,) = worked(store, walk_step(WalkConfig(), 3), plan_walks(graph, len(PASSAGES), 0, 300, 500))
    table = read_parquet(store, made.files[0].key)
    assert table.schema.remove_metadata().equals(WALK)
    edges, names = edges_of(PASSAGES), names_of(PASSAGES)
    for row in table.to_pylist():
        path, kinds = row["trace"]["nodes"], row["trace"]["kinds"]
        assert kinds == [node & 1 for node in path]
        assert all(pair in edges for pair in pairwise(path))
        assert row["trace"]["via"] == [None] * len(path)
        assert row["trace"]["subject"] is None
        assert len(row["probabilities"]) == len(path) - 1
        assert all(0 < probability <= 1 for probability in row["probabilities"])
        assert row["topic_ids"] == list(dict.fromkeys(node for node in path if not node & 1))
        assert row["concept_ids"] == list(dict.fromkeys(node for node in path if node & 1))
        assert row["topics"] == [names[node] for node in row["topic_ids"]]
        assert row["concepts"] == [names[node] for node in row["concept_ids"]]
        assert (row["epoch"], row["seed"]) == (row["number"] // TOPICS, 3)


@pytest.mark.parametrize("config", [WalkConfig(), EVERYTHING])
def test_files_are_the_same_bytes_over_any_partitions(store: LocalStore, config: WalkConfig) -> None:
    visits, subjects = visits_file(store), put_subjects(store)
    contents = set()
    for count in (1, 2, 8, 64):
        graph = put_graph(store, graph_of(PASSAGES, count), names_of(PASSAGES), f"run{count}")
        units = plan_walks(graph, len(PASSAGES), 0, 400, 1000, visits=visits, subjects=subjects)
        _, (made,) = worked(store, walk_step(config, 11), units, f"run{count}")
        contents.add(made.files[0].content_sha256)
    assert len(contents) == 1


@pytest.mark.parametrize("config", [WalkConfig(), EVERYTHING])
def test_rows_are_the_same_in_any_blocks(store: LocalStore, config: WalkConfig) -> None:
    graph = put_graph(store, graph_of(PASSAGES, 4), names_of(PASSAGES))
    given = {"visits": visits_file(store), "subjects": put_subjects(store)}
    found = []
    for block in (400, 64, 1):
        units = plan_walks(graph, len(PASSAGES), 0, 100, block, **given)  # type: ignore[arg-type]
        _, commits = worked(store, walk_step(config, 11), units, f"blocks{block}")
        found.append(rows_of(store, [commit.files[0] for commit in commits]))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 50


def test_seeds_rules_and_visits_name_other_walks(store: LocalStore) -> None:
    graph = put_graph(store, graph_of(PASSAGES), names_of(PASSAGES))
    plain = plan_walks(graph, len(PASSAGES), 0, 50, 100)
    later = plan_walks(graph, len(PASSAGES), 0, 50, 100, visits=visits_file(store))
    assert plain[0].unit_id != later[0].unit_id
    covering = WalkConfig(coverage_exponent=1.0)
    runs = [(WalkConfig(), 1, plain), (WalkConfig(), 2, plain), (covering, 1, plain), (covering, 1, later)]
    ids: list[str] = []
    for number, (config, seed, units) in enumerate(runs):
        _, (made,) = worked(store, walk_step(config, seed), units, f"run{number}")
        ids += read_parquet(store, made.files[0].key).column("walk_id").to_pylist()
    assert len(set(ids)) == len(ids) > 150


def test_plans_cut_at_the_same_numbers_whatever_they_begin_with() -> None:
    def ranges(start: int, stop: int) -> list[tuple[int, int]]:
        return [(unit.parameters["start"], unit.parameters["stop"]) for unit in plan_walks("g", 1, start, stop, 100)]

    assert ranges(0, 250) == [(0, 100), (100, 200), (200, 250)]
    assert ranges(150, 320) == [(150, 200), (200, 300), (300, 320)]
    assert ranges(100, 200) == [(100, 200)]
    assert ranges(7, 7) == []
    assert plan_walks("g", 1, 0, 300, 100)[0].unit_id == plan_walks("h", 1, 0, 100, 100)[0].unit_id


def test_what_is_read_is_what_was_written(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    graph = graph_of(PASSAGES, 16)
    stored = stored_graph(store, put_graph(store, graph, names_of(PASSAGES)))
    for limit in (0, 4000, 1 << 20):
        with shared(f"{stored.content}-{limit}", limit) as scratch:
            read = replace(stored, scratch=scratch)
            for index in [*range(16), *range(16)]:
                one, other = read.read(index), graph.source.read(index)
                for name in Partition.__dataclass_fields__:
                    assert getattr(one, name).tolist() == getattr(other, name).tolist()
    assert read.nodes.ids.tolist() == graph.nodes.ids.tolist()
    assert read.nodes.doc_freq.tolist() == graph.nodes.doc_freq.tolist()
    some = np.array(sorted(names_of(PASSAGES))[::5], np.uint64)
    assert read.names(some) == {node: names_of(PASSAGES)[node] for node in some.tolist()}


def test_options_read_their_tables(store: LocalStore) -> None:
    graph = graph_of(PASSAGES)
    visits = read_visits(store, visits_file(store).key, graph.nodes)
    assert visits.tolist() == [(place // 3) % 5 if place % 3 == 0 else 0 for place in range(len(visits))]
    subjects = read_subjects(store, put_subjects(store), graph.nodes)
    lonely = int(graph.nodes.positions(np.array([topic("lonely")], np.uint64))[0])
    held = subjects.subjects[subjects.starts[lonely] : subjects.starts[lonely + 1]]
    assert [subjects.names[code] for code in held] == ["algebra"]


def test_partitions_of_two_graphs_are_no_graph(store: LocalStore) -> None:
    one, other = graph_of(PASSAGES, 2), graph_of(random_passages(3, 50), 2)
    put_graph(store, one, names_of(PASSAGES))
    mixed = graph_of(PASSAGES, 2)
    halves = type(mixed.source)((one.source.read(0), one.source.read(0)))
    key = put_graph(store, type(mixed)(halves, mixed.nodes, 1), names_of(PASSAGES), "mixed")
    with pytest.raises(StoreError, match="not one of 2 partitions"):
        stored_graph(store, key)
    assert other.nodes.ids.tolist() != one.nodes.ids.tolist()


def test_walks_within_subjects_ask_for_the_step_that_counts_them(store: LocalStore) -> None:
    graph = put_graph(store, graph_of(PASSAGES), names_of(PASSAGES))
    step = walk_step(WalkConfig(within_subject=True), 1)
    with pytest.raises(ConfigError, match="walk_subjects"):
        step.work(store, plan_walks(graph, len(PASSAGES), 0, 10, 100)[0])


def test_an_edge_to_an_unknown_node_is_damage(store: LocalStore) -> None:
    graph, other = graph_of(PASSAGES), graph_of([(["t", "u"], ["nowhere", "else"])])
    whole, strange = graph.source.read(0), other.source.read(0)
    put_graph(store, graph, names_of(PASSAGES))
    read = stored_graph(store, put_graph(store, graph, names_of(PASSAGES)))
    with pytest.raises(StoreError, match="which the graph does not have"):
        read._positions(other.nodes.ids[strange.dst], "some file")
    assert read._positions(graph.nodes.ids[whole.dst], "some file").tolist() == whole.dst.tolist()


def test_nodes_without_their_edges_are_damage(store: LocalStore) -> None:
    graph = graph_of(PASSAGES)
    whole = graph.source.read(0)
    cut = Partition(whole.node_ids, whole.starts, whole.topic_degrees, whole.dst[:-1], whole.freq[:-1])
    with pytest.raises(StoreError, match="is damaged"):
        cut.check("somewhere")
