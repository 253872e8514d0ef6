"""Pages that hold benchmark items fall and are named; documents that merely speak of the same things stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from factory.curate.decon.config import BenchmarkConfig
from factory.curate.index_store import benchmark_index
from factory.errors import ConfigError
from factory.select.benchmark_pages import BenchmarkPages
from factory.select.filters import Candidate, Verdict
from factory.store.base import Store

LONG = (
    "A baker fills 12 trays with 24 rolls each and sells three quarters of them before noon. "
    "How many rolls are left over for the afternoon customers?"
)
MIDDLE = "Which planet of the solar system has the longest day?"
SHORT = ("What is a gas?", "Why is water wet?", "Where do rivers end?", "Who was Euclid?")
FIVE = "What is a Dutch oven?"
PROSE = (
    "Bakers work at night. Rolls are shaped by hand, proved for an hour and baked on stone, and the planets go "
    "round the sun while they sleep. "
) * 8


@pytest.fixture
def pages(tmp_path: Path) -> BenchmarkPages:
    path = tmp_path / "school.jsonl"
    path.write_text("".join(json.dumps({"question": text}) + "\n" for text in (LONG, MIDDLE, FIVE, *SHORT)))
    config = BenchmarkConfig(name="school", path=str(path), fields=("question",))
    return BenchmarkPages(benchmark_index([config]))


def judge(pages: BenchmarkPages, store: Store, *texts: str) -> list[Verdict | None]:
    pages.prepare(store)
    return list(pages.open(store)([Candidate(text, "s", "MIT", "") for text in texts]))


@pytest.mark.parametrize("item", [LONG, MIDDLE, FIVE, LONG.upper(), MIDDLE.replace(" ", "\n ")])
def test_a_page_around_one_item_falls_and_names_it(pages: BenchmarkPages, local_store: Store, item: str) -> None:
    (verdict,) = judge(pages, local_store, PROSE + item + " " + PROSE)
    assert verdict is not None
    assert verdict.reason == "benchmark_page"
    (named,) = verdict.evidence["named"]
    assert named["benchmark"] == "school"
    assert named["span"] in " ".join("".join(c if c.isalnum() else " " for c in item.lower()).split())


def test_part_of_a_long_item_is_enough(pages: BenchmarkPages, local_store: Store) -> None:
    (verdict,) = judge(pages, local_store, PROSE + " ".join(LONG.split()[:15]))
    assert verdict is not None


def test_a_page_of_short_items_falls_one_of_them_in_a_text_does_not(pages: BenchmarkPages, local_store: Store) -> None:
    one, page = judge(pages, local_store, PROSE + SHORT[0], PROSE + " ".join(SHORT[:3]))
    assert one is None
    assert page is not None
    assert page.evidence["items"] == 3


def test_text_about_the_same_things_stays(pages: BenchmarkPages, local_store: Store) -> None:
    assert judge(pages, local_store, PROSE, "", "🙂🙂", "\x00" * 40, "مرحبا " * 50) == [None] * 5


def test_items_of_one_document_are_not_found_in_its_neighbour(pages: BenchmarkPages, local_store: Store) -> None:
    words = LONG.split()
    assert judge(pages, local_store, " ".join(words[:10]), " ".join(words[10:20])) == [None, None]


def test_no_benchmarks_is_no_work(local_store: Store) -> None:
    pages = BenchmarkPages(benchmark_index([]))
    assert judge(pages, local_store, LONG) == [None]


def test_an_index_that_vanished_is_an_error_in_words(
    pages: BenchmarkPages, local_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("factory.curate.index_store._INDEXES", {})
    with pytest.raises(ConfigError, match="start the run again"):
        pages.open(local_store)
