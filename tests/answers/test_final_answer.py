from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from factory.answers.final_answer import final_answer, normal_form, vote_key


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("We add.\nFinal answer: 42", "42"),
        ("We add.\n**Final Answer:** 42.", "42"),
        ("Final answer: 41\nNo, wait.\nFinal answer: 42", "42"),
        ("### Final Answer\n\n42\n", "42"),
        ("**Final Answer**\n\\[\n\\boxed{42}\n\\]", "42"),
        ("FINAL ANSWER: blue", "blue"),
        ("The final answer is $\\frac{1}{2}$.", "$\\frac{1}{2}$"),
        ("Final answer: $x = \\boxed{\\frac{1}{2}}$", "\\frac{1}{2}"),
        ("Final answer: \\boxed{1} or \\boxed{2}", "\\boxed{1} or \\boxed{2}"),
        ("So \\boxed{\\frac{a}{b^{2}}} it is.", "\\frac{a}{b^{2}}"),
        ("First \\boxed{1}, then \\boxed{\\{1, 2\\}}.", "\\{1, 2\\}"),
        ("It is \\boxed{3} and then \\boxed{4", "3"),
        ("16 - 3 - 4 = 9\n#### 18", "18"),
        ("Hence the answer is 3.5 metres. Done.", "3.5 metres"),
        ("Answer: Paris", "Paris"),
        ("The answer is: **blue**", "blue"),
        ("I will give the final answer later. It is 5.", None),
        ("To get the final answer we add.", None),
        ("The mitochondria make it.", None),
        ("Final answer:", None),
        ("Final answer: ---\nThe answer is 7.", "7"),
        ("", None),
    ],
)
def test_what_the_text_marks_as_its_answer(text: str, answer: str | None) -> None:
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.50", "0.5"),
        (".5", "0.5"),
        ("5.0", "5"),
        ("1,234,567", "1234567"),
        ("$42$", "42"),
        ("\\$42", "42"),
        ("+7", "7"),
        ("x = 7", "7"),
        ("Paris.", "paris"),
        ("The  mitochondria", "mitochondria"),
        ('"Yes!"', "yes"),
        ("\\dfrac{1}{2}", "1/2"),
        ("\\frac12", "1/2"),
        ("\\frac{x+1}{2}", "(x+1)/(2)"),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\frac{\\pi}{2})"),
        ("50 \\%", "50%"),
        ("90^\\circ", "90°"),
        ("\\text{even}", "even"),
        ("x^{2}", "x^2"),
        ("**12**", "12"),
        ("3 , 4", "3,4"),
    ],
)
def test_writing_it_otherwise_is_the_same_vote(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1/2", "0.5"),
        ("5", "-5"),
        ("(1,200)", "1200"),
        ("5!", "5"),
        ("10²", "102"),
        ("50%", "50"),
        ("1.05", "1.5"),
        ("0.05", "0.5"),
        ("x+1", "x-1"),
        ("100", "1"),
        ("1.10.2", "1.1.2"),
        ("2**3", "23"),
        ("__init__", "init"),
    ],
)
def test_another_value_is_another_vote(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


ANSWERS = st.text(alphabet=st.sampled_from("ab xy0123.,!?$%*_`'\"\\{}()[]=+-/^²½fractextboxdleghi\n"), max_size=40)


@given(ANSWERS)
@example("\\frac{1}{2}}")
@example("a an the b")
def test_normal_form_is_its_own_normal_form(answer: str) -> None:
    assert normal_form(normal_form(answer)) == normal_form(answer)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_a_number_is_one_vote_however_it_is_written(value: object) -> None:
    plain, grouped = f"{value:f}", f"{value:,f}"
    assert normal_form(plain) == normal_form(grouped) == normal_form(f"${grouped}$") == normal_form(f" {plain}00. ")


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_different_numbers_are_different_votes(one: int, other: int) -> None:
    assert (normal_form(f"{one:,}") == normal_form(str(other))) == (one == other)


@given(
    st.recursive(
        st.text("xyz+-2 ", max_size=4), lambda inner: inner.map(lambda text: f"\\frac{{{text}}}{{3}}"), max_leaves=5
    )
)
def test_a_box_gives_back_what_was_put_in(inside: str) -> None:
    found = final_answer(f"So \\boxed{{{inside}}} and done")
    assert found == (inside.strip() if any(character.isalnum() for character in inside) else None)


@given(st.text(max_size=200))
def test_no_text_breaks_the_search(text: str) -> None:
    final_answer(text)
    final_answer(f"{text}\nFinal answer:{text}\\boxed{{{text}")
    key, _ = vote_key(text)
    assert isinstance(key, str)


def test_unmarked_answers_vote_for_their_whole_text() -> None:
    long = "Because every finite integral domain is a field, " * 10
    assert vote_key(long) == (vote_key(long.upper())[0], None)
    assert vote_key(long)[0] != vote_key(long + " But not here.")[0]
    assert vote_key("42")[0] == vote_key("We add.\nFinal answer: 42")[0]
