"""What options of walks read: visits of earlier walks, subjects of nodes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from factory.concepts.walks.config import WalkConfig
from factory.concepts.walks.subjects_step import WalkSubjectsStep
from factory.concepts.walks.tables import SUBJECTS, VISITS
from factory.concepts.walks.visits_step import VisitsStep
from factory.concepts.walks.walk_step import plan_walks, walk_step
from factory.identity import make_id
from factory.run.units import Unit
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from tests.concepts.walks.stored import worked
from tests.concepts.walks.test_pair_step import PASSAGES, SETS, concepts_row, put_corpus


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


def test_a_node_is_visited_once_a_walk(store: LocalStore) -> None:
    corpus = put_corpus(store)
    units = plan_walks(corpus.graph, len(PASSAGES), 0, 300, 100)
    walks, commits = worked(store, walk_step(WalkConfig(), 5), units)
    _, (made,) = worked(store, VisitsStep(), [Unit(make_id("visits"), parameters={"walks": walks})])
    expected: Counter[int] = Counter()
    for item in commits:
        for row in read_parquet(store, item.files[0].key).to_pylist():
            expected.update(set(row["trace"]["nodes"]))
    table = read_parquet(store, made.files[0].key)
    assert table.schema.remove_metadata().equals(VISITS)
    assert list(zip(*table.to_pydict().values(), strict=True)) == sorted(expected.items())
    assert made.facts == {"walks": 300, "visited": len(expected)}


def test_before_any_walk_nothing_was_visited(store: LocalStore) -> None:
    _, (made,) = worked(store, VisitsStep(), [Unit(make_id("visits"), parameters={"walks": None})])
    assert made.facts == {"walks": 0, "visited": 0}
    assert made.files[0].rows == 0


@pytest.mark.parametrize("segment", [7, 1000])
def test_subjects_are_counted_by_passage(store: LocalStore, segment: int) -> None:
    index = put_corpus(store, segment).index
    _, (made,) = worked(store, WalkSubjectsStep(), [Unit(make_id("subjects"), parameters={"index": index})])
    expected: Counter[tuple[int, str]] = Counter()
    for number, nodes in enumerate(SETS):
        expected.update((node, concepts_row(number)["subject"]) for node in nodes)
    table = read_parquet(store, made.files[0].key)
    assert table.schema.remove_metadata().equals(SUBJECTS)
    rows = [(row["node_id"], row["subject"], row["passages"]) for row in table.to_pylist()]
    assert rows == [(node, subject, count) for (node, subject), count in sorted(expected.items())]


def test_walks_within_subjects_and_after_visits_run_on_what_the_steps_wrote(store: LocalStore) -> None:
    corpus = put_corpus(store)
    config = WalkConfig(within_subject=True, coverage_exponent=1.0)
    subjects, _ = worked(store, WalkSubjectsStep(), [Unit(make_id("s"), parameters={"index": corpus.index})])
    walks: str | None = None
    for turn in range(2):
        unit = Unit(make_id("visits", turn), parameters={"walks": walks})
        _, (visits,) = worked(store, VisitsStep(), [unit], f"turn{turn}")
        units = plan_walks(
            corpus.graph, len(PASSAGES), 100 * turn, 100 * turn + 100, 100, visits=visits.files[0], subjects=subjects
        )
        walks, (made,) = worked(store, walk_step(config, 5), units, f"turn{turn}")
        for row in read_parquet(store, made.files[0].key).to_pylist():
            held = [set(SETS[n]) for n in range(len(SETS)) if concepts_row(n)["subject"] == row["trace"]["subject"]]
            assert set(row["trace"]["nodes"]) <= set().union(*held)
