"""Documents that hold benchmark items: level 1 would extract them as questions of its own.

Design: the benchmark index of curation (curate/decon/), asked for its runs of equal words. A page is turned away when
it holds one item for certain (`NGRAM_WORDS` words in a row, or a shorter item of at least `SURE_WORDS` words whole), or
several items that are each too short to be sure of: a page of short questions, where one alone ("Which is a gas?") may
stand in any text. Eight words in a row, the rule for questions, is too strict for documents: they are a hundred times
longer than a question. Measured in docs/select.md.

Cost: docs/benchmarks.md, `select`: what `benchmark_pages` takes there includes tokenising the document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factory.curate.decon.index import ItemIndex
from factory.curate.decon.kernels import RUN_ITEM, RUN_LENGTH, RUN_PLACE, RUN_ROW
from factory.curate.decon.view import Words, view, viewed_words
from factory.curate.index_store import BenchmarkIndex
from factory.curate.words import tokenise
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

WHOLE_SHARE = 0.99
"""Share of an item's weight in runs: of a whole item all, but for rounding."""

NAMED_ITEMS = 5
"""Items named as evidence; the count says how many there were."""

VERSION = 2


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
            found = items_in(index, view(tokenise(texts)), len(texts))
            return [_verdict(index, text, items) for text, items in zip(texts, found, strict=True)]

        return judge


def items_in(index: ItemIndex, words: Words, texts: int) -> list[list[Found]]:
    """Items of each text, each once, by its longest match: NGRAM_WORDS in a row, or an item of SHORTEST_WORDS whole;
    `words` is `view(tokenise(texts))`."""
    lengths = index.words.counts
    found: list[dict[int, Found]] = [{} for _ in range(texts)]
    # Of a document, runs are asked for whatever share of an item they are.
    for run in index.runs(words, least_seeds=0, least_share=WHOLE_SHARE, long_run=NGRAM_WORDS).tolist():
        item, length = run[RUN_ITEM], run[RUN_LENGTH]
        whole = length == lengths[item] and length >= SHORTEST_WORDS
        before = found[run[RUN_ROW]].get(item)
        if (whole or length >= NGRAM_WORDS) and (before is None or length > before.words):
            found[run[RUN_ROW]][item] = Found(item, min(length, NGRAM_WORDS), run[RUN_PLACE])
    return [list(items.values()) for items in found]


def _verdict(index: ItemIndex, text: str, found: Sequence[Found]) -> Verdict | None:
    sure = [item for item in found if item.words >= SURE_WORDS]
    if not sure and len(found) < SHORT_ITEMS:
        return None
    shown = sorted(sure or found, key=lambda item: (-item.words, item.item))[:NAMED_ITEMS]
    words = viewed_words(text)
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
