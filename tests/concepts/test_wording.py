"""Wording: cleaning loses nothing a reader would miss, comparing sees through spelling, loops are seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.concepts.wording import clean_name, clean_text, comparable, repetition


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  1. Graph   theory. ", "Graph theory"),
        ("2.3) Tree", "Tree"),
        ("- Edge;", "Edge"),
        ("3D rotation", "3D rotation"),
        ("2-norm", "2-norm"),
        ("1.5 IQR rule", "1.5 IQR rule"),
        ("C++", "C++"),
        ("f(x)", "f(x)"),
        ("line\nbreak\x00", "line break"),
    ],
)
def test_names_lose_list_numbers_and_nothing_else(raw: str, clean: str) -> None:
    assert clean_name(raw) == clean


def test_marks_that_nobody_sees_are_taken_out_of_names_and_those_that_shape_letters_stay() -> None:
    assert clean_name("gra\u202eph\u2066 the\u200bory\u00ad") == "gra ph theory"
    assert clean_name("می\u200cخواهم") == "می\u200cخواهم"
    assert clean_text("What is \u202e2 + 2\u202c?") == "What is 2 + 2?"


def test_questions_keep_code_and_formulas() -> None:
    text = "What does this print?\r\n\r\n\r\n\r\nfor i in x:\n    print(i)  \n\n$\\frac{1}{2}$ \x07"
    assert clean_text(text) == "What does this print?\n\nfor i in x:\n    print(i)\n\n$\\frac{1}{2}$"


def test_names_differ_by_sign_and_not_by_spelling() -> None:
    assert comparable(" Gauss–Seidel  Method ") != comparable("Gauss Seidel")
    assert comparable('"Graph_Theory"') == comparable("graph theory") == comparable("Graph  Theory.")
    assert len({comparable(name) for name in ("C", "C++", "C#")}) == 3
    assert comparable("\N{FULLWIDTH LATIN CAPITAL LETTER A}") == "a"
    assert comparable(" .,;:()") == ""


@given(st.text())
def test_cleaning_is_idempotent_and_comparing_ignores_it(text: str) -> None:
    assert comparable(comparable(text)) == comparable(text)
    assert clean_text(clean_text(text)) == clean_text(text)
    assert "\n" not in clean_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "The set of the set of the set of the set of the set of the set of the set of",
        "ring over a monomial " * 8,
        "graph_type_name_" * 20,
        "的集合" * 60,
        "0." + "5" * 300,
    ],
)
def test_loops_are_seen_in_any_script(text: str) -> None:
    assert repetition(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "What is the determinant of the matrix?",
        "Let a be the number of red balls, let b be the number of blue balls and let c be the number of green balls in "
        "the urn. If a + b = 10, b + c = 12 and a + c = 14, how many balls of each colour are there?",
        "Evaluate $\\sum_{k=1}^{n} k^2 - \\sum_{k=1}^{n} k + \\sum_{k=1}^{n} 1$ for $n = 10$ and prove the formula.",
        "x = [0, 0, 0, 0, 0, 0, 0, 0]",
        "",
    ],
)
def test_questions_are_no_loops(text: str) -> None:
    assert repetition(text) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    repetition(text)
    clean_name(text)
