from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.curate.words import (
    PIECE,
    TokenArray,
    ngram_hashes,
    normal_text,
    plain_words,
    significant_keys,
    tokenise,
    tokens,
)
from tests.curate import reference_words

TEXTS = st.text(alphabet=st.sampled_from("abc xyz 0123 +-*/=.,'&|\\²½é\u0301什么नि?!\n"), max_size=60)


def test_case_punctuation_and_white_space_do_not_count() -> None:
    assert normal_text("What is  the\nLCM, exactly?") == normal_text("what is the lcm exactly")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3 + 4?", "What is 3 - 4?"),
        ("Solve x^2 + 3x = 0.", "Solve x^2 + 5x = 0."),
        ("What is 2*8?", "What is 2/8?"),
        ("Take 0.5 of it.", "Take 5 of it."),
        ("Find f'(x).", "Find f(x)."),
        ("Compute 10² exactly.", "Compute 102 exactly."),
        ("Evaluate log₂8.", "Evaluate log 28."),
        ("Is a ≤ 3?", "Is a ≥ 3?"),
        ("What is 5%?", "What is 5?"),
    ],
)
def test_numbers_and_operators_keep_texts_apart(one: str, other: str) -> None:
    assert normal_text(one) != normal_text(other)
    assert len(set(significant_keys(tokenise([one, other])).tolist())) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A well-known rule", "a well known rule"),
        ("He has 1,234 eggs", "He has 1234 eggs"),
        ("**What** is _this_?", "What is this?"),
        ("3. What is a prime?", "What is a prime?"),
        ("Q2: What is a prime?", "What is a prime?"),
        ("Janet’s ducks", "Janet's ducks"),
        ("Take 3½ cups", "Take 3 1/2 cups"),
        ("ﬁnd the ﬂow", "find the flow"),
        ("a − b", "a - b"),
    ],
)
def test_typesetting_does_not(one: str, other: str) -> None:
    assert normal_text(one) == normal_text(other)


def test_scripts_without_spaces_have_a_word_a_character() -> None:
    assert tokens("什么是2加3？") == ["什", "么", "是", "2", "加", "3"]
    assert tokens("नमस्ते दुनिया") == ["नमस्ते", "दुनिया"]


def test_a_text_without_tokens_is_named_by_itself() -> None:
    hashes = tokenise(["???", "!!!", "???"]).text_hashes.tolist()
    assert hashes[0] == hashes[2] != hashes[1]


@given(TEXTS)
def test_normal_form_is_stable(text: str) -> None:
    once = plain_words(text)
    assert plain_words(" ".join(once)) == once or any(word.isdigit() for word in once)
    assert normal_text(text) == normal_text(text.upper().lower()) or not text.isascii()


@given(st.lists(TEXTS, max_size=6), st.integers(1, 4))
def test_ngrams_never_cross_texts(texts: list[str], size: int) -> None:
    together, owners = ngram_hashes(tokenise(texts), size)
    alone = [ngram_hashes(tokenise([text]), size)[0] for text in texts]
    assert np.array_equal(together, np.concatenate([np.zeros(0, np.uint64), *alone]))
    assert owners.tolist() == [index for index, hashes in enumerate(alone) for _ in hashes]


@given(st.lists(TEXTS, max_size=6))
def test_a_text_has_the_same_key_whatever_stands_beside_it(texts: list[str]) -> None:
    together = significant_keys(tokenise(texts)).tolist()
    assert together == [significant_keys(tokenise([text])).tolist()[0] for text in texts]


def test_dropping_tokens_keeps_the_texts_apart() -> None:
    array = tokenise(["a + b", "= =", "", "c"])
    words = array.words()
    assert words.counts.tolist() == [2, 0, 0, 1]
    assert isinstance(words, TokenArray)


SCANNED = (
    TEXTS
    | st.text(max_size=60)
    | st.text(
        alphabet=st.sampled_from("abq QuEstion: 0129 +-*/=<>^%!.,'()[]{}|\\_²½é\u0301什นि\u0e31٣ⅧΣß−’≤\n\t"),
        max_size=24,
    )
)


@given(SCANNED)
def test_the_scanner_finds_what_the_rules_say(text: str) -> None:
    assert tokens(text) == reference_words.tokens(text)


@pytest.mark.parametrize(
    "text",
    ["1,234,567.5", "1,23", "1,2345", "12,345,6", "f''x", "f''(x)", "it's", "'tis", "q 3 . x", "question12:x", "Q) x",
     "1234) x", "a**b", "a ** b", "3*x", "**3**", "x/y", "and/or", "5%", "\\%", "n!", "5!", "(a)-b", "a-b",
     "- x", "-{x}"],
)  # fmt: skip
def test_the_scanner_takes_signs_as_the_rules_do(text: str) -> None:
    assert tokens(text) == reference_words.tokens(text)


@given(st.lists(SCANNED, max_size=8))
def test_texts_together_are_tokenised_as_each_alone(texts: list[str]) -> None:
    together, alone = tokenise(texts), [tokenise([text]) for text in texts]
    assert together.hashes.tolist() == [value for array in alone for value in array.hashes.tolist()]
    assert together.text_hashes.tolist() == [array.text_hashes[0].tolist() for array in alone]


def test_a_batch_longer_than_a_piece_is_tokenised_whole() -> None:
    texts = [f"question {number} about {number % 7} things" for number in range(2 * PIECE // 20)]
    array = tokenise(texts)
    assert len(array.counts) == len(texts)
    assert set(array.counts.tolist()) == {5}
    assert len(np.unique(array.text_hashes, axis=0)) == len(texts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"Solve $x \leq 5$ over the reals", r"Solve $x \geq 5$ over the reals"),
        (r"Is $A \cup B$ finite whenever both are", r"Is $A \cap B$ finite whenever both are"),
        (r"Find $3 \times 4$", r"Find $3 \div 4$"),
        (r"Prove $\forall x \exists y$", r"Prove $\exists x \exists y$"),
        ("What does a && b give", "What does a || b give"),
        ("Explain why every field is a ring", "Explain why not every field is a ring"),
        ("Who was Henry II of England", "Who was Henry III of England"),
        ("Which of these is prime", "Which of these isn't prime"),
        ("Solve x < 5", "Solve x > 5"),
        ("Is x ≤ 5", "Is x ≥ 5"),
    ],
)
def test_what_asks_for_the_opposite_is_another_question(one: str, other: str) -> None:
    keys = significant_keys(tokenise([one, other, one.upper() if "\\" not in one else one]))
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


def test_a_words_kind_as_a_sign_needs_its_backslash_and_layout_of_latex_is_no_sign() -> None:
    same = [r"Is $\left( a \right) \in S$", r"Is $( a ) \in S$", r"Is $\mathrm{a}\quad \in S$"]
    assert len(set(significant_keys(tokenise(same)).tolist())) == 1
    plain = tokenise(["in a cup, at times"])
    assert (significant_keys(plain) == significant_keys(tokenise(["no signs here".replace("no ", "")]))).all()


def test_signs_are_words_where_words_are_counted() -> None:
    assert tokenise([r"x \leq y, not z"]).words().counts.tolist() == [5]
