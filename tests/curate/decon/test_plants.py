"""Plants are what their class says, the same for the same seed, and the self-test counts them."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.curate.decon.plants import KINDS, Plant, Source, length_class, plants
from factory.curate.decon.selftest import run_self_test
from factory.curate.decon.view import viewed_words
from tests.curate.decon.material import CLEAN, DUCKS, GENERIC, ITEMS, PLANET, ROOTS, SONATA, items, screen

OPTIONS = ("Venus", "Mars", "Earth", "Mercury")
SOURCES = [Source(place, text, OPTIONS if text == PLANET else ()) for place, text in enumerate(ITEMS)]


def made(seed: int = 1) -> dict[tuple[str, int], Plant]:
    return {(plant.kind, plant.item): plant for plant in plants(SOURCES, CLEAN, 100, seed)}


def test_the_same_seed_gives_the_same_plants_and_another_one_others() -> None:
    assert made(1) == made(1)
    assert made(1) != made(2)


def test_every_class_takes_the_items_that_fit_it_each_once() -> None:
    by_kind = Counter(kind for kind, _ in made())
    assert by_kind["verbatim"] == by_kind["embedded"] == by_kind["case_unicode_latex"] == len(ITEMS)
    assert by_kind["options_shuffled"] == 1
    assert by_kind["number_swapped"] == 2  # the others have no numbers
    assert set(by_kind) == set(KINDS)


@pytest.mark.parametrize("place", range(len(ITEMS)))
def test_a_spelling_variant_has_the_words_of_the_item(place: int) -> None:
    for seed in range(20):
        variant = made(seed)["case_unicode_latex", place].text
        assert viewed_words(variant) == viewed_words(ITEMS[place]), variant


def test_an_edit_changes_one_word_and_no_number() -> None:
    for seed in range(20):
        before, after = viewed_words(DUCKS), viewed_words(made(seed)["one_word_edit", 0].text)
        assert len(before) == len(after)
        (changed,) = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
        assert not changed[0].isdigit()


def test_one_word_in_ten_is_edited() -> None:
    before, after = viewed_words(DUCKS), viewed_words(made()["one_word_in_ten", 0].text)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == round(len(before) / 10)


def test_truncation_keeps_the_first_words_and_swapping_all_but_the_numbers() -> None:
    cut = made()["truncated_60", 2].text
    assert PLANET.startswith(cut)
    assert len(cut.split()) == 6
    swapped = made()["number_swapped", 1].text
    assert re.sub(r"\d+", "0", swapped) == re.sub(r"\d+", "0", ROOTS)
    assert swapped != ROOTS


def test_embedding_keeps_the_item_between_other_rows() -> None:
    text = made()["embedded", 3].text
    before, after = text.split(SONATA)
    assert len(before.split()) >= 60 <= len(after.split())


def test_options_are_all_there_behind_the_question() -> None:
    lines = made()["options_shuffled", 2].text.splitlines()
    assert lines[0] == PLANET
    assert sorted(line.split(") ")[1] for line in lines[1:]) == sorted(OPTIONS)


@given(st.lists(st.text(max_size=60), min_size=1, max_size=5), st.integers(0, 1000))
def test_any_text_can_be_planted(texts: list[str], seed: int) -> None:
    sources = [Source(place, text) for place, text in enumerate(texts)]
    for plant in plants(sources, CLEAN, 3, seed):
        assert plant.words == len(viewed_words(texts[plant.item])) > 0


def test_lengths_fall_into_classes() -> None:
    assert [length_class(words) for words in (1, 7, 8, 15, 16, 40, 41, 9000)] == [
        "<8", "<8", "8-15", "8-15", "16-40", "16-40", ">40", ">40",
    ]  # fmt: skip


def test_the_self_test_counts_what_is_found_similar_and_marked_without_a_plant() -> None:
    rows = [*CLEAN, SONATA.lower()]
    test = run_self_test(screen(), items(), rows, 100, 0)
    verbatim = test.total("verbatim")
    assert (verbatim.plants, verbatim.found, verbatim.named) == (len(ITEMS), len(ITEMS), len(ITEMS))
    assert test.total("number_swapped").similar == 2
    assert test.total("number_swapped").found == 0
    assert test.total("embedded", 8).recall == 1.0
    assert test.total("embedded").recall < 1.0, f"{GENERIC!r} says nothing inside another text"
    assert test.rows == len(rows)
    assert [place for place, _ in test.marked] == [len(CLEAN)]
