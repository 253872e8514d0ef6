"""Commits are folded by a task while a step is worked, and what is left at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from factory.run.folding import Folding
from factory.store.commit_index import index_rows, list_commits
from factory.store.commits import Commit, Counts, put_commit
from factory.store.local import LocalStore

FOLDER = "extract-0123"


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=80 << 20)
    yield
    ray.shutdown()


def committed(store: LocalStore, number: int) -> None:
    unit = f"{number:032x}"
    put_commit(store, Commit(unit, "a" * 12, FOLDER, "run", "", None, (), {}, Counts(), {}, "", "", {}))


def test_a_step_that_was_worked_leaves_its_commits_in_indexes(cluster: None, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    folding = Folding(store, FOLDER, 0, at_least=8)
    for number in range(50):
        committed(store, number)
        folding.add()
    folding.end()
    listed = list_commits(store, FOLDER)
    held = [unit for key in listed.indexes for unit, _, _ in index_rows(store, key)]
    assert len(held) == len(set(held)), "each commit in one index"
    assert len(held) > 50 - 8, "what is outside is less than what is worth a file"
