"""A step of more units than are read one by one: resumed, found by another run, finished before."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from factory.cluster.config import ClusterConfig
from factory.run.outputs import outputs_key, read_outputs
from factory.run.progress import SilentProgress
from factory.run.record import done_key, read_record
from factory.run.stage import Session, UnworkedError, tally_of, work_stage
from factory.store.base import Store
from factory.store.commit_index import FOLD_AT, list_commits
from factory.store.commits import commit_key
from factory.store.local import LocalStore
from factory.store.overlay import Overlay
from tests.bench.units_root import FOLDER, RUN, STEP, dones, stage, write_plan, write_units

UNITS = FOLD_AT + 200


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    store = LocalStore(str(tmp_path_factory.mktemp("many")))
    write_plan(store, UNITS)
    write_units(store, UNITS, 0, UNITS)
    return store


def session(store: Store, *, rehearsal: bool = False) -> Session:
    record = read_record(store, RUN)
    assert record is not None
    return Session(RUN, store, SilentProgress(), record, ExitStack(), ClusterConfig(), {}, 0, rehearsal=rehearsal)


def test_a_rehearsal_reads_an_old_root_and_writes_nothing(root: LocalStore) -> None:
    before = {info.key for info in root.list("")}
    done = work_stage(session(Overlay(root), rehearsal=True), stage(), dones(UNITS))
    assert done["units"] == UNITS
    assert {info.key for info in root.list("")} == before


def test_a_step_found_committed_is_folded_and_gives_the_same_record_from_the_index(root: LocalStore) -> None:
    first = work_stage(session(root), stage(), dones(UNITS))
    assert len(list_commits(root, FOLDER).indexes) == 1
    assert first["counts"]["inputs"] == 2 * UNITS
    given = read_outputs(root, outputs_key(RUN, STEP.name))
    assert work_stage(session(root), stage(), dones(UNITS)) == first | {"spent_now": {}}
    root.delete(done_key(RUN, STEP.name))
    second = work_stage(session(root), stage(), dones(UNITS))
    apart = dict.fromkeys(("wall_seconds", "began", "ended", "ledger"), 0)
    assert second | apart == first | apart
    assert second["ledger"]["requests"] == first["ledger"]["requests"]
    assert read_outputs(root, outputs_key(RUN, STEP.name)) == given


def test_a_commit_deleted_on_purpose_is_pending_again_though_an_index_holds_it(root: LocalStore) -> None:
    work_stage(session(root), stage(), dones(UNITS))
    plan = stage().plan(root, dones(UNITS)).plan
    unit = plan.units[7].unit_id
    key = commit_key(FOLDER, unit)
    kept = root.get(key)
    root.delete(key)
    planned = stage().plan(root, dones(UNITS)).plan
    assert [each.unit_id for each in planned.pending] == [unit]
    assert unit not in tally_of(root, FOLDER, planned, folding=True).attempts
    with pytest.raises(UnworkedError):
        work_stage(session(root, rehearsal=True), stage(), dones(UNITS))
    root.put(key, kept)
    assert not stage().plan(root, dones(UNITS)).plan.pending


def test_an_index_that_is_gone_costs_nothing_but_time(root: LocalStore) -> None:
    work_stage(session(root), stage(), dones(UNITS))
    for key in list_commits(root, FOLDER).indexes:
        Path(root.root, key).unlink()
    plan = stage().plan(root, dones(UNITS)).plan
    assert len(tally_of(root, FOLDER, plan, folding=False).attempts) == UNITS
    assert not list_commits(root, FOLDER).indexes
    assert len(tally_of(root, FOLDER, plan, folding=True).attempts) == UNITS
    assert list_commits(root, FOLDER).indexes
