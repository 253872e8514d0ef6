"""Written documents: what a model wrote is taken as it is, or turned away with a reason; nothing raises."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.corpus.documents import document_id, normalise
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.domains.syllabus import load_syllabus
from factory.engine.api import Completion
from factory.run.reject import Reject
from factory.run.step import Parsed, Row
from factory.select.training.assignments import AssignStep
from factory.select.training.config import WriteConfig
from factory.select.training.write_documents import WriteStep, document_of
from tests.select.training.texts import maths_text

DOMAIN = DomainConfig(name="maths")
STEP = WriteStep(WriteConfig(min_characters=200), load_pack(DOMAIN), seed=5)
ROW: Row = AssignStep(load_syllabus(DOMAIN), "maths", 5)._row(0)


def parse(text: str, finish: str = "stop") -> Parsed:
    return STEP.parse(ROW, {}, [Completion("r1", (text,), (finish,), 10, (5,))], "f")


def reject(parsed: Parsed) -> Reject:
    assert parsed.accepted == []
    (only,) = parsed.rejects
    assert only.item_id == ROW["assignment_id"]
    return only


def test_a_document_becomes_a_row_named_by_its_text() -> None:
    text = maths_text(1)
    [row] = parse(f"  {text}\n\n").accepted
    assert pa.Table.from_pylist([row], schema=STEP.schema).num_rows == 1
    assert set(row) == set(STEP.schema.names)
    assert row["text"] == normalise(text)
    assert row["doc_id"] == document_id(row["text"])
    assert (row["topic"], row["level"], row["genre"]) == (ROW["topic"], ROW["level"], ROW["genre"])


def test_the_prompt_says_topic_scope_terms_genre_and_level() -> None:
    said = "\n".join(message.content for message in STEP.prompt(ROW, {}, "f"))
    for part in (ROW["topic"], ROW["scope"], ROW["genre"], ROW["instructions"], ROW["level"].replace("_", " ")):
        assert part in said
    assert all(term in said for term in ROW["terms"])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("I'm sorry, but I cannot write this. " + maths_text(1), "refusal"),
        ("As an AI language model, I write. " + maths_text(1), "refusal"),
        ("Short.", "too_short"),
        ("", "too_short"),
        ("The sum of two even numbers is even. " * 40, "repetitive"),
    ],
)
def test_what_teaches_nothing_is_turned_away_with_its_reason(said: str, reason: str) -> None:
    found = reject(parse(said))
    assert found.reason == reason
    assert found.text == said


def test_i_cannot_further_down_is_somebody_speaking() -> None:
    assert parse(maths_text(1) + " «I cannot see it», said the pupil.").accepted


@pytest.mark.parametrize(
    "preamble",
    ["Sure! Here is a blog post about fractions:\n\n", "Certainly, I can do that.\n", "Here's the worksheet:\n\n"],
)
def test_what_a_model_says_before_it_begins_is_taken_off(preamble: str) -> None:
    assert document_of(preamble + maths_text(2), "stop") == maths_text(2)


def test_a_document_that_begins_like_a_preamble_stays() -> None:
    text = "Here is the point where most pupils stop. " + maths_text(2)
    assert document_of(text, "stop") == text


def test_a_text_that_ran_out_of_tokens_ends_after_its_last_whole_sentence() -> None:
    assert document_of("One is odd. Two is even. Three i", "length") == "One is odd. Two is even."
    assert document_of("pi is 3.14159 and e is 2.7", "length") == ""
    assert document_of("One is odd. Two is even. Three i", "stop").endswith("Three i")


def test_a_changed_prompt_or_bound_is_another_step() -> None:
    other = WriteStep(WriteConfig(min_characters=201), STEP.pack, seed=5)
    assert other.identity() != STEP.identity()
    biomedical = WriteStep(STEP.config, load_pack(DomainConfig(name="biomedical")), seed=5)
    assert biomedical.identity() != STEP.identity()
    assert pickle.loads(pickle.dumps(STEP)) == STEP


@given(st.text(), st.sampled_from(["stop", "length", ""]))
def test_whatever_a_model_writes_is_one_row_or_one_reject(text: str, finish: str) -> None:
    parsed = parse(text, finish)
    assert len(parsed.accepted) + len(parsed.rejects) == 1
