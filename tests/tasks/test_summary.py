"""Summaries: within the length, in own words, from the passage."""

from __future__ import annotations

from typing import Any

import pytest

from factory.tasks.config import SummaryConfig
from factory.tasks.summary import Summary
from factory.tasks.task import Problem
from tests.tasks.planted import TEXT, about, answered, drafted, problem, verdict

TASK = Summary(SummaryConfig(questions=2, min_words=10, max_words=30, max_copied_words=10, min_grounded=0.5))
GOOD: dict[str, Any] = {"request": "Summarise what glaciers are and how they come into being."}
DATA = {"min_words": 8, "max_words": 20}
INVENTED = "Elephants gather beside warm lakes every spring, singing loudly about distant tropical mountains."
FITS = "Glaciers are moving bodies of ice; they form where winter snow outweighs what melts in summer."


def test_the_length_is_drawn_and_said_in_the_pack_s_words() -> None:
    found = drafted(TASK, GOOD)
    assert found.asks == GOOD["request"]
    assert found.text.startswith(GOOD["request"])
    assert str(found.data["max_words"]) in found.text
    assert found.data["max_words"] in (10, 20, 30)
    assert found.data["min_words"] == found.data["max_words"] // 2


def test_lengths_vary_over_questions() -> None:
    assert len({drafted(TASK, GOOD, index).data["max_words"] for index in range(12)}) == 3


def test_a_passage_without_room_for_a_summary_is_a_reject() -> None:
    found = TASK.draft(GOOD, about(TASK, text="Ice moves. It melts in summer."))
    assert isinstance(found, Problem)
    assert found.reason == "passage_too_short"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [("Summarise it in 3 sentences.", "length_in_request"), (7, "schema_mismatch")],
)
def test_a_request_with_a_length_of_its_own_is_a_reject(request_: Any, reason: str) -> None:
    assert problem(TASK, {"request": request_}) == reason


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        (FITS, []),
        ("Glaciers move.", ["length"]),
        (f"{FITS} Snow, ice and weight make a glacier.", ["length"]),
        (TEXT[:75], ["copied"]),
        (INVENTED, ["ungrounded"]),
    ],
)
def test_length_copying_and_ground_are_checked(text: str, failed: list[str]) -> None:
    found = verdict(TASK, DATA, text)
    assert found.evidence["failed"] == failed
    assert (found.verified, found.by) == ("no" if failed else "yes", "summary")


def test_the_first_sample_that_passes_is_the_answer() -> None:
    data = drafted(TASK, GOOD).data
    fits = FITS if data["max_words"] >= 16 else "Glaciers are moving bodies of ice, formed from winter snow."
    (row,) = answered(TASK, GOOD, TEXT, fits, fits).accepted
    assert row["answer"] == fits
    assert row["agreement"] == pytest.approx(2 / 3)
    assert row["final_answer"] is None
    assert row["copied_share"] == 0
