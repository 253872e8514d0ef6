"""How the report writes numbers, names sizes and picks excerpts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.evaluate import text
from factory.evaluate.examples import best_window, shorten
from factory.evaluate.models import in_words, parameters_in


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 135_000_000),
        ("Qwen/Qwen3-30B-A3B", 30_000_000_000),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", 56_000_000_000),
        ("Qwen2.5-7B-Instruct-1M", 7_000_000_000),
        ("NousResearch/Yarn-Mistral-7b-128k", 7_000_000_000),
        ("meta-llama/Llama-3.1-8B-Instruct", 8_000_000_000),
        ("google/gemma-3-270m-it", 270_000_000),
        ("/models/0.5B/Qwen2.5-1.5B/", 1_500_000_000),
        ("gpt-4o", None),
        ("smollm2", None),
        ("c0ffee8b", None),
    ],
)
def test_the_size_of_a_model_is_read_off_its_name(name: str, parameters: int | None) -> None:
    assert parameters_in([name]) == parameters


def test_the_first_name_that_tells_a_size_counts() -> None:
    assert parameters_in(["house-model", "served-3B", "other-70B"]) == 3_000_000_000
    assert [in_words(size) for size in (135_000_000, 8_030_000_000, 12)] == ["135M", "8.03B", "12"]


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [(0, 5, "0 %"), (5, 5, "100 %"), (1, 3, "33 %"), (1, 30, "3.3 %"), (1, 3000, "0.03 %"), (1, 10**6, "< 0.01 %"),
     (999_999, 10**6, "99.9 %"), (1, 0, "–"), (None, 5, "–")],
)  # fmt: skip
def test_shares_keep_the_digits_that_say_something(part: int | None, whole: int, words: str) -> None:
    assert text.share(part, whole).replace(text.NBSP, " ") == words


@pytest.mark.parametrize(
    ("value", "words"), [(0.04, "0.0 s"), (9.96, "10.0 s"), (61, "61 s"), (125, "2 min 05 s"), (7265, "2 h 01 min")]
)
def test_seconds_read_as_people_say_them(value: float, words: str) -> None:
    assert text.seconds(value).replace(text.NBSP, " ") == words


def test_times_are_written_in_utc() -> None:
    assert text.moment("2026-11-21T09:12:44+02:00") == "2026-11-21 07:12 UTC"
    assert text.moment("yesterday") == "yesterday"
    assert text.between("2026-11-21T09:00:00+00:00", "2026-11-21T10:00:00+01:00") == 0


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "http://a b", "", None])
def test_only_plain_web_addresses_become_links(url: str | None) -> None:
    assert text.link(url) == ""


@given(st.text())
def test_printable_text_always_encodes_and_stays_printable(value: str) -> None:
    once = text.printable(value)
    once.encode()
    assert text.printable(once) == once


@given(st.text(alphabet="ab \n", max_size=400), st.text(alphabet="ab ", max_size=30))
def test_an_excerpt_is_a_stretch_of_the_text(passage: str, about: str) -> None:
    start, stop = best_window(passage, about, size=40)
    assert 0 <= start <= stop <= len(passage)
    assert stop - start <= 40
    assert passage == "" or stop > start


def test_an_excerpt_is_where_the_words_of_the_sample_are() -> None:
    passage = "filler words go on " * 100 + "the eigenvalue of a projector is zero or one " + "more filler " * 100
    start, stop = best_window(passage, "What eigenvalue has a projector?", size=200)
    assert "eigenvalue of a projector" in passage[start:stop]


def test_a_runaway_text_is_cut_and_says_by_how_much() -> None:
    assert shorten("x" * 50, limit=10) == "x" * 10 + " … [40 more characters]"
