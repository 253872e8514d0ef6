"""Checks of a single question: what they catch and, above all, what they leave alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.questions.checks import Document, QuestionChecks, checks_for, same_question
from factory.questions.config import QuestionConfig

PACK = load_pack(DomainConfig())
CHECKS = checks_for(QuestionConfig(min_characters=12, max_characters=400), PACK, "question_level_1")

GOOD = [
    "What does `numpy.trunc(-1.7)` return?",
    "Prove that every tree with $n$ vertices has $n-1$ edges.",
    "A die is rolled twice. Find the probability that the sum is $7$.",
    "Given $x > 0$, solve $\\log x = 2$ for $x$.",
    "In a text editor, how are the lines of a document numbered when the section on wrapping is off?",
    "Which HTML element holds the title that the document object model reports?",
    "Explain how the author field of a BibTeX entry is parsed.",
    "What does the following code print?\n\nfor i in range(3):\n    print(i)",
    "1. Compute the determinant of $\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}$.",
    "¿Cuál es la derivada de $x^2$?",
    "计算矩阵的行列式并说明它为什么不等于零。",
    "两个数的和是多少？它们都大于零且小于十。",
    "How far above sea level does water boil at 90 °C",
    "A rectangle has sides 3 and 4; what is its diagonal?",
]

BAD = [
    ("What is it?", "too_short"),
    ("Why? " * 100, "too_long"),
    ("What is the set of the set of the set of the set of the set of the set of it?", "repetition"),
    ("What is the main idea of the passage?", "not_self_contained"),
    ("According to the text, what is a graph?", "not_self_contained"),
    ("What does the function do, as described in the documentation above?", "not_self_contained"),
    ("What does the above code do?", "not_self_contained"),
    ("What is meant by the algorithm mentioned above?", "not_self_contained"),
    ("Why does the author argue that trees are graphs?", "not_self_contained"),
    ("What is the output of the given code?", "not_self_contained"),
    ("The determinant of the matrix is 3.", "not_a_question"),
    ("The probability is 0.5, given that a die is rolled once.", "not_a_question"),
    ("Write exam questions from the passage, as one JSON object?", "copies_prompt"),
    ("Why do most leaves look green, although their chlorophyll absorbs light?", "copies_prompt"),
]


@pytest.mark.parametrize("question", GOOD)
def test_good_questions_pass(question: str) -> None:
    assert CHECKS.problem(question) is None


@pytest.mark.parametrize(("question", "reason"), BAD)
def test_bad_ones_are_turned_away_for_their_reason(question: str, reason: str) -> None:
    problem = CHECKS.problem(question)
    assert problem is not None
    assert problem[0] == reason
    assert problem[1], "the evidence says what was seen"


def test_empty_lists_turn_their_checks_off() -> None:
    checks = QuestionChecks(1, 400, (), (), "")
    assert checks.problem("The passage says that the determinant is 3.") is None


@given(st.text(max_size=600))
def test_no_text_raises(text: str) -> None:
    CHECKS.problem(text)
    same_question(text)


def test_one_question_has_one_form_and_brackets_matter() -> None:
    assert same_question("What  is\nX ?") == same_question("what is x?")
    assert same_question("Compute (1+2)*3.") != same_question("Compute 1+2*3.")
    assert same_question("Is $f'$ zero?") != same_question("Is $f$ zero?")


def test_a_question_stands_in_the_document_when_half_of_its_trigrams_do() -> None:
    document = Document("Exercise 3. What is the number\nof edges in a tree with n vertices? See above.")
    assert document.holds("What is the number of edges in a tree with $n$ vertices?")
    assert document.holds("A tree has n vertices. What is the number of edges in a tree?")
    assert not document.holds("How many edges does a tree with ten vertices have?")
    assert not document.holds("edge?")
    assert document.holds("edges in")


def test_identity_changes_with_bounds_lists_and_instructions() -> None:
    others = [
        checks_for(QuestionConfig(min_characters=13, max_characters=400), PACK, "question_level_1"),
        checks_for(QuestionConfig(min_characters=12, max_characters=400), PACK, "question_level_2"),
        QuestionChecks(12, 400, ("find",), PACK.refers_to_document, CHECKS.instructions),
    ]
    assert all(other.identity() != CHECKS.identity() for other in others)
