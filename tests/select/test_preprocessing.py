from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from factory.select.preprocessing import WINDOW_CHARACTERS, WINDOWS, excerpt, words_of


def words(text: str) -> list[str]:
    return words_of(text).decode().split()


def test_words_are_lower_case_without_digits_and_punctuation() -> None:
    assert words("Theorem 3.2: Every Group\nof order 7_a is cyclic!") == [
        *["theorem", "every", "group", "of", "order", "a", "is", "cyclic"]
    ]


def test_commands_go_with_the_arguments_that_only_name_things() -> None:
    text = (
        r"\begin{lemma}\label{lemma-flat} Let $\mathcal{F}$ be flat, see \cite[p. 3]{EGA} and \ref{eq-1}. \end{lemma}"
    )
    assert words(text) == ["let", "f", "be", "flat", "see", "and"]


def test_what_a_command_marks_up_stays() -> None:
    assert words(r"\section{Flat morphisms} and \emph{torsion}") == ["flat", "morphisms", "and", "torsion"]


def test_punctuation_beyond_ascii_does_not_stick_to_words() -> None:
    assert words("“Größe” – the ‘norm’… ∑x") == ["größe", "the", "norm", "x"]


def test_scripts_without_spaces_are_split_into_characters() -> None:
    assert words("数学は楽しい") == list("数学は楽しい")


def test_emoji_numbers_and_markup_alone_have_no_words() -> None:
    for text in ("", "🙂🎉", "12 + 30 = 42", "\\alpha\\beta", "\x00\x01", "…"):
        assert not words_of(text).strip()


def test_a_line_of_millions_of_characters_costs_what_its_windows_cost() -> None:
    text = "matrix\\begin{" * 200_000
    started = time.process_time()
    line = words_of(text)
    assert time.process_time() - started < 30
    assert len(line) <= WINDOWS * (WINDOW_CHARACTERS + 1)


def test_windows_reach_from_the_first_to_the_last_character() -> None:
    text = "a" * 50_000 + "b" * 50_000
    shown = excerpt(text)
    assert shown[0] == "a"
    assert shown[-1] == "b"
    assert excerpt("short") == "short"


@given(st.text(max_size=300))
def test_any_text_becomes_one_line_that_decodes(text: str) -> None:
    line = words_of(text)
    assert b"\n" not in line
    assert b"\r" not in line
    line.decode()


@given(st.text(alphabet="\\{}[]abegin*@ref $\n", max_size=400))
def test_markup_of_any_shape_leaves_letters_and_spaces(text: str) -> None:
    assert all(byte == 32 or chr(byte).isalpha() for byte in words_of(text))
