"""What people are told while a step runs: how long it will take, and rows by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from factory.run.attempt import Receipt
from factory.run.progress import Meter, done_line
from factory.store.commits import Commit, Counts


@dataclass
class HandClock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def receipt(number: int, seconds: float) -> Receipt:
    counts = Counts(inputs=10, used=10, accepted=20, output_rejected=5)
    commit = Commit(
        unit=str(number), attempt="a", step="extract-1", run="r", parent="", picks=None, files=(), other_files={},
        counts=counts, reasons={}, input_ids_digest="", accepted_ids_digest="", ledger={"generated_tokens": 100},
    )  # fmt: skip
    return Receipt(str(number), "a", commit, {"seconds": seconds})


def working(
    units: int, at_once: int, seconds: float, start_up: float = 0.0, reused: int = 0
) -> Iterator[tuple[Meter, float]]:
    """A step whose units come `at_once` together every `seconds`; the meter and the true seconds left, after each."""
    clock = HandClock()
    meter = Meter("extract", units, reused=reused, clock=clock)
    clock.now = start_up
    to_do = units - reused
    end = start_up + -(-to_do // at_once) * seconds
    for number in range(to_do):
        clock.now = start_up + (number // at_once + 1) * seconds + 0.01 * (number % at_once)
        meter.add(receipt(number, seconds))
        yield meter, end - clock.now


@pytest.mark.parametrize(
    ("units", "at_once", "seconds", "start_up", "reused"),
    [(100, 1, 20, 0, 0), (100, 1, 1, 40, 0), (200, 8, 60, 30, 0), (1000, 64, 60, 30, 900), (20_000, 32, 2, 5, 0)],
)
def test_the_time_left_is_right_within_a_burst_whatever_start_up_reuse_and_concurrency(
    units: int, at_once: int, seconds: float, start_up: float, reused: int
) -> None:
    for number, (meter, truth) in enumerate(working(units, at_once, seconds, start_up, reused), start=1):
        if number % at_once == 0 and number >= 2:
            assert meter.seconds_left == pytest.approx(truth, abs=seconds, rel=0.25)


def test_nothing_is_guessed_before_two_units_of_this_execution_are_done() -> None:
    steps = working(50, 1, 3.0, reused=40)
    meter, _ = next(steps)
    assert meter.seconds_left is None
    assert "left" not in meter.line()
    meter, _ = next(steps)
    assert "about 24.0 s left" in meter.line()


def test_a_step_that_slows_down_is_told_by_its_last_units() -> None:
    clock = HandClock()
    meter = Meter("extract", 1000, clock=clock)
    for number in range(400):
        clock.now += 0.1 if number < 200 else 10.0
        meter.add(receipt(number, 0.1))
    assert meter.seconds_left == pytest.approx(6000, rel=0.05)


def test_a_finished_step_names_what_it_read_and_what_it_gave() -> None:
    done = {
        "step": "select", "units": 3, "units_reused": 0, "wall_seconds": 2.0, "ledger": {},
        "counts": Counts(inputs=6937, used=2703, rejected=4234, accepted=2728).to_json(),
    }  # fmt: skip
    line = done_line(done)
    assert "6,937 documents (4,234 turned away) -> 2,728 passages" in line
    assert not re.search(r"\brows\b", line)
    counts = Counts(inputs=40, used=38, rejected=1, quarantined=1, accepted=51, output_rejected=4).to_json()
    line = done_line({**done, "step": "question_1", "counts": counts})
    assert "40 passages (2 turned away) -> 51 questions (4 more refused)" in line


def test_a_running_step_names_them_too() -> None:
    meter, _ = next(working(4, 1, 1.0))
    assert "10 passages -> 20 passages with concepts (5 more refused)" in meter.line()
