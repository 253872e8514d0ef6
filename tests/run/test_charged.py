"""What a unit's requests took, and whose it was: parts that a commit names add up to no more than its ledger."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.cost.amounts import BUSY, GPU_SECONDS, IDLE, PARTS, of_ledger, parts_in
from factory.engine.api import Completion, EngineShare
from factory.run.charged import SUBJECTS, split_of, taken_by
from factory.run.ledger import GROUPS, TAIL_UNITS, Tally, tail_of
from factory.store.commits import Commit, Counts


def completion(tokens: int, busy: float) -> Completion:
    share = EngineShare(busy, 0.5, gpus=2, gpu_kind="H100")
    return Completion("r", ("x",), ("stop",), 10 * tokens, (tokens,), tokens, 0.1, share=share)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40), st.integers(0, 99), st.floats(0, 9)), max_size=60))
def test_levels_add_up_to_the_ledger_and_subjects_to_no_more(rows: list[tuple[int, int, int, float]]) -> None:
    asked = [{"level": level, "subject": f"s{subject}" if subject else ""} for level, subject, _, _ in rows]
    answers = {index: [completion(tokens, busy)] for index, (_, _, tokens, busy) in enumerate(rows)}
    split = split_of(asked, answers, {})
    whole = taken_by(each for rounds in answers.values() for each in rounds)
    sums = lambda groups: [sum(part[place] for part in groups.values()) for place in range(len(PARTS))]  # noqa: E731
    expected = [whole.get(name, 0.0) for name in PARTS]
    if rows:
        assert sums(split["level"]) == pytest.approx(expected, abs=1e-4)
        assert whole[GPU_SECONDS + "H100"] == pytest.approx(2 * (whole[BUSY] + whole[IDLE]))
    subjects = split.get("subject", {})
    assert len(subjects) <= SUBJECTS
    assert all(part <= all_ + 1e-4 for part, all_ in zip(sums(subjects), expected, strict=True))
    assert parts_in(split) == split


def test_a_subject_that_only_the_accepted_rows_name_is_charged() -> None:
    split = split_of([{}, {}], {0: [completion(5, 1.0)], 1: [completion(7, 2.0)]}, {1: "algebra"})
    assert split == {"subject": {"algebra": [1, 70, 7, 7, 2.0]}}


def test_an_engine_without_a_meter_leaves_no_engine_time() -> None:
    taken = taken_by([Completion("r", ("x",), ("stop",), 10, (3,))])
    assert set(taken) == {"requests", "prompt_tokens", "cached_tokens", "generated_tokens"}


def commit(number: int, run: str, subjects: Sequence[str]) -> Commit:
    split = {"level": {"1": [1, 10, 0, 5, 0.5]}, "subject": {name: [1, 10, 0, 5, 0.5] for name in subjects}}
    ledger = {"requests": 2.0, "prompt_tokens": 20.0, "generated_tokens": 10.0, BUSY: 1.0}
    return Commit(
        f"u{number}", "a", "step-1", run, "", None, (), {}, Counts(1, 1, 0, 0, 1, 0), {}, "", "", ledger,
        facts={"split": split},
    )  # fmt: skip


def test_a_steps_record_says_who_paid_and_stays_small_whatever_subjects_are_called() -> None:
    tally = Tally()
    for number in range(500):
        tally.add(commit(number, "mine" if number % 5 else "theirs", ["algebra", f"of its own {number}"]))
    assert tally.paid["theirs"]["requests"] == 200
    assert tally.paid["mine"]["units"] == 400
    assert sum(paid["requests"] for paid in tally.paid.values()) == tally.ledger["requests"] == 1000
    assert tally.split["level"]["1"] == [500, 5000, 0, 2500, 250.0]
    assert tally.split["subject"]["algebra"][0] == 500
    assert len(tally.split["subject"]) <= 2 * GROUPS
    assert of_ledger(tally.paid["mine"]).requests == 800


@pytest.mark.parametrize("split", [None, 3, "x", {"level": 3}, {"level": {"1": "x"}}, {"level": {"1": [1, 2]}}])
def test_a_split_that_nobody_wrote_so_is_passed_over(split: object) -> None:
    assert parts_in(split) in ({}, {"level": {}})


def test_the_tail_begins_when_all_but_a_twentieth_is_done() -> None:
    ended = [float(second) for second in range(1, 101)]
    assert tail_of(ended, 0.0) == {"units": 100, "seconds": 5.0, "of_seconds": 100.0}
    slow_last = [*ended[:-1], 199.0]
    assert tail_of(slow_last, 0.0)["seconds"] == 104.0
    assert tail_of(ended[: TAIL_UNITS - 1], 0.0) == {"units": TAIL_UNITS - 1}
