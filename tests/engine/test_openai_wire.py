"""Answers of a server, whatever it sends: read, or no answer; nothing raises."""

from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.engine.openai_wire import RETRY_AFTER_CAP_S, answer_in, refusal, retry_after_s, shared_out
from tests.questions.replies import JSON

KEYS = st.sampled_from(["choices", "message", "content", "finish_reason", "usage", "completion_tokens", "error"])
BODIES = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)


@given(st.binary(max_size=200) | BODIES.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_answer_or_none(body: bytes) -> None:
    answer = answer_in(httpx.Response(200, content=body))
    if answer is not None:
        assert answer.choices
        assert all(isinstance(part, str) for choice in answer.choices for part in choice)
        tokens = shared_out(answer.generated_tokens, [text for text, _ in answer.choices])
        assert sum(tokens) == answer.generated_tokens


@pytest.mark.parametrize("usage", [None, [], "many", {"completion_tokens": "12"}, {"completion_tokens": -3}, {"x": 1}])
def test_counts_that_are_no_counts_are_zero(usage: object) -> None:
    body = {"choices": [{"message": {"content": "hi"}}], "usage": usage}
    answer = answer_in(httpx.Response(200, json=body))
    assert answer is not None
    assert (answer.generated_tokens, answer.choices) == (0, (("hi", "stop"),))


@pytest.mark.parametrize("content", [["part"], {"type": "text"}, 5])
def test_content_that_is_no_text_is_no_answer(content: object) -> None:
    assert answer_in(httpx.Response(200, json={"choices": [{"message": {"content": content}}]})) is None


@given(st.text(max_size=40) | st.floats().map(str))
def test_retry_after_is_a_wait_within_bounds_whatever_it_says(value: str) -> None:
    assert 0 <= retry_after_s({"retry-after": value}) <= RETRY_AFTER_CAP_S


@given(st.integers(400, 499), st.text(max_size=200))
def test_a_refusal_has_a_short_name(status: int, said: str) -> None:
    assert refusal(status, said) in {"prompt_too_long", "schema_refused", "content_filter", f"http_{status}"}
