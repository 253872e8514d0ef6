"""Extractive questions: the answer stands in the passage word for word, and a second reading finds it."""

from __future__ import annotations

from typing import Any

import pytest

from factory.tasks.config import ExtractiveConfig
from factory.tasks.extractive import Extractive, span_in
from tests.tasks.planted import ROW, TEXT, answered, asked, drafted, problem, reasons, verdict

TASK = Extractive(ExtractiveConfig(questions=3, max_span_words=12))
GOOD: dict[str, Any] = {"question": "Where do glaciers come into being?", "evidence": "where more snow falls in winter"}


def item(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def test_the_span_is_the_passage_s_own_text_with_its_offsets() -> None:
    data = drafted(TASK, GOOD).data
    assert TEXT[data["start"] : data["end"]] == data["span"] == GOOD["evidence"]
    assert data["document_start"] == ROW["span_start"] + data["start"]
    assert data["document_end"] - data["document_start"] == len(data["span"])
    assert data["chunk_id"] == ROW["chunk_id"]


def test_white_space_and_quotation_marks_of_the_model_s_own_are_overlooked() -> None:
    text = "One line\n  ends here."
    assert span_in(text, '"line ends here"') == (4, 20)
    assert span_in(text, "line  ends") == (4, 15)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"evidence": "where much snow falls"}, "evidence_not_in_passage"),
        ({"evidence": "Where more snow falls"}, "evidence_not_in_passage"),  # another case is another text
        ({"evidence": " … "}, "empty_evidence"),
        ({"evidence": TEXT[:200]}, "span_too_long"),
        ({"question": "Do they form where more snow falls in winter, or elsewhere?"}, "answer_in_question"),
        ({"evidence": 5}, "schema_mismatch"),
        ({"question": None}, "schema_mismatch"),
    ],
)
def test_a_span_that_is_none_is_a_reject(changes: dict[str, Any], reason: str) -> None:
    assert problem(TASK, item(**changes)) == reason


def test_signs_that_mean_something_to_patterns_are_found_as_they_stand() -> None:
    assert span_in("f(x) = a*b + [c]", "a*b + [c]") == (7, 16)


@pytest.mark.parametrize(
    ("read", "verified"),
    [
        ("where more snow falls in winter", "yes"),
        ("Where more snow falls in winter.", "yes"),
        ('"more snow falls in winter"', "yes"),  # F1 over words 0.91
        ("in winter", "no"),
        ("not stated", "no"),
        ("", "no"),
    ],
)
def test_another_reading_has_to_find_the_span(read: str, verified: str) -> None:
    data = drafted(TASK, GOOD).data
    found = verdict(TASK, data, data["span"], read)
    assert (found.verified, found.by) == (verified, "round_trip")


def test_the_answer_is_the_span_and_the_final_answer_what_was_read() -> None:
    (row,) = answered(TASK, GOOD, "in winter", "in winter", GOOD["evidence"]).accepted
    assert row["answer"] == GOOD["evidence"]
    assert row["final_answer"] == "in winter"
    assert row["copied_share"] is None  # the gate on copied answers is not for answers that are to be copied
    assert row["agreement"] == pytest.approx(2 / 3)


def test_a_question_may_speak_of_the_passage_that_its_reader_sees() -> None:
    assert reasons(asked(TASK, item(question="Where, according to the passage, do they form?", level="college"))) == []
