"""What counts as a leak, what as a look-alike, and what the evidence says."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from factory.curate.decon.config import DecontaminationConfig
from factory.curate.decon.hits import Screen
from factory.curate.decon.index import build_index, index_from_bytes, index_to_bytes
from factory.curate.decon.view import viewed_words
from factory.curate.words import tokenise
from tests.curate.decon.material import (
    CLEAN,
    DUCKS,
    GENERIC,
    ITEMS,
    PLANET,
    ROOTS,
    SONATA,
    TINY,
    hit,
    items,
    leak,
    screen,
)

OFF = DecontaminationConfig(
    exact=False,
    ngram_coverage=None,
    common_subsequence=None,
    short_containment=None,
    aligned_share=None,
    truncated_share=None,
    shuffled_options=None,
)


@pytest.fixture(scope="module")
def all_rules() -> Screen:
    return screen()


@pytest.mark.parametrize("place", range(len(ITEMS)))
def test_a_copy_is_found_by_every_item_and_says_where_from(all_rules: Screen, place: int) -> None:
    found = leak(all_rules, ITEMS[place].upper() + " ")
    assert found is not None
    assert (found.benchmark, found.item, found.rule, found.score) == ("school", str(place), "exact", 1.0)
    assert found.span == " ".join(viewed_words(ITEMS[place]))


@pytest.mark.parametrize("text", [DUCKS, ROOTS, PLANET, SONATA])
@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text.replace(" ", "\n  "),
        lambda text: f"{CLEAN[0]} {text} {CLEAN[1]}",
        lambda text: re.sub(r"[.,?$]", "", text),
        lambda text: text.replace("'", "’"),
    ],
)
def test_case_layout_punctuation_and_company_hide_nothing(
    all_rules: Screen, text: str, change: Callable[[str], str]
) -> None:
    assert leak(all_rules, change(text)) is not None


def test_evidence_points_at_the_words_of_the_row(all_rules: Screen) -> None:
    row = f"{CLEAN[0]} {PLANET} {CLEAN[1]}"
    found = leak(all_rules, row)
    assert found is not None
    assert found.evidence() == {
        "benchmark": "school",
        "item": "2",
        "field": "question",
        "rule": "ngram_coverage",
        "score": 1.0,
        "similar": False,
        "span": "which planet of the solar system has the longest day",
        "start": len(viewed_words(CLEAN[0])),
        "matched_words": 10,
        "item_words": 10,
        "copies": 0,
    }
    assert viewed_words(row)[found.start : found.stop] == found.span.split()


@pytest.mark.parametrize("text", [DUCKS, PLANET])
def test_one_changed_word_hides_no_item_of_eight_words_or_more(all_rules: Screen, text: str) -> None:
    words = text.split()
    for place, word in enumerate(words):
        if not word.isdigit() and word not in ("three", "four."):
            found = leak(all_rules, " ".join([*words[:place], "zebra", *words[place + 1 :]]))
            assert found is not None, place


def test_the_beginning_of_an_item_is_found_where_it_is_all_the_row_says(all_rules: Screen) -> None:
    cut = " ".join(PLANET.split()[:6])
    found = leak(all_rules, cut)
    assert found is not None
    assert (found.rule, found.score) == ("truncated", 0.6)
    assert leak(all_rules, f"Every {cut.lower()} turns, {CLEAN[1]}") is None


def test_short_items_count_when_contained_whole(all_rules: Screen) -> None:
    found = leak(all_rules, f"{CLEAN[0]} I wonder: who composed the 'Moonlight Sonata'? Give the year, too. {CLEAN[1]}")
    assert found is not None
    assert (found.rule, found.span) == ("short_containment", "who composed the moonlight sonata")
    assert leak(all_rules, "Who composed the Appassionata, and when was it first played in public?") is None


def test_one_or_two_words_count_only_as_the_whole_row(all_rules: Screen) -> None:
    assert leak(all_rules, "planets orbit?") is not None
    assert leak(all_rules, f"Around what do {TINY.lower()}?") is None


def test_a_question_that_says_nothing_counts_only_as_the_whole_row(all_rules: Screen) -> None:
    assert leak(all_rules, GENERIC) is not None
    assert leak(all_rules, f"{CLEAN[0]} {GENERIC}") is None


def test_choices_tell_a_question_that_says_nothing(all_rules: Screen) -> None:
    options = (
        "Ducks sleep with one eye open",
        "Herons build nests of clay",
        "Owls hunt by smell alone",
        "Geese never leave the water",
    )
    of = screen([*items((DUCKS, PLANET)), *items((GENERIC,), "choice", options)])
    found = leak(
        of, "\n".join([GENERIC, *(f"{name}) {text}" for name, text in zip("ABCD", options[::-1], strict=True))])
    )
    assert found is not None
    assert (found.benchmark, found.item) == ("choice", "0")
    assert leak(of, f"{GENERIC} A) Bread rises B) Paint dries C) Rivers end D) Lists are sorted") is None


def test_other_numbers_make_a_row_similar_and_not_a_leak(all_rules: Screen) -> None:
    for changed in (DUCKS.replace("16", "29"), DUCKS.replace("three", "five"), ROOTS.replace("7x", "9x")):
        found = hit(all_rules, changed)
        assert found is not None
        assert (found.similar, found.verdict) == (True, "similar")
        assert not all_rules.rejects(found)
    rejecting = screen(rules=DecontaminationConfig(similar="reject"))
    found = hit(rejecting, DUCKS.replace("16", "29"))
    assert found is not None
    assert rejecting.rejects(found)
    assert hit(screen(rules=DecontaminationConfig(similar="ignore")), DUCKS.replace("16", "29")) is None


def test_numbers_alone_make_nothing_similar() -> None:
    of = screen(items((*CLEAN, "Compute: 1 - 2 + 3 - 4 + 5 - 6 + 7 - 8")))
    assert hit(of, "The list holds 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5 and 8") is None


def test_numbers_in_words_and_greek_letters_are_the_same_as_in_signs() -> None:
    of = screen(
        items((*CLEAN, r"Find $\frac{\pi}{2}$ of the area that five circles of radius $\theta$ have in common."))
    )
    assert leak(of, "Find π/2 of the area that 5 circles of radius θ have in common.") is not None


@pytest.mark.parametrize("text", CLEAN)
def test_text_about_the_same_things_is_clean(all_rules: Screen, text: str) -> None:
    assert hit(all_rules, text) is None


@pytest.mark.parametrize("text", ["", "🙂🙂", "\x00" * 40, "a", "1 2 3", "مرحبا " * 50, "漢字" * 30])
def test_texts_without_anything_in_them_are_clean(all_rules: Screen, text: str) -> None:
    assert hit(all_rules, text) is None


@pytest.mark.parametrize(
    ("rule", "value", "row"),
    [
        ("exact", True, SONATA),
        ("ngram_coverage", 0.5, f"{CLEAN[0]} {PLANET}"),
        ("common_subsequence", 0.6, DUCKS.replace("every", "each")),
        ("short_containment", 3, f"{CLEAN[0]} {SONATA}"),
        ("aligned_share", 0.7, PLANET.replace("solar", "lunar")),
        ("truncated_share", 0.45, " ".join(PLANET.split()[:6])),
    ],
)
def test_every_rule_works_alone_and_is_off_when_switched_off(rule: str, value: object, row: str) -> None:
    only = screen(rules=OFF.model_copy(update={rule: value}))
    found = leak(only, row)
    assert found is not None
    assert found.rule in (rule, rule.removesuffix("_share"))
    assert leak(screen(rules=OFF), row) is None


def test_thresholds_decide() -> None:
    half = f"{CLEAN[0]} {' '.join(DUCKS.split()[:20])} {CLEAN[1]}"
    for threshold, found in ((0.3, True), (0.9, False)):
        rules = OFF.model_copy(update={"ngram_coverage": threshold})
        assert (leak(screen(rules=rules), half) is not None) == found


def test_the_scattered_words_of_an_item_are_no_leak(all_rules: Screen) -> None:
    words = DUCKS.split()
    scattered = " ".join(f"{word} {CLEAN[place % 5]}" for place, word in enumerate(words))
    assert hit(all_rules, scattered) is None


def test_rows_do_not_leak_into_each_other(all_rules: Screen) -> None:
    words = PLANET.split()
    texts = [CLEAN[0] + " " + " ".join(words[:5]), " ".join(words[5:]) + " " + CLEAN[1]]
    assert all_rules.best(texts, tokenise(texts)) == {}


def test_a_row_is_reported_once_a_benchmark(all_rules: Screen) -> None:
    both = [*items((DUCKS, PLANET), "school"), *items((SONATA,), "trivia")]
    text = f"{DUCKS} {PLANET} {SONATA}"
    found = screen(both).hits([text], tokenise([text]))
    assert [(each.benchmark, each.item) for each in found] == [("school", "0"), ("trivia", "0")]


def test_items_with_the_same_text_are_one_and_counted() -> None:
    found = leak(screen(items((PLANET, PLANET.upper(), DUCKS))), PLANET)
    assert found is not None
    assert (found.item, found.copies) == ("0", 1)


def test_the_hits_of_a_batch_are_those_of_its_rows(all_rules: Screen) -> None:
    texts = [DUCKS, CLEAN[0], PLANET.replace("solar", "lunar"), "", f"{CLEAN[1]} {SONATA}", GENERIC]
    together = all_rules.best(texts, tokenise(texts))
    for place, text in enumerate(texts):
        alone = hit(all_rules, text)
        assert (None if alone is None else alone.evidence()) == (
            together[place].evidence() if place in together else None
        )


def test_a_stored_index_answers_as_the_built_one() -> None:
    built = build_index(items())
    stored = index_from_bytes(index_to_bytes(built))
    assert index_to_bytes(stored) == index_to_bytes(built)
    texts = [DUCKS, *CLEAN, SONATA, ROOTS, TINY]
    array = tokenise(texts)
    rules = DecontaminationConfig()
    assert Screen(stored, rules).best(texts, array) == Screen(built, rules).best(texts, array)


def test_an_index_without_items_finds_nothing() -> None:
    assert Screen(build_index([]), DecontaminationConfig()).best([DUCKS, ""], tokenise([DUCKS, ""])) == {}


def test_an_item_in_a_text_of_a_million_words_is_found(all_rules: Screen) -> None:
    filler = " ".join(CLEAN)
    long = f"{filler} " * (1_100_000 // len(filler.split())) + PLANET
    found = leak(all_rules, long)
    assert found is not None
    assert found.span.startswith("which planet of the solar system")
