"""What is said of an object that is gone or damaged: its name, and a remedy that can be followed to the letter."""

from __future__ import annotations

import pyarrow as pa
import pytest

from factory.errors import StoreError
from factory.run.attempt import StepRun, begin, finish
from factory.run.units import Unit, UnitResult
from factory.store.commits import commit_key, read_commit
from factory.store.local import LocalStore
from factory.store.objects import how_to_restore

COMMIT = "steps/extract-00aa/commits/ab/abcd.json"


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        (COMMIT, f"delete {COMMIT} and start the run again"),
        ("steps/extract-00aa/data/abcd.0123.0.parquet", f"delete {COMMIT} and start the run again"),
        ("steps/extract-00aa/requests/abcd.0123.parquet", f"delete {COMMIT} and start the run again"),
        (
            "steps/question_1-00aa/step.json",
            "delete steps/question_1-00aa/step.json and runs/*/question_1.done.json and start the run again",
        ),
        (
            "steps/extract-00aa/plans/feed.json",
            "delete steps/extract-00aa/plans/feed.json and runs/*/extract.done.json and start the run again",
        ),
        ("steps/extract-00aa/attempts/abcd.0123.json", "delete steps/extract-00aa/attempts/abcd.0123.json"),
        ("runs/feed.json", "move runs/feed.json and the folder runs/feed/ away and run the same command again"),
        ("runs/feed/extract.done.json", "move runs/feed.json and the folder runs/feed/ away"),
        ("curate/index/list.json", "restore it from a copy"),
        ("datasets/a/v1/manifest.json", "restore it from a copy"),
    ],
)
def test_the_remedy_names_what_has_to_go_for_the_object_to_be_made_again(key: str, remedy: str) -> None:
    assert remedy in how_to_restore(key)


def test_a_commit_cut_anywhere_is_named_with_what_to_delete(local_store: LocalStore) -> None:
    run = StepRun("extract-00aa", "feed")
    attempt = begin(local_store, run, Unit("abcd"), {})
    finish(local_store, run, attempt, UnitResult(1, 1, (pa.table({"id": ["a"]}),), "id"))
    assert commit_key("extract-00aa", "abcd") == COMMIT
    whole = local_store.get(COMMIT)
    damaged = [whole[:length] for length in range(0, len(whole), 7)]
    damaged += [
        b"[]",
        b"{}",
        b'"text"',
        b"null",
        whole.replace(b'"counts":{', b'"counts":[{').replace(b"}}", b"}]}", 1),
    ]
    for data in damaged:
        local_store.put(COMMIT, data)
        with pytest.raises(StoreError) as caught:
            read_commit(local_store, "extract-00aa", "abcd")
        assert COMMIT in caught.value.what
        assert f"delete {COMMIT}" in caught.value.remedy
