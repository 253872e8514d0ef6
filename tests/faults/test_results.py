"""Results are kept by the state of the code, and the table and the closing object say what they are of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.faults.__main__ import all_cases, chosen, exit_code, trials
from tests.faults.case import Case
from tests.faults.code_state import CodeState, code_state
from tests.faults.document import BEGIN, DOCUMENT, END, rewrite, table
from tests.faults.results import Kept, Result, closing_object, rows_of
from tests.faults.trial import Trial


def nothing(_trial: Trial) -> None:
    """Nothing at all."""


KILLED, HUNG = Case("driver killed", nothing), Case("engine hangs", nothing, engine="vllm")
NOW, BEFORE = CodeState("aaaaaaaaaaaa"), CodeState("bbbbbbbbbbbb")


def test_a_result_is_found_again_by_the_same_code_only(tmp_path: Path) -> None:
    result = Result("driver killed", 3, redone=8, in_flight=12, moments=("extract at 2",), problems=("lost",))
    Kept(tmp_path, NOW).put(KILLED, result)
    assert Kept(tmp_path, NOW).get(KILLED, 3) == result
    assert Kept(tmp_path, NOW).get(KILLED, 4) is None
    assert Kept(tmp_path, BEFORE).get(KILLED, 3) is None
    assert Kept(tmp_path, CodeState(NOW.commit, "12345678")).get(KILLED, 3) is None


def test_a_torn_result_is_tried_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path, NOW)
    kept.put(KILLED, Result("driver killed", 0))
    path = kept.path(KILLED, 0)
    path.write_text(path.read_text()[:20])
    assert kept.get(KILLED, 0) is None
    assert rows_of([KILLED], kept) == []


def test_a_row_sums_its_seeds_and_names_the_worst(tmp_path: Path) -> None:
    kept = Kept(tmp_path, NOW)
    for seed in range(12):
        problems = ("a row is lost",) if seed == 11 else ()
        kept.put(KILLED, Result("driver killed", seed, lost=seed // 11, redone=seed, in_flight=16, problems=problems))
    (row,) = rows_of([KILLED], kept)
    assert (row.seeds, row.lost, row.redone, row.in_flight, row.failed) == (12, 1, 11, 16, 1)


def test_rows_of_another_state_are_used_where_there_is_none_and_said(tmp_path: Path) -> None:
    Kept(tmp_path, BEFORE).put(KILLED, Result("driver killed", 0))
    kept = Kept(tmp_path, NOW)
    kept.put(HUNG, Result("engine hangs", 0, "vllm"))
    rows = rows_of([KILLED, HUNG], kept)
    assert [row.key for row in rows] == [BEFORE.key, NOW.key]
    text = table(rows, [KILLED, HUNG], NOW, "a machine")
    assert f"several states of the code: {NOW.key}, {BEFORE.key}" in text
    assert closing_object([], NOW, [row.key for row in rows])["mixed"]
    kept.put(KILLED, Result("driver killed", 1))
    assert {row.key for row in rows_of([KILLED, HUNG], kept)} == {NOW.key}


def test_the_closing_object_sums_and_names_failures() -> None:
    results = [
        Result("driver killed", 0, redone=4, in_flight=8),
        Result("driver killed", 1, lost=2, doubled=1, repaid=3, redone=7, problems=("p",), folder="there"),
        Result("engine hangs", 0, "vllm"),
    ]
    said = closing_object(results, CodeState("c", "d"))
    figures = [said[name] for name in ("cases", "seeds", "trials", "lost", "doubled", "repaid", "redone")]
    assert figures == [2, 2, 3, 2, 1, 3, 11]
    assert (said["redone_at_most"], said["in_flight_at_most"], said["dirty"], said["mixed"]) == (7, 8, True, False)
    assert said["failures"] == [{"case": "driver killed", "seed": 1, "folder": "there", "problems": ["p"]}]


def test_the_table_says_what_failed_and_what_was_never_tried(tmp_path: Path) -> None:
    kept = Kept(tmp_path, CodeState("c", "d"))
    kept.put(KILLED, Result("driver killed", 0, lost=1, redone=4, in_flight=8, problems=("a row is lost",)))
    text = table(rows_of([KILLED, HUNG], kept), [KILLED, HUNG], kept.state, "a machine")
    assert "| driver killed **1 FAILED** | Nothing at all | 1 | 1 | 0 | 0 | 4 / 8 | 0 |" in text
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


def test_the_state_of_the_code_follows_what_counts_and_not_the_docs(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    for name in ("factory/a.py", "docs/b.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("one")
    assert code_state(tmp_path).commit.startswith("files-")
    git("init")
    git("add", "-A")
    git("commit", "-m", "first")
    first = code_state(tmp_path)
    assert not first.dirty
    (tmp_path / "docs/b.md").write_text("two")
    git("commit", "-am", "docs")
    assert code_state(tmp_path) == first
    (tmp_path / "factory/a.py").write_text("two")
    changed = code_state(tmp_path)
    assert (changed.commit, changed.dirty) == (first.commit, True)
    (tmp_path / "factory/c.py").write_text("new")
    assert code_state(tmp_path).key not in (first.key, changed.key)
    git("add", "-A")
    git("commit", "-m", "second")
    assert not code_state(tmp_path).dirty
    assert code_state(tmp_path).commit != first.commit
