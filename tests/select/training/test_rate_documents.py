"""Ratings by a model: four checked numbers and a reason, averaged over samples; everything else has its reason."""

from __future__ import annotations

import json
import pickle
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.engine.api import Completion
from factory.engine.config import SamplingConfig
from factory.run.reject import Reject
from factory.run.step import Parsed
from factory.select.training.config import RateConfig
from factory.select.training.rate_documents import CUT, RateStep, excerpt_for_rater, read_rating

ROW: dict[str, Any] = {"doc_id": "d" * 32, "text": "A group is a set with an operation."}
PACK = load_pack(DomainConfig(name="maths"))
STEP = RateStep(RateConfig(), PACK, seed=5)


def rating(overall: Any = 7, **changes: Any) -> dict[str, Any]:
    return {"relevance": 8, "clarity": 7, "language": 9, "overall": overall, "reason": "Clear.", **changes}


def parse(*replies: Any, finish: str = "stop") -> Parsed:
    texts = tuple(reply if isinstance(reply, str) else json.dumps(reply) for reply in replies)
    return STEP.parse(ROW, {}, [Completion("r1", texts, (finish,) * len(texts), 10, (5,) * len(texts))], "f")


def reject(parsed: Parsed) -> Reject:
    assert parsed.accepted == []
    (only,) = parsed.rejects
    assert only.item_id == ROW["doc_id"]
    return only


def test_a_rating_becomes_a_row() -> None:
    [row] = parse(rating()).accepted
    assert pa.Table.from_pylist([row], schema=STEP.schema).num_rows == 1
    assert set(row) == set(STEP.schema.names)
    assert (row["score"], row["relevance"], row["clarity"], row["language"]) == (7, 8, 7, 9)
    assert (row["samples"], row["spread"], row["reason"]) == (1, 0, "Clear.")
    jsonschema.validate(rating(), STEP.response_schema)


def test_samples_are_averaged_and_those_without_a_rating_do_not_count() -> None:
    [row] = parse(rating(4), rating(9), "no idea", rating(11)).accepted
    assert (row["score"], row["samples"], row["spread"]) == (6.5, 2, 5)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (rating(0), "score_out_of_range"),
        (rating(10.5), "score_out_of_range"),
        (rating("7"), "schema_mismatch"),
        (rating(True), "schema_mismatch"),
        (rating(clarity=None), "schema_mismatch"),
        ({"overall": 7}, "schema_mismatch"),
        ("I give it a seven.", "invalid_json"),
        ([7], "schema_mismatch"),
    ],
)
def test_what_is_no_rating_is_turned_away_with_its_reason(said: Any, reason: str) -> None:
    found = reject(parse(said))
    assert found.reason == reason
    assert found.text == (said if isinstance(said, str) else json.dumps(said))


def test_a_reply_cut_in_its_reason_still_counts() -> None:
    whole = json.dumps(rating(6))
    cut = whole[: whole.index("Clear") + 3]
    [row] = parse(cut, finish="length").accepted
    assert (row["score"], row["reason"]) == (6, "")
    assert reject(parse(whole[:30], finish="length")).reason == "truncated"


def test_the_rater_sees_field_rubric_and_document() -> None:
    messages = STEP.prompt(ROW, {}, "f")
    assert messages[-1].content.endswith(f"<document>\n{ROW['text']}\n</document>")
    assert "Field: Mathematics, pure and applied" in messages[-1].content
    for word in ("relevance", "clarity", "language", "overall", "reason"):
        assert f'"{word}"' in messages[0].content


def test_worked_examples_in_the_prompt_are_ratings_that_would_be_taken() -> None:
    replies = [message.content for message in STEP.prompt(ROW, {}, "f") if message.role == "assistant"]
    scores = []
    for reply in replies:
        jsonschema.validate(json.loads(reply), STEP.response_schema)
        found, reason, fault = read_rating(reply, "stop")
        assert found is not None, fault
        assert reason
        scores.append(found["overall"])
    assert min(scores) == 1
    assert max(scores) >= 8


@given(st.text(min_size=0, max_size=900), st.integers(200, 400))
def test_an_excerpt_is_the_text_or_its_beginning_and_middle(text: str, characters: int) -> None:
    shown = excerpt_for_rater(text, characters)
    assert len(shown) <= characters
    if len(text) <= characters:
        assert shown == text
    else:
        head, middle = shown.split(CUT, 1)
        assert text.startswith(head)
        assert middle in text
        assert len(head) + len(middle) + len(CUT) == characters


def test_several_samples_need_a_temperature() -> None:
    with pytest.raises(ValidationError, match="temperature above 0"):
        RateConfig(samples=3)
    three = RateStep(RateConfig(samples=3, sampling=SamplingConfig(temperature=0.7)), PACK, seed=5)
    assert three.sampling.samples == three.samples_for_round(0) == 3


def test_what_a_rater_is_shown_is_in_the_steps_identity() -> None:
    assert RateStep(RateConfig(excerpt_characters=900), PACK, 5).identity() != STEP.identity()
    assert RateStep(RateConfig(), load_pack(DomainConfig(name="biomedical")), 5).identity() != STEP.identity()
    assert pickle.loads(pickle.dumps(STEP)) == STEP


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["relevance", "clarity", "language", "overall", "reason"]), inner)
    ),
    max_leaves=10,
)


@given(st.lists(st.text() | JSON, min_size=0, max_size=3), st.sampled_from(["stop", "length", ""]))
def test_whatever_raters_reply_is_one_row_within_bounds_or_one_reject(replies: list[Any], finish: str) -> None:
    parsed = parse(*replies, finish=finish)
    assert len(parsed.accepted) + len(parsed.rejects) == 1
    for row in parsed.accepted:
        assert 1 <= row["score"] <= 10
