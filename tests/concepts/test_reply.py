"""Replies: JSON is read wherever it stands, what is wrong gets a name, and nothing raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.concepts.reply import INVALID_JSON, SCHEMA_MISMATCH, TRUNCATED, read_reply

ITEMS = [{"q": "one {x} \\frac{1}{2}"}, {"q": "two"}, {"q": "three"}]
WHOLE = json.dumps({"suitable": True, "questions": ITEMS})


def test_whole_object_is_read() -> None:
    assert read_reply(WHOLE, "stop").value == {"suitable": True, "questions": ITEMS}


def test_an_object_that_ends_exactly_at_the_budget_is_whole() -> None:
    assert read_reply(WHOLE, "length").value is not None


@pytest.mark.parametrize("around", ["```json\n%s\n```", "Here you are:\n\n%s\n\nGood luck!", "\n\n %s"])
def test_prose_and_fences_around_it_are_dropped(around: str) -> None:
    assert read_reply(around % WHOLE, "stop").value is not None


@pytest.mark.parametrize(
    ("text", "finish", "problem"),
    [
        ("", "stop", INVALID_JSON),
        ("no json", "stop", INVALID_JSON),
        ('{"a": ', "stop", INVALID_JSON),
        ('["a"]', "stop", SCHEMA_MISMATCH),
        ('"a"', "stop", SCHEMA_MISMATCH),
        ('{"a": ', "length", TRUNCATED),
        ('{"a": "\\ud800"}', "stop", INVALID_JSON),
        ("[" * 100_000, "stop", INVALID_JSON),
    ],
)
def test_what_is_wrong_has_a_name(text: str, finish: str, problem: str) -> None:
    reply = read_reply(text, finish, salvage=True)
    assert reply.value is None
    assert reply.problem == problem


@given(st.integers(min_value=1, max_value=len(WHOLE) - 1))
def test_a_reply_cut_anywhere_keeps_its_complete_objects(cut: int) -> None:
    reply = read_reply(WHOLE[:cut], "length", salvage=True)
    complete = sum(WHOLE[:cut].count(json.dumps(item)) for item in ITEMS)
    if complete == 0:
        assert reply.problem == TRUNCATED
    else:
        assert reply.value == {"suitable": True, "questions": ITEMS[:complete]}
        rest = WHOLE[:cut].split(json.dumps(ITEMS[complete - 1]))[1].strip(", ]}")
        assert reply.cut_off == rest


def test_without_salvage_a_cut_reply_is_truncated() -> None:
    assert read_reply(WHOLE[:-1], "length").problem == TRUNCATED


@given(st.text(), st.sampled_from(["stop", "length", "error", ""]), st.booleans())
def test_no_text_raises(text: str, finish: str, salvage: bool) -> None:
    reply = read_reply(text, finish, salvage)
    assert (reply.value is None) == bool(reply.problem)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"3\times\tilde{\bm{c}}", r"3\times\tilde{\bm{c}}"),
        (r"$\frac{1}{2} \neq \nu$ and $\rho \to 0$", r"$\frac{1}{2} \neq \nu$ and $\rho \to 0$"),
        (r"\begin{bmatrix} 1 \\\\ 2 \end{bmatrix}".replace(r"\e", r"\\e"), r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}"),
        (r"already \\times right", r"already \times right"),
        (r"a line\nunder a line\nto read\n\nnot code", "a line\nunder a line\nto read\n\nnot code"),
        (r"x = 1\nu = 2\nif x:\n\treturn u", "x = 1\nu = 2\nif x:\n\treturn u"),
        (r"caf\u00e9 \"quoted\" a\/b\r\nnext", 'café "quoted" a/b\r\nnext'),
    ],
)
def test_latex_with_one_backslash_is_kept_and_line_breaks_stay_line_breaks(written: str, meant: str) -> None:
    reply = read_reply('{"text": "' + written + '"}', "stop")
    assert reply.value == {"text": meant}
