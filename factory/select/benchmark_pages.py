"""Documents that hold benchmark items: level 1 would extract them as questions of its own.

Design: the benchmark index of curation (curate/overlap.py) over long n-grams. A page is turned away when it
holds one item for certain (`NGRAM_WORDS` words in a row, or a shorter item of at least `SURE_WORDS` words whole),
or several items that are each too short to be sure of: a page of short questions, where one alone ("Which is
a gas?") may stand in any text. Eight words in a row, the rule for questions, is too strict for documents: they
are a hundred times longer than a question. Measured in docs/select.md.

Cost: 30 microseconds a document of 1,700 characters, tokenising it included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factory.curate.index_store import BenchmarkIndex
from factory.curate.overlap import OverlapIndex
from factory.curate.words import TokenArray, plain_words, tokenise
from factory.select.filters import Candidate, Judge, Verdict
from factory.store.base import Store

NGRAM_WORDS = 13
"""GPT-3's rule for documents (Brown et al. 2020, appendix C)."""

SURE_WORDS = 5
"""Words from which a whole item in a document is no coincidence: of 19,000 items of seven benchmarks one of 5 to 12
words stood in 16,000 unrelated documents (69 million characters), three of 3 or 4 words, 110 of two."""

SHORTEST_WORDS = 3
SHORT_ITEMS = 3
"""So many different items of SHORTEST_WORDS to SURE_WORDS - 1 words make a page of questions."""

NAMED_ITEMS = 5
"""Items named as evidence; the count says how many there were."""

VERSION = 1


@dataclass(frozen=True)
class Found:
    """An item in a document: its place in the index's names, words that matched in a row, where they start."""

    item: int
    words: int
    start: int


@dataclass(frozen=True)
class BenchmarkPages:
    index: BenchmarkIndex

    name = "benchmark_pages"

    def identity(self) -> dict[str, Any]:
        return {
            "index": self.index.identity,
            "version": VERSION,
            "rule": [SURE_WORDS, SHORTEST_WORDS, SHORT_ITEMS],
        }

    def prepare(self, store: Store) -> None:
        self.index.prepare(store)

    def open(self, store: Store) -> Judge:
        index = self.index.load(store)

        def judge(documents: Sequence[Candidate]) -> list[Verdict | None]:
            if index is None:
                return [None] * len(documents)
            texts = [document.text for document in documents]
            found = items_in(index, tokenise(texts).words(), len(texts))
            return [_verdict(index, text, items) for text, items in zip(texts, found, strict=True)]

        return judge


def items_in(index: OverlapIndex, words: TokenArray, texts: int) -> list[list[Found]]:
    """Items of each text, each once, by its longest match; `words` is `tokenise(texts).words()`."""
    found: list[dict[int, Found]] = [{} for _ in range(texts)]
    for grams in (*(grams for grams in index.short if grams.size >= SHORTEST_WORDS), *index.grams):
        for text, start, item in zip(*(column.tolist() for column in grams.find(words)), strict=True):
            found[text][item] = Found(item, grams.size, start)
    return [list(items.values()) for items in found]


def _verdict(index: OverlapIndex, text: str, found: Sequence[Found]) -> Verdict | None:
    sure = [item for item in found if item.words >= SURE_WORDS]
    if not sure and len(found) < SHORT_ITEMS:
        return None
    shown = sorted(sure or found, key=lambda item: (-item.words, item.item))[:NAMED_ITEMS]
    words = plain_words(text)
    return Verdict(
        "benchmark_page",
        {
            "items": len(found),
            "named": [
                {
                    "benchmark": index.names[item.item][0],
                    "item": index.names[item.item][1],
                    "words": item.words,
                    "span": " ".join(words[item.start : item.start + item.words]),
                }
                for item in shown
            ],
        },
    )
