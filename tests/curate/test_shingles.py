"""Shingles by length: short questions by characters, longer ones by words, and pairs across a border by the shorter."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.curate.minhash import LshParameters, sketch_keys
from factory.curate.shingles import WORDS, Shingling, chosen, joined, shingled, signed
from factory.curate.similarity import similarities
from tests.curate.one_process import Rows, find_duplicates
from tests.curate.reference_shingles import grams, kind_of, true_similarity

SHINGLING = Shingling(3, by_length=True, threshold=0.7)
PARAMETERS = LshParameters(3, 128, 0.7, by_length=True)
RANDOM = random.Random(3)
VOCABULARY = ["".join(RANDOM.choices("abcdefghijklmnop", k=RANDOM.randint(1, 9))) for _ in range(400)]


def measured(one: str, other: str) -> float:
    _, views = shingled([one, other], SHINGLING)
    return float(similarities(views, np.array([0]), np.array([1]), SHINGLING.threshold)[0])


def sentence(words: int) -> str:
    return " ".join(RANDOM.choices(VOCABULARY, k=words))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Define a commutative ring", "Define a comutative ring"),  # a typo
        ("What is the derivative of the sine", "What is the derivative of sine"),
        ("Which organ of the body produces insulin", "Which organs of the body produces insulin"),
        ("Why does the moon always show the same face to an observer on earth",
         "Why does the moon allways show the same face to an observer on earth"),
    ],
)  # fmt: skip
def test_a_small_edit_of_a_short_question_is_a_repeat_where_word_shingles_miss_it(one: str, other: str) -> None:
    assert measured(one, other) >= 0.7
    words = Shingling(3, by_length=False, threshold=0.7)
    _, views = shingled([one, other], words)
    assert similarities(views, np.array([0]), np.array([1]), 0.7)[0] < 0.7


@pytest.mark.parametrize(
    ("one", "other"),
    [("What is a ring?", "What is a field?"), ("Define an ideal of a ring", "Define the center of a group"),
     ("Who wrote the novel War and Peace in Russia", "Who wrote the novel Crime and Punishment in Russia")],
)  # fmt: skip
def test_another_word_in_a_short_question_is_another_question(one: str, other: str) -> None:
    assert measured(one, other) < 0.7


@settings(max_examples=60)
@given(st.lists(st.integers(1, 45), min_size=2, max_size=12), st.integers(0, 10_000))
def test_similarities_are_those_of_the_reference(lengths: list[int], seed: int) -> None:
    draw = random.Random(seed)
    texts = [sentence(length) for length in lengths]
    for text in list(texts):  # repeats of each, some a few words shorter or longer: they meet across borders
        words = text.split()
        cut = draw.randint(0, len(words) // 4)
        texts.append(" ".join(words[cut:] + draw.choices(VOCABULARY, k=draw.randint(0, 2))) or "one")
    _, views = shingled(texts, SHINGLING)
    count = len(texts) // 2
    one, other = np.arange(count), np.arange(count, 2 * count)
    found = similarities(views, one, other, SHINGLING.threshold)
    for place in range(count):
        true = true_similarity(texts[place], texts[count + place])
        if true >= SHINGLING.threshold:
            assert found[place] == pytest.approx(true)
        else:
            assert found[place] < SHINGLING.threshold


def test_kinds_change_at_their_lengths_and_texts_near_a_border_have_two_views() -> None:
    texts = [sentence(length) for length in range(1, 40)]
    array, views = shingled(texts, SHINGLING)
    assert array.counts.tolist() == list(range(1, 40))
    assert views.kinds.tolist() == [kind_of(text) for text in texts]
    second = np.diff(views.offsets)[1::2] > 0
    assert [length for length, has in zip(range(1, 40), second.tolist(), strict=True) if has] == [
        *range(8, 12), *range(12, 18), *range(21, 30),
    ]  # fmt: skip
    for place, text in enumerate(texts):
        shingles = views.hashes[views.offsets[2 * place] : views.offsets[2 * place + 1]]
        assert len(set(shingles.tolist())) == len(grams(text, kind_of(text)))


def test_a_question_and_its_shortened_copy_meet_across_every_border() -> None:
    for length in (8, 12, 21):
        found = 0
        for _ in range(40):
            text = " ".join(RANDOM.sample(VOCABULARY, length))
            rows = [text, text.rsplit(" ", 1)[0]]
            if true_similarity(*rows) < 0.75:
                continue
            found += 1
            duplicates = find_duplicates(
                Rows(
                    rows, np.array(["a", "b"], "S"), np.ones(2, np.int8), np.zeros(2, np.uint64), np.ones(2, np.bool_)
                ),
                PARAMETERS,
            )
            assert duplicates.dropped.tolist() == [1], rows
        assert found > 10


def test_numbers_are_significant_in_short_questions_too() -> None:
    array, views = shingled(["What is 12 times 7?", "What is 12 times 8?"], SHINGLING)
    keys, owners = sketch_keys(array, views, PARAMETERS)
    assert owners.tolist() == [0, 1]
    assert not np.isin(keys[0], keys[1]).any()


def test_keys_of_two_kinds_never_agree_and_what_is_signed_is_what_has_shingles() -> None:
    array, views = shingled([sentence(25), sentence(3), "", "???"], SHINGLING)
    _, owners, kinds = signed(views)
    assert owners.tolist() == [0, 0, 1, 2, 3]
    assert kinds.tolist() == [WORDS, WORDS - 1, 0, 0, 0]
    keys, _ = sketch_keys(array, views, PARAMETERS)
    assert len(np.unique(keys)) == keys.size


def test_views_can_be_joined_and_chosen_from() -> None:
    texts = [sentence(length) for length in (3, 9, 25, 40)]
    _, whole = shingled(texts, SHINGLING)
    both = joined([shingled(texts[:2], SHINGLING)[1], shingled(texts[2:], SHINGLING)[1]])
    some = chosen(both, np.array([3, 1]))
    for name in ("hashes", "offsets", "kinds"):
        assert np.array_equal(getattr(both, name), getattr(whole, name))
        assert np.array_equal(getattr(some, name), getattr(shingled([texts[3], texts[1]], SHINGLING)[1], name))


def test_what_shingles_rest_on_is_in_their_identity() -> None:
    """Another threshold with the same second views gives the same shingles, and may share them."""
    assert Shingling(3, True, 0.7).identity() == Shingling(3, True, 0.701).identity()
    assert Shingling(3, True, 0.7).identity() != Shingling(3, True, 0.8).identity()
    assert Shingling(3, False, 0.7).identity() == Shingling(3, False, 0.8).identity()
    assert Shingling(3, True, 0.7).identity()["second_view_up_to"] == [-1, 11, 17, 29]
