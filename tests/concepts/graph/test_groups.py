"""Which extract files a unit counts: every one once, whatever was counted before, and nothing counted twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as st

from factory.concepts.graph.groups import GROUP_FILES, GROUP_PASSAGES, files_of, holding, pairs_units
from factory.run.units import FileRef, Unit
from factory.store.commits import Commit, Counts


def extract_file(number: int, rows: int = 256) -> FileRef:
    return FileRef(f"extract-0/{number:032x}/0", f"key-{number}", "", f"content-{number}", rows)


def committed(unit: Unit) -> Commit:
    files = files_of(unit)
    rows = sum(file.rows for file in files)
    return Commit(
        unit=unit.unit_id,
        attempt="a",
        step="graph_pairs-0",
        run="run",
        parent="",
        picks=None,
        files=(),
        other_files={},
        counts=Counts(rows, rows, accepted=rows),
        reasons={},
        input_ids_digest="",
        accepted_ids_digest="",
        ledger={},
        facts={"files": [list(holding(file)) for file in files]},
    )


def ids(units: Sequence[Unit]) -> list[str]:
    return [unit.unit_id for unit in units]


def names(units: Sequence[Unit]) -> list[list[str]]:
    return [[file.name for file in files_of(unit)] for unit in units]


corpora = st.lists(st.integers(0, 9), max_size=24).map(
    lambda rows: [extract_file(number, count) for number, count in enumerate(rows)]
)


def test_default_extract_files_are_counted_eight_at_a_time() -> None:
    files = [extract_file(number) for number in range(20)]
    assert [len(group) for group in names(pairs_units(files))] == [8, 8, 4]
    assert list(chain.from_iterable(names(pairs_units(files)))) == [file.name for file in files]
    assert GROUP_PASSAGES == 8 * 256


def test_large_files_are_units_of_their_own_and_a_commit_lists_few_small_ones() -> None:
    files = [extract_file(number, 5000 if number < 3 else 1) for number in range(100)]
    assert [len(group) for group in names(pairs_units(files))] == [1, 1, 1, GROUP_FILES, 97 - GROUP_FILES]


@settings(deadline=None)
@given(corpora, st.data())
def test_every_row_is_counted_once_whatever_other_runs_left(files: list[FileRef], data: st.DataObject) -> None:
    commits: dict[str, Commit] = {}
    for _ in range(data.draw(st.integers(0, 4))):
        chosen = data.draw(st.lists(st.sampled_from(files), unique=True)) if files else []
        for unit in pairs_units(chosen, commits.values(), passages=12):
            if data.draw(st.booleans()):
                commits[unit.unit_id] = committed(unit)
    units = pairs_units(files, commits.values(), data.draw(st.permutations(list(commits))), 12)
    held = list(chain.from_iterable(names(units)))
    assert sorted(held) == sorted(file.name for file in files if file.rows)
    places = {file.name: place for place, file in enumerate(files)}
    firsts = [min(places[name] for name in group) for group in names(units)]
    assert firsts == sorted(firsts)
    assert len(set(ids(units))) == len(units)


@settings(deadline=None)
@given(corpora, st.integers(0, 24), st.integers(0, 24), st.integers(0, 2**32))
def test_a_killed_run_has_the_units_it_began_with(files: list[FileRef], earlier: int, done: int, seed: int) -> None:
    before = [committed(unit) for unit in pairs_units(files[earlier : earlier + 5], passages=12)]
    planned = pairs_units(files, before, passages=12)
    left = random.Random(seed).sample(planned, min(done, len(planned)))
    commits = {commit.unit: commit for commit in [*before, *map(committed, left)]}
    assert pairs_units(files, commits.values(), ids(planned), 12) == planned
    assert pairs_units(files, commits.values(), (), 12) == planned


@settings(deadline=None)
@given(corpora, corpora, st.integers(0, 24))
def test_a_corpus_that_grows_anywhere_keeps_what_is_counted(
    files: list[FileRef], more: list[FileRef], place: int
) -> None:
    before = pairs_units(files, passages=12)
    new = [extract_file(1000 + number, file.rows) for number, file in enumerate(more)]
    after = pairs_units(files[:place] + new + files[place:], map(committed, before), ids(before), 12)
    assert set(ids(before)) <= set(ids(after))
    # What is new is grouped as it would be alone: nothing old is counted with it.
    assert set(ids(after)) - set(ids(before)) == set(ids(pairs_units(new, passages=12)))


def test_other_runs_do_not_change_the_units_of_a_finished_one() -> None:
    files = [extract_file(number, 4) for number in range(16)]
    first = pairs_units(files[:3], passages=12)
    ours = pairs_units(files, map(committed, first), passages=12)
    # A run over other files of the same root, with a larger group across two of ours.
    other = pairs_units(files[1:12], passages=40)
    commits = [committed(unit) for unit in [*first, *ours, *other]]
    assert ids(pairs_units(files, commits, (), 12)) != ids(ours)
    assert pairs_units(files, commits, ids(ours), 12) == ours


def test_a_file_with_other_rows_is_another_file() -> None:
    files = [extract_file(number) for number in range(3)]
    before = [committed(unit) for unit in pairs_units(files)]
    changed = FileRef(files[1].name, "key", "", "other content", 256)
    assert set(ids(pairs_units([files[0], changed, files[2]], before))).isdisjoint(commit.unit for commit in before)
