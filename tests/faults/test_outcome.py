"""The suite finds what it is there to find: planted losses, doublings, re-payments, changed commits, lost counts."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
import pytest

from tests.faults.observed import Attempt, Observed
from tests.faults.outcome import (
    changed_commits,
    differing_prompts,
    differing_rows,
    lost_and_doubled,
    lost_attempts,
    repaid_attempts,
    requests_of,
    unconserved,
    unrecorded_losses,
)

FOLDER = "extract-0123456789abcdef"


def tables(*names: str, answer: str = "42") -> dict[str, pa.Table]:
    rows = [{"sample_id": name, "answer": answer} for name in names]
    return {"train": pa.Table.from_pylist(rows, pa.schema([("sample_id", pa.string()), ("answer", pa.string())]))}


def commit(attempt: str, requests: int = 4) -> bytes:
    return json.dumps({"attempt": attempt, "ledger": {"requests": requests}}).encode()


def attempt(unit: str, name: str, begun: float, requests: int = 4) -> Attempt:
    return Attempt("extract", FOLDER, unit, name, requests, begun)


def root(commits: dict[str, tuple[bytes, float]], attempts: Sequence[Attempt]) -> Observed:
    return Observed(
        {(FOLDER, unit): body for unit, (body, _) in commits.items()},
        {(FOLDER, unit): at for unit, (_, at) in commits.items()},
        tuple(attempts),
    )


def test_equal_datasets_have_lost_and_doubled_nothing() -> None:
    assert lost_and_doubled(tables("a", "b"), tables("a", "b")) == (set(), {})
    assert differing_rows(tables("a", "b"), tables("a", "b")) == []


def test_a_missing_row_is_lost() -> None:
    lost, doubled = lost_and_doubled(tables("a", "b", "c"), tables("a", "c"))
    assert (lost, sum(doubled.values())) == ({"b"}, 0)
    assert differing_rows(tables("a", "b", "c"), tables("a", "c"))


def test_a_row_that_is_there_twice_is_doubled_once() -> None:
    lost, doubled = lost_and_doubled(tables("a", "b"), tables("a", "b", "b"))
    assert (lost, dict(doubled)) == (set(), {"b": 1})


def test_a_row_in_two_splits_is_doubled() -> None:
    _, doubled = lost_and_doubled(tables("a"), {**tables("a"), "test": tables("a")["train"]})
    assert dict(doubled) == {"a": 1}


def test_a_row_that_the_reference_does_not_have_is_one_too_many() -> None:
    _, doubled = lost_and_doubled(tables("a"), tables("a", "stranger"))
    assert dict(doubled) == {"stranger": 1}


def test_a_row_with_another_text_is_named_with_its_column() -> None:
    assert differing_rows(tables("a"), tables("a", answer="43")) == ["train: row a differs in answer"]


def test_rows_in_another_order_differ() -> None:
    assert differing_rows(tables("a", "b"), tables("b", "a"))


def test_another_set_of_splits_is_named() -> None:
    assert differing_rows(tables("a"), {**tables("a"), "test": tables("a")["train"]})


def test_a_row_that_the_fault_may_take_is_not_lost_and_every_other_is() -> None:
    def may_lose(row: object) -> bool:
        return row["sample_id"] == "b"  # type: ignore[index]

    assert lost_and_doubled(tables("a", "b"), tables("a"), may_lose)[0] == set()
    assert differing_rows(tables("a", "b"), tables("a"), may_lose) == []
    assert lost_and_doubled(tables("a", "b"), tables("b"), may_lose)[0] == {"a"}
    assert differing_rows(tables("a", "b"), tables("b"), may_lose)


def test_an_attempt_is_lost_when_another_one_holds_the_unit_or_none_does() -> None:
    after = root(
        {"u": (commit("winner"), 5)}, [attempt("u", "winner", 1), attempt("u", "other", 2), attempt("v", "x", 3)]
    )
    assert [each.attempt for each in lost_attempts(after, set())] == ["other", "x"]
    assert lost_attempts(after, {(FOLDER, "u"), (FOLDER, "v")}) == []


def test_work_that_was_under_way_at_the_commit_is_not_repaid() -> None:
    after = root({"u": (commit("winner"), 5)}, [attempt("u", "winner", 1), attempt("u", "other", 4.9)])
    assert repaid_attempts([], after, set()) == []


def test_an_attempt_begun_after_the_commit_is_repaid() -> None:
    after = root({"u": (commit("winner"), 5)}, [attempt("u", "winner", 1), attempt("u", "late", 5.1)])
    assert [each.attempt for each in repaid_attempts([], after, set())] == ["late"]


def test_on_a_store_that_counts_whole_seconds_two_looks_find_what_was_repaid() -> None:
    winner, late = attempt("u", "winner", 5), attempt("u", "late", 5)
    seen = root({"u": (commit("winner"), 5)}, [winner])
    after = root({"u": (commit("winner"), 5)}, [winner, late])
    assert repaid_attempts([], after, set()) == []
    assert [each.attempt for each in repaid_attempts([seen], after, set())] == ["late"]


def test_a_commit_taken_over_by_a_later_attempt_is_repaid_and_changed() -> None:
    first, second = attempt("u", "first", 1), attempt("u", "second", 7)
    seen = root({"u": (commit("first"), 5)}, [first])
    after = root({"u": (commit("second"), 9)}, [first, second])
    assert changed_commits([seen], after, set())
    assert changed_commits([seen], after, {(FOLDER, "u")}) == []


def test_a_commit_that_is_gone_or_has_other_bytes_is_named() -> None:
    seen = root({"u": (commit("a"), 5), "v": (commit("b"), 5), "w": (commit("c"), 5)}, [])
    after = root({"u": (commit("a"), 5), "v": (commit("b", requests=5), 5)}, [])
    (said,) = changed_commits([seen], after, set())
    assert said.startswith("2 committed units")
    assert f"{FOLDER}/v" in said
    assert f"{FOLDER}/w" in said


def test_requests_of_a_lost_attempt_are_what_it_planned_or_what_rounds_made_of_it() -> None:
    after = root({"u": (commit("winner", requests=7), 5)}, [])
    assert requests_of([attempt("u", "lost", 1, requests=4)], after) == 7
    assert requests_of([attempt("u", "lost", 1, requests=9)], after) == 9
    assert requests_of([attempt("never", "lost", 1, requests=4)], after) == 4


def test_a_torn_commit_has_no_winner() -> None:
    assert root({"u": (b'{"attempt": "a', 5)}, []).winner((FOLDER, "u")) is None


def test_in_flight_is_what_began_and_is_not_committed() -> None:
    seen = root({"u": (commit("a"), 5)}, [attempt("u", "a", 1), attempt("v", "b", 2)])
    assert [each.unit for each in seen.in_flight()] == ["v"]


def done(step: str, reads: Sequence[str] = (), lost: int = 0, **counts: int) -> dict[str, object]:
    names = ("inputs", "used", "rejected", "quarantined", "accepted", "output_rejected", "produced")
    body = {name: counts.get(name, 0) for name in names}
    return {"step": step, "folder": f"{step}-f", "reads": list(reads), "counts": body, "lost": {"attempts": lost}}


def test_steps_that_add_up_are_conserved() -> None:
    select = done("select", inputs=3, used=2, rejected=1, accepted=2, produced=2)
    extract = done("extract", ["select"], inputs=2, used=1, quarantined=1, accepted=1, produced=1)
    assert unconserved([select, extract]) == []


@pytest.mark.parametrize(
    "counts",
    [{"inputs": 3, "used": 2}, {"accepted": 1}, {"inputs": 1, "used": 1, "produced": 1}],
)
def test_rows_that_nobody_accounts_for_are_found(counts: dict[str, int]) -> None:
    assert unconserved([done("select", **counts)])


def test_a_step_that_did_not_read_all_that_was_accepted_is_found() -> None:
    select = done("select", inputs=3, used=3, accepted=3, produced=3)
    assert unconserved([select, done("extract", ["select"], inputs=2, used=2, accepted=2, produced=2)])


def test_lost_attempts_that_the_ledger_does_not_know_are_found() -> None:
    lost = [Attempt("extract", "extract-f", "u", "a", 4, 1.0)]
    assert unrecorded_losses([done("extract", lost=1)], lost) == []
    assert unrecorded_losses([done("extract", lost=0)], lost)
    assert unrecorded_losses([done("extract", lost=1)], [])


def test_other_prompts_and_missing_units_are_found_where_prompts_hold_no_text_of_a_model() -> None:
    calm = {(FOLDER, "u"): {"r": "hash"}, ("question_2-f", "v"): {"s": "hash"}}
    assert differing_prompts(calm, calm, ["extract"]) == []
    assert differing_prompts(calm, {(FOLDER, "u"): {"r": "hash"}}, ["extract"]) == []
    assert differing_prompts(calm, {(FOLDER, "u"): {"r": "other"}}, ["extract"])
    assert differing_prompts(calm, {("question_2-f", "v"): {"s": "hash"}}, ["extract"])
