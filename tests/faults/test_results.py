"""Results are kept by the state of the code, and the table and the closing object say what they are of."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.faults.__main__ import exit_code
from tests.faults.case import Case
from tests.faults.catalogue import all_cases, chosen, trials
from tests.faults.code_state import CodeState, code_state
from tests.faults.document import BEGIN, DOCUMENT, END, rewrite, table
from tests.faults.results import Kept, Result, closing_object, rows_of
from tests.faults.trial import Trial


def nothing(_trial: Trial) -> None:
    """Nothing at all."""


KILLED, HUNG = Case("driver killed", nothing), Case("engine hangs", nothing, engine="vllm")
NOW, BEFORE = CodeState("aaaaaaaaaaaa", "111111111111"), CodeState("bbbbbbbbbbbb", "222222222222")


def kept_at(folder: Path, state: CodeState) -> Kept:
    """Read anew, as by a suite that starts."""
    return Kept(folder / "results.jsonl", state)


def test_a_result_is_found_again_by_the_same_code_only_unless_that_is_asked_for(tmp_path: Path) -> None:
    result = Result("driver killed", 3, redone=8, in_flight=12, moments=("extract at 2",), problems=("lost",))
    kept_at(tmp_path, NOW).put(result)
    assert kept_at(tmp_path, NOW).get(KILLED, 3) == result
    assert kept_at(tmp_path, CodeState(NOW.code, "another commit of the same code")).get(KILLED, 3) == result
    assert kept_at(tmp_path, NOW).get(KILLED, 4) is None
    assert kept_at(tmp_path, BEFORE).get(KILLED, 3) is None
    assert kept_at(tmp_path, BEFORE).get(KILLED, 3, older=True) == result
    kept_at(tmp_path, BEFORE).put(Result("driver killed", 3))
    assert kept_at(tmp_path, NOW).get(KILLED, 3, older=True) == result


def test_results_are_appended_and_the_last_of_a_trial_counts(tmp_path: Path) -> None:
    kept = kept_at(tmp_path, NOW)
    kept.put(Result("driver killed", 0, problems=("a row is lost",)))
    first = kept.path.read_text()
    kept.put(Result("driver killed", 0))
    assert kept.path.read_text().startswith(first)
    found = kept_at(tmp_path, NOW).get(KILLED, 0)
    assert found is not None
    assert found.ok
    (row,) = rows_of([KILLED], kept_at(tmp_path, NOW))
    assert (row.seeds, row.failed, row.failed_before) == (1, 0, 1)
    assert "held when they were tried again: driver killed 1." in table([row], [KILLED], NOW, "a machine")


def test_a_line_that_was_cut_short_is_no_result_and_harms_no_other(tmp_path: Path) -> None:
    kept = kept_at(tmp_path, NOW)
    kept.put(Result("driver killed", 0))
    kept.put(Result("driver killed", 1))
    kept.path.write_bytes(kept.path.read_bytes()[:-30])
    again = kept_at(tmp_path, NOW)
    assert again.get(KILLED, 0) is not None
    assert again.get(KILLED, 1) is None
    again.put(Result("driver killed", 2))
    assert kept_at(tmp_path, NOW).get(KILLED, 2) == Result("driver killed", 2)


def test_no_place_of_the_machine_is_kept(tmp_path: Path) -> None:
    kept = kept_at(tmp_path, NOW)
    kept.put(
        Result("driver killed", 0, problems=("/home/somebody/root/steps/x is torn\nat length",), folder="/home/x/y")
    )
    assert "somebody" not in kept.path.read_text()
    assert "/home" not in kept.path.read_text()
    assert "is torn" in kept.path.read_text()


def test_a_problem_that_quotes_a_run_is_kept_with_what_the_run_said_in_the_end(tmp_path: Path) -> None:
    """Six trials were kept as "exit code 8:" and the like, and nobody could say why they had failed."""
    kept = kept_at(tmp_path, NOW)
    quoted = "exit code 8:\n[select] 0/3\nRay did not start\n  cause: the machine is busy\n  what to do: try again\n"
    kept.put(Result("driver killed", 0, problems=(quoted,)))
    (said,) = json.loads(kept.path.read_text())["problems"]
    assert said == "exit code 8: Ray did not start"


def test_a_row_sums_its_seeds_and_names_the_worst(tmp_path: Path) -> None:
    kept = kept_at(tmp_path, NOW)
    for seed in range(12):
        problems = ("a row is lost",) if seed == 11 else ()
        executor = KILLED.executor(seed)
        kept.put(Result("driver killed", seed, "scripted", executor, seed // 11, redone=seed, problems=problems))
    (row,) = rows_of([KILLED], kept)
    assert (row.seeds, row.lost, row.redone, row.failed, row.failed_before) == (12, 1, 11, 1, 0)
    assert row.executors == {"processes": 6, "ray": 6}
    assert "| 12 | 6 / 6 | 1 |" in table([row], [KILLED], NOW, "a machine")


def test_trials_with_other_code_are_used_where_there_is_none_and_said(tmp_path: Path) -> None:
    for seed in (0, 1):
        kept_at(tmp_path, BEFORE).put(Result("driver killed", seed))
    kept = kept_at(tmp_path, NOW)
    kept.put(Result("engine hangs", 0, "vllm"))
    rows = rows_of([KILLED, HUNG], kept)
    assert [row.states for row in rows] == [{BEFORE: 2}, {NOW: 1}]
    kept.put(Result("driver killed", 1))
    rows = rows_of([KILLED, HUNG], kept)
    assert rows[0].states == {BEFORE: 1, NOW: 1}
    text = table(rows, [KILLED, HUNG], NOW, "a machine")
    assert f"{BEFORE.commit} × 1, {NOW.commit} × 1 |" in text
    assert f"2 at {NOW.commit}, 1 at {BEFORE.commit}; the table was written at {NOW.commit}" in text
    closing = closing_object([], NOW, {each for row in rows for each in row.states})
    assert (closing["mixed"], closing["other_states"]) == (True, [BEFORE.commit])
    kept.put(Result("driver killed", 0))
    rows = rows_of([KILLED, HUNG], kept)
    assert [set(row.states) for row in rows] == [{NOW}, {NOW}]
    assert "several states" not in table(rows, [KILLED, HUNG], NOW, "a machine")


def test_the_closing_object_sums_and_names_failures() -> None:
    results = [
        Result("driver killed", 0, redone=4, in_flight=8),
        Result("driver killed", 1, lost=2, doubled=1, repaid=3, redone=7, problems=("p",), folder="there"),
        Result("engine hangs", 0, "vllm"),
    ]
    said = closing_object(results, CodeState("c", "d", dirty=True))
    figures = [said[name] for name in ("cases", "seeds", "trials", "lost", "doubled", "repaid", "redone")]
    assert figures == [2, 2, 3, 2, 1, 3, 11]
    assert (said["redone_at_most"], said["in_flight_at_most"], said["dirty"], said["mixed"]) == (7, 8, True, False)
    assert said["failures"] == [{"case": "driver killed", "seed": 1, "folder": "there", "problems": ["p"]}]


def test_the_table_says_what_failed_and_what_was_never_tried(tmp_path: Path) -> None:
    kept = kept_at(tmp_path, CodeState("c", "d", dirty=True))
    kept.put(Result("driver killed", 0, lost=1, redone=4, in_flight=8, problems=("a row is lost",)))
    text = table(rows_of([KILLED, HUNG], kept), [KILLED, HUNG], kept.state, "a machine")
    assert "| driver killed **1 FAILED** | Nothing at all | 1 | 1 / 0 | 1 | 0 | 0 | 4 / 8 | 0 |" in text
    assert "Not tried yet: engine hangs." in text
    assert "Cannot be tried on this machine: engine hangs (no engine)." in table(
        [], [HUNG], kept.state, "a machine", {HUNG.name: "no engine"}
    )
    assert "changed and not committed" in text


def test_a_suite_without_a_trial_proves_nothing() -> None:
    assert exit_code([], table_only=False) == 2
    assert exit_code([], table_only=True) == 0
    assert exit_code([Result("driver killed", 0)], table_only=False) == 0
    assert exit_code([Result("driver killed", 0, problems=("p",))], table_only=False) == 1


def test_only_what_is_between_the_markers_is_rewritten() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter"
    assert rewrite(text, "new \\1") == f"before\n{BEGIN}\nnew \\1\n{END}\nafter"
    with pytest.raises(ValueError, match="no markers"):
        rewrite("nothing", "new")
    assert rewrite(DOCUMENT.read_text(), "x")


def test_cases_have_names_of_their_own_and_the_quick_ones_share_one_reference() -> None:
    cases = all_cases()
    quick = [case for case in cases if case.quick]
    assert len(cases) > len(quick) > 0
    assert len({(case.engine, case.store, case.overrides, case.documents, case.corpus) for case in quick}) == 1


def test_every_case_has_its_turn_before_any_has_its_second() -> None:
    assert list(trials([KILLED, HUNG], 3, 1)) == [(KILLED, 0), (HUNG, 0), (KILLED, 1), (KILLED, 2)]
    assert chosen([KILLED, HUNG], ["driver"], None, False) == [KILLED]
    again = Case("driver killed again", nothing)
    assert chosen([KILLED, again], ["driver killed"], None, False) == [KILLED]
    assert chosen([KILLED, again], ["killed"], None, False) == [KILLED, again]
    assert chosen([KILLED, HUNG], [], "vllm", False) == [HUNG]
    assert chosen([KILLED, HUNG], [], None, True) == []


def test_executors_take_turns_and_ray_keeps_what_is_its_own() -> None:
    assert [KILLED.executor(seed) for seed in range(4)] == ["processes", "ray", "processes", "ray"]
    raylet = next(case for case in all_cases() if case.name == "Ray node process killed")
    assert {raylet.executor(seed) for seed in range(4)} == {"ray"}


def test_the_state_of_the_code_follows_what_counts_and_not_the_docs(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    files = ("factory/a.py", "docs/b.md", "docs/reliability.jsonl", "tests/faults/test_c.py", "tests/other/d.py")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    without_git = code_state(tmp_path)
    assert (without_git.commit, without_git.name) == ("", f"+{without_git.code[:6]}")
    git("init")
    git("add", "-A")
    git("commit", "-m", "first")
    first = code_state(tmp_path)
    assert not first.dirty
    assert first.code == without_git.code
    for name in files[1:]:
        (tmp_path / name).write_text("two")
    assert code_state(tmp_path) == first
    git("commit", "-am", "docs and other tests")
    assert code_state(tmp_path).code == first.code
    (tmp_path / "factory/a.py").write_text("two")
    changed = code_state(tmp_path)
    assert (changed.commit, changed.dirty) == (first.commit, True)
    (tmp_path / "factory/c.py").write_text("new")
    added = code_state(tmp_path)
    assert len({first.code, changed.code, added.code}) == 3
    git("add", "-A")
    git("commit", "-m", "second")
    committed = code_state(tmp_path)
    assert (committed.code, committed.dirty) == (added.code, False)
    assert committed.commit != first.commit
