"""The compiled passes against plain Python over random texts: nothing is lost, nothing invented."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from factory.curate.decon.index import ItemIndex, build_index
from factory.curate.decon.kernels import (
    COMMON,
    COVERED,
    ITEM,
    LONGEST,
    ROW,
    RUN_ITEM,
    RUN_ITEM_PLACE,
    RUN_LENGTH,
    RUN_PLACE,
    RUN_ROW,
)
from factory.curate.decon.view import view, viewed_words
from factory.curate.words import tokenise
from tests.curate.decon.material import items

VOCABULARY = [f"{first}{second}o" for first in "bcdfghklmn" for second in "aeiuy"]


def words_of(draw: random.Random, count: int) -> list[str]:
    return draw.choices(VOCABULARY, k=count)


@pytest.fixture(scope="module")
def texts() -> tuple[list[str], list[str]]:
    """Items, and rows of which many hold pieces of items between words of their own."""
    draw = random.Random(5)
    texts = [" ".join(words_of(draw, draw.randint(3, 40))) for _ in range(150)]
    rows = []
    for _ in range(400):
        words = words_of(draw, draw.randint(0, 20))
        for _ in range(draw.randint(0, 2)):
            item = draw.choice(texts).split()
            start = draw.randrange(len(item))
            words += item[start : start + draw.randint(1, 30)] + words_of(draw, draw.randint(0, 5))
        rows.append(" ".join(words))
    return texts, rows


@pytest.fixture(scope="module")
def index(texts: tuple[list[str], list[str]]) -> ItemIndex:
    return build_index(items(texts[0]))


def longest_runs(row: Sequence[str], item: Sequence[str]) -> set[tuple[int, int, int]]:
    """(place in the row, place in the item, length) of every run of equal words that cannot be longer."""
    runs = set()
    for at, word in enumerate(row):
        for place, other in enumerate(item):
            if word == other and not (at and place and row[at - 1] == item[place - 1]):
                length = 0
                while (
                    at + length < len(row) and place + length < len(item) and row[at + length] == item[place + length]
                ):
                    length += 1
                runs.add((at, place, length))
    return runs


def common(row: Sequence[str], item: Sequence[str]) -> int:
    lengths = [0] * (len(item) + 1)
    for word in row:
        diagonal = 0
        for place, other in enumerate(item):
            above = lengths[place + 1]
            lengths[place + 1] = diagonal + 1 if word == other else max(above, lengths[place])
            diagonal = above
    return lengths[-1]


def test_runs_are_real_and_none_of_a_whole_item_or_of_thirteen_words_is_missed(
    texts: tuple[list[str], list[str]], index: ItemIndex
) -> None:
    given, rows = texts
    found: dict[tuple[int, int], set[tuple[int, int, int]]] = {}
    for run in index.runs(view(tokenise(rows)), least_seeds=0, least_share=0.99, long_run=13).tolist():
        place = (run[RUN_PLACE], run[RUN_ITEM_PLACE], run[RUN_LENGTH])
        found.setdefault((run[RUN_ROW], run[RUN_ITEM]), set()).add(place)
    expected = 0
    for number, row in enumerate(rows):
        for item, text in enumerate(given):
            real = longest_runs(row.split(), text.split())
            got = found.get((number, item), set())
            assert got <= real
            wanted = {run for run in real if run[2] >= 13 or run[2] == len(text.split())}
            expected += len(wanted)
            assert wanted <= got
    assert expected > 100


def test_alignments_count_what_plain_python_counts(texts: tuple[list[str], list[str]], index: ItemIndex) -> None:
    given, rows = texts
    alignments = index.alignments(view(tokenise(rows)), 8)
    checked = 0
    for counts in alignments.counts.tolist():
        row, item = rows[counts[ROW]].split(), given[counts[ITEM]].split()
        runs = longest_runs(row, item)
        covered = {place + step for _, place, length in runs if length >= 8 for step in range(length)}
        assert counts[COVERED] == len(covered)
        assert counts[LONGEST] == max(length for _, _, length in runs)
        if len(row) <= len(item) + len(item) // 4 + 4 and len(item) <= len(row) + len(row) // 4 + 4:
            assert counts[COMMON] == common(row, item)
            checked += 1
    assert checked > 20


def test_an_item_found_alone_is_found_among_others(texts: tuple[list[str], list[str]], index: ItemIndex) -> None:
    _, rows = texts
    together = index.alignments(view(tokenise(rows)), 8)
    for row in range(0, len(rows), 7):
        alone = index.alignments(view(tokenise([rows[row]])), 8)
        same = together.counts[:, ROW] == row
        assert np.array_equal(alone.counts[:, 1:], together.counts[same, 1:])
        assert np.allclose(alone.shares, together.shares[same])


def test_the_words_of_a_hit_are_those_the_index_compares() -> None:
    text = r"Q1: Find $\left(\frac{\pi}{2}\right)$ of the five-year cost, 1,000 dollars!"
    assert viewed_words(text) == ["find", "pi", "2", "of", "the", "five", "year", "cost", "1000", "dollars"]
    for each in (text, "π/2", "five times six", "", "漢字 x"):
        assert len(viewed_words(each)) == int(view(tokenise([each])).counts[0])
