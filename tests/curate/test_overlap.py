from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from factory.config import BenchmarkConfig
from factory.curate.benchmarks import read_benchmarks
from factory.curate.overlap import Overlap, OverlapIndex, build_index, index_from_bytes, index_to_bytes
from factory.curate.words import plain_words, tokenise

DUCKS = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her friends "
    "every day with four. How much in dollars does she make every day at the farmers' market?"
)
ROOTS = r"Let $p$ and $q$ be the roots of $x^2 - 7x + 12 = 0$. What is the value of $p^2 + q^2$ in lowest terms?"
SHORT = "Who composed the Moonlight Sonata?"
TINY = "Planets orbit"


@pytest.fixture
def index(tmp_path: Path) -> OverlapIndex:
    for name, items in {"school": [DUCKS, ROOTS], "trivia": [SHORT, TINY]}.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps({"question": item}) for item in items))
    configs = [
        BenchmarkConfig(name=name, path=f"{tmp_path}/{name}.jsonl", fields=("question",))
        for name in ("school", "trivia")
    ]
    return build_index(read_benchmarks(configs), (8, 13))


def overlap(index: OverlapIndex, text: str) -> Overlap | None:
    return index.overlaps([text], tokenise([text])).get(0)


def test_a_verbatim_copy_is_found_and_says_where_from(index: OverlapIndex) -> None:
    found = overlap(index, DUCKS)
    assert found is not None
    assert (found.benchmark, found.item, found.ngram_size) == ("school", "school.jsonl:0", 13)
    assert found.matched_words == len(plain_words(DUCKS))
    assert found.ngram in " ".join(plain_words(DUCKS))


@pytest.mark.parametrize("text", [DUCKS, ROOTS, SHORT])
@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text.replace(" ", "\n  "),
        lambda text: f"Here is a task for you. {text} Explain each step to a friend.",
        lambda text: re.sub(r"[.,?$]", "", text),
    ],
)
def test_case_layout_punctuation_and_company_hide_nothing(
    index: OverlapIndex, text: str, change: Callable[[str], str]
) -> None:
    assert overlap(index, change(text)) is not None


def test_eight_words_in_a_row_are_enough_and_seven_are_not(index: OverlapIndex) -> None:
    words = plain_words(DUCKS)
    eight = overlap(index, "Tell me whether " + " ".join(words[5:13]) + " indeed")
    assert eight is not None
    assert (eight.ngram_size, eight.matched_words, eight.ngram) == (8, 8, " ".join(words[5:13]))
    assert overlap(index, "Tell me whether " + " ".join(words[5:12]) + " indeed") is None


def test_one_changed_word_does_not_hide_a_long_item(index: OverlapIndex) -> None:
    words = DUCKS.split()
    for place in range(len(words)):
        assert overlap(index, " ".join([*words[:place], "zebra", *words[place + 1 :]])) is not None


def test_a_changed_number_does_not_hide_an_item(index: OverlapIndex) -> None:
    assert overlap(index, DUCKS.replace("16", "29")) is not None


def test_short_items_count_when_contained_whole(index: OverlapIndex) -> None:
    found = overlap(index, "I wonder: who composed the 'Moonlight Sonata'? Give the year, too.")
    assert found is not None
    assert (found.benchmark, found.contained, found.ngram) == ("trivia", True, "who composed the moonlight sonata")
    assert overlap(index, "Who composed the Appassionata Sonata?") is None


def test_one_or_two_words_count_only_as_the_whole_question(index: OverlapIndex) -> None:
    assert overlap(index, "Planets orbit?") is not None
    assert overlap(index, "Around what do planets orbit?") is None


def test_ngrams_do_not_straddle_two_questions(index: OverlapIndex) -> None:
    words = plain_words(DUCKS)
    texts = [" ".join(words[:7]), " ".join(words[7:14])]
    assert index.overlaps(texts, tokenise(texts)) == {}


def test_stored_index_answers_as_the_built_one(index: OverlapIndex) -> None:
    stored = index_from_bytes(index_to_bytes(index))
    texts = [DUCKS, "Nothing of the sort stands in any benchmark, as far as anybody knows.", SHORT, ROOTS, TINY]
    found = stored.overlaps(texts, tokenise(texts))
    assert found == index.overlaps(texts, tokenise(texts))
    assert sorted(found) == [0, 2, 3, 4]


def test_index_finds_exactly_the_shared_ngrams_of_random_texts(tmp_path: Path) -> None:
    """Against a plain set of n-grams: the bitmap and the search may not add or lose one."""
    random_ = random.Random(3)
    vocabulary = list("abcdefgh")
    items = [" ".join(random_.choices(vocabulary, k=30)) for _ in range(40)]
    (tmp_path / "letters.jsonl").write_text("\n".join(json.dumps({"question": item}) for item in items))
    config = BenchmarkConfig(name="letters", path=f"{tmp_path}/letters.jsonl", fields=("question",))
    built = build_index(read_benchmarks([config]), (4, 6))
    known = {tuple(item.split()[place : place + 4]) for item in items for place in range(27)}
    texts = [" ".join(random_.choices(vocabulary, k=random_.randint(1, 12))) for _ in range(500)]
    expected = {
        row
        for row, text in enumerate(texts)
        if any(tuple(text.split()[place : place + 4]) in known for place in range(len(text.split()) - 3))
    }
    assert set(built.overlaps(texts, tokenise(texts))) == expected
    assert 10 < len(expected) < 490
