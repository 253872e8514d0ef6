from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from factory.identity import ids_digest
from factory.run.attempt import StepRun, begin, finish
from factory.run.plan import Part, Plan, global_folder, plan_rows, row_wise_folder
from factory.run.units import Unit, UnitResult, unit_over
from factory.store.base import Store
from factory.store.commits import committed_units
from factory.store.local import LocalStore
from tests.run.rows import CopyStep, commit_documents, document, documents, file_of

FOLDER = "copy-0000000000000000"
RUN = StepRun(FOLDER, "run0")


def work(store: Store, unit: Unit) -> None:
    assert unit.file is not None
    picks = list(range(unit.file.rows) if unit.picks is None else unit.picks)
    rows = [document(f"d{index}", row=index) for index in picks]
    ids = [row["chunk_id"] for row in rows]
    result = UnitResult(len(ids), len(ids), (documents(rows),), "chunk_id", input_ids_digest=ids_digest(ids))
    finish(store, RUN, begin(store, RUN, unit, {}), result)


def covered(plan: Plan) -> list[int]:
    rows: list[int] = []
    for unit in plan.units:
        assert unit.file is not None
        rows.extend(range(unit.file.rows) if unit.picks is None else unit.picks)
    return sorted(rows)


def plan_over(store: Store, part: Part) -> Plan:
    return plan_rows(store, FOLDER, [part], committed_units(store, FOLDER))


def test_a_committed_unit_is_not_pending_again(local_store: Store) -> None:
    file = file_of(commit_documents(local_store, "u0", [[document(f"d{i}", row=i) for i in range(10)]]))
    first = plan_over(local_store, Part(file))
    assert len(first.pending) == 1
    work(local_store, first.pending[0])
    assert plan_over(local_store, Part(file)).pending == []


@settings(max_examples=30)
@given(st.lists(st.sets(st.integers(0, 11), min_size=1), min_size=1, max_size=4))
def test_growing_samples_pay_for_each_row_once(samples: list[set[int]]) -> None:
    """However runs with growing row sets follow each other, every plan covers exactly its rows, and a row
    once committed is never pending again as long as sets only grow."""
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(str(Path(folder)))
        file = file_of(commit_documents(store, "u0", [[document(f"d{i}", row=i) for i in range(12)]]))
        chosen: set[int] = set()
        paid: set[int] = set()
        for sample in samples:
            chosen |= sample
            plan = plan_over(store, Part(file, tuple(sorted(chosen))))
            assert covered(plan) == sorted(chosen)
            for unit in plan.pending:
                rows = set(range(12) if unit.picks is None else unit.picks)
                assert not rows & paid
                paid |= rows
                work(store, unit)
            assert paid == chosen


def test_picking_every_row_is_the_whole_file(local_store: Store) -> None:
    file = file_of(commit_documents(local_store, "u0", [[document("a"), document("b", row=1)]]))
    assert unit_over(file, (0, 1)) == unit_over(file)
    assert unit_over(file, (0,)).unit_id != unit_over(file).unit_id


def test_units_name_content_not_attempts(local_store: Store, tmp_path: Path) -> None:
    rows = [[document("a"), document("b", row=1)]]
    here = file_of(commit_documents(local_store, "u0", rows))
    there = file_of(commit_documents(LocalStore(str(tmp_path / "other")), "u0", rows))
    assert here.key != there.key, "attempts write under names of their own"
    assert unit_over(here).unit_id == unit_over(there).unit_id
    assert here.name == there.name


def test_global_folders_depend_on_what_they_read_and_row_wise_ones_do_not() -> None:
    step = CopyStep()
    assert global_folder(step, ["a", "b"]) == global_folder(step, ["b", "a"])  # type: ignore[arg-type]
    assert global_folder(step, ["a"]) != global_folder(step, ["a", "b"])  # type: ignore[arg-type]
    assert row_wise_folder(step, None) == row_wise_folder(step, None)  # type: ignore[arg-type]
