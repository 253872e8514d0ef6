from __future__ import annotations

import pyarrow as pa
import pytest

from factory.errors import ConservationError, StoreError
from factory.identity import ids_digest
from factory.run.attempt import StepRun, begin, content_sha256, finish
from factory.run.reject import Reject
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.commits import commit_key, committed_units, read_commit
from tests.run.rows import document, documents

RUN = StepRun("copy-0000000000000000", "run0")


def result(number: int, rejects: tuple[Reject, ...] = (), used: int | None = None) -> UnitResult:
    rows = [document(f"d{index}", row=index) for index in range(number)]
    ids = [row["chunk_id"] for row in rows]
    inputs = number + sum(reject.side != "output" for reject in rejects)
    return UnitResult(
        inputs, number if used is None else used, (documents(rows),), "chunk_id", rejects, ids_digest(ids)
    )


def test_first_commit_wins_and_the_second_attempt_reads_it(store: Store) -> None:
    unit = Unit("aa01")
    slow, quick = begin(store, RUN, unit, {}), begin(store, RUN, unit, {})
    won = finish(store, RUN, quick, result(3))
    late = finish(store, RUN, slow, result(3))
    assert won.commit is not None
    assert late.commit is not None
    assert won.commit.attempt == late.commit.attempt == quick.attempt
    assert read_commit(store, RUN.folder, "aa01").files == won.commit.files


def test_files_without_a_commit_do_not_exist_for_readers(store: Store) -> None:
    unit = Unit("aa02")
    begin(store, RUN, unit, {})
    assert committed_units(store, RUN.folder) == set()
    finish(store, RUN, begin(store, RUN, unit, {}), result(1))
    assert committed_units(store, RUN.folder) == {"aa02"}


def test_an_attempt_past_its_deadline_may_not_commit(store: Store) -> None:
    run = StepRun(RUN.folder, RUN.run, deadline_s=-1)
    receipt = finish(store, run, begin(store, run, Unit("aa03"), {}), result(1))
    assert receipt.commit is None
    assert committed_units(store, RUN.folder) == set()


def test_rows_that_do_not_add_up_are_never_committed(store: Store) -> None:
    with pytest.raises(ConservationError, match="1 unaccounted for"):
        finish(store, RUN, begin(store, RUN, Unit("aa04"), {}), result(3, used=2))
    assert committed_units(store, RUN.folder) == set()


def test_rejects_commit_with_accepts(store: Store) -> None:
    rejects = (Reject("x", "too_short"), Reject("y", "too_short"), Reject("z", "copied", side="output"))
    receipt = finish(store, RUN, begin(store, RUN, Unit("aa05"), {}), result(2, rejects))
    assert receipt.commit is not None
    counts = receipt.commit.counts
    assert (counts.inputs, counts.used, counts.rejected) == (4, 2, 2)
    assert (counts.produced, counts.accepted, counts.output_rejected) == (3, 2, 1)
    assert receipt.commit.reasons == {"input": {"too_short": 2}, "output": {"copied": 1}}
    assert receipt.commit.other_files["rejects"]["rows"] == 3


def test_a_truncated_commit_is_named_and_says_what_to_do(store: Store) -> None:
    finish(store, RUN, begin(store, RUN, Unit("aa06"), {}), result(1))
    key = commit_key(RUN.folder, "aa06")
    store.put(key, store.get(key)[:-20])
    with pytest.raises(StoreError, match=r"aa06\.json.*cannot be read"):
        read_commit(store, RUN.folder, "aa06")


def test_content_hash_sees_rows_and_nothing_else() -> None:
    table = documents([document(f"d{index}", row=index) for index in range(8)])
    halves = pa.concat_tables([table.slice(0, 3), table.slice(3)])
    assert content_sha256(halves) == content_sha256(table)
    assert content_sha256(table.replace_schema_metadata({"run": "other"})) == content_sha256(table)
    assert content_sha256(table.slice(0, 7)) != content_sha256(table)
    assert content_sha256(table.slice(2, 3)) == content_sha256(documents(table.slice(2, 3).to_pylist()))
