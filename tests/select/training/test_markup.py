from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.select.training.markup import strip_markup
from tests.bench.marked_up import as_latex


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (r"Let $x^2$ be \emph{small}.", "Let be small ."),
        (r"\begin{equation} a = b \end{equation} holds", "holds"),
        (r"\begin{lemma}\label{l} It holds. \end{lemma}", "It holds."),
        ("Run\n```python\nimport os\n```\nnow", "Run now"),
        (r"\begin{verbatim} x = 1 \end{verbatim} prints", "prints"),
        ("<p>A <b>bold</b> word</p>", "A bold word"),
        ("It costs $5 and then\n$6 more", "It costs 5 and then 6 more"),
        ("a < b and c > d", "a < b and c > d"),
    ],
)
def test_words_are_left_and_markup_is_not(text: str, left: str) -> None:
    assert strip_markup(text).split() == left.split()


def test_dressing_and_undressing_keeps_the_prose() -> None:
    text = "The treaty was signed in the spring of that year. " * 20
    left = set(strip_markup(as_latex(text)).lower().replace(".", " ").split())
    assert {"treaty", "signed", "spring", "year"} <= left
    assert "$" in as_latex(text)
    assert as_latex(text) == as_latex(text)


@given(st.text(alphabet="\\$[](){}begind eqatiolr`<>^_~\n", max_size=300))
def test_markup_of_any_shape_is_stripped_without_failing(text: str) -> None:
    assert not set(strip_markup(text)) & set("\\${}`")


def test_unbalanced_markup_of_a_whole_excerpt_takes_no_time() -> None:
    for unit in ("$", "\\[", "\\begin{align}", "```", "<a", "\\(", "\\begin{verbatim}"):
        started = time.process_time()
        strip_markup(unit * (16_000 // len(unit)))
        assert time.process_time() - started < 30, unit
