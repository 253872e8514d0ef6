"""Hits: which row holds which benchmark item, with the evidence.

Design: `Screen` is an index with rules; it judges rows in batches and says for each hit where in the row the matched
stretch lies, in words. Words as strings are made only for hits. The best hit of a row (or of a row and benchmark) is
the one that is a leak rather than a look-alike, exact rather than not, with most of the item in it.

Cost: see docs/benchmarks.md, `decon`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import orjson

from factory.curate.decon.config import DecontaminationConfig
from factory.curate.decon.index import ItemIndex
from factory.curate.decon.kernels import ITEM, LONGEST, LONGEST_PLACE, ROW, SOLID, START, STOP
from factory.curate.decon.rules import EXACT, RULES, judge
from factory.curate.decon.view import view, viewed_words
from factory.curate.words import TokenArray

EMBEDDING = "embedding"
"""Rule of hits by similarity of vectors (nearest.py), beside those of words (rules.py)."""

LONGEST_SPAN = 60
"""Words of a matched span kept as evidence; longer ones are cut, their length is kept."""


@dataclass(frozen=True)
class Judged:
    """What a language model said of a row and an item, asked in both orders (judge.py): whether they are the same
    problem, None where there was no usable answer; by which model and prompt."""

    verdict: Literal["same", "different", "undecided"]
    first: bool | None
    second: bool | None
    model: str
    revision: str
    prompt_id: str


@dataclass(frozen=True)
class Hit:
    """Row `row` (its place in the batch) holds a benchmark item. `score` is the rule's, 0 to 1; `start` and `stop` are
    the matched stretch of the row in words (view.py), `span` these words; `item_words` the item's length; `copies`
    other items with the same text; `similar`: the item with other numbers in it, or one whose embedding is near;
    `judged` where a judge was asked."""

    row: int
    benchmark: str
    item: str
    field: str
    rule: str
    score: float
    similar: bool
    start: int
    stop: int
    span: str
    item_words: int
    copies: int
    judged: Judged | None = None

    @property
    def verdict(self) -> str:
        """contaminated | similar | undecided (the judge's answers differ) | different (the judge says so)"""
        if not self.similar:
            return "contaminated"
        return self.judged.verdict if self.judged else "similar"

    def evidence(self) -> dict[str, Any]:
        """What a reject keeps."""
        judged = {"judged": asdict(self.judged)} if self.judged else {}
        return {
            "benchmark": self.benchmark,
            "item": self.item,
            "field": self.field,
            "rule": self.rule,
            "score": round(self.score, 4),
            "similar": self.similar,
            "span": self.span,
            "start": self.start,
            "matched_words": self.stop - self.start,
            "item_words": self.item_words,
            "copies": self.copies,
            **judged,
        }


def count_evidence(kind: str, evidence: Iterable[str]) -> Counter[str]:
    """ "<kind>=<benchmark>: <rule>" -> rows, of evidence as JSON: facts of a unit that add up over units."""
    found = [orjson.loads(text) for text in evidence]
    return Counter(f"{kind}={one['benchmark']}: {one['rule']}" for one in found)


@dataclass(frozen=True)
class _Found:
    """A hit before its words are looked up; `item` is the index's."""

    row: int
    item: int
    rule: str
    score: float
    similar: bool
    start: int
    stop: int
    matched: int

    @property
    def order(self) -> tuple[bool, bool, int, float, int]:
        return (self.similar, self.rule != EXACT, -self.matched, -self.score, self.item)


Near = Callable[[Sequence[str], Sequence[int]], list[Hit]]
"""(texts, rows to look at) -> hits of these rows that no rule of words gives."""

VERDICTS = ("contaminated", "undecided", "similar", "different")


@dataclass(frozen=True)
class Screen:
    """An index with the rules that rows are held against; `near` is asked about rows in which these find nothing."""

    index: ItemIndex
    rules: DecontaminationConfig
    near: Near | None = None

    def best(self, texts: Sequence[str], array: TokenArray) -> dict[int, Hit]:
        """The strongest hit of each row that has one; `array` is `tokenise(texts)`."""
        return {hit.row: hit for hit in self._hits(texts, array, by_benchmark=False)}

    def hits(self, texts: Sequence[str], array: TokenArray) -> list[Hit]:
        """The strongest hit of each row and benchmark, in order of rows and benchmarks."""
        return self._hits(texts, array, by_benchmark=True)

    def rejects(self, hit: Hit) -> bool:
        """Whether a row falls for this hit. `similar` is about other numbers; `embedding` has its own threshold."""
        return not hit.similar or (self.rules.similar == "reject" and hit.rule != EMBEDDING)

    def _hits(self, texts: Sequence[str], array: TokenArray, by_benchmark: bool) -> list[Hit]:
        best: dict[tuple[int, str], _Found] = {}
        known: set[int] = set()
        for found in self._found(array):
            known.add(found.row)
            if found.similar and self.rules.similar == "ignore":
                continue
            key = found.row, self.index.names[found.item][0] if by_benchmark else ""
            if key not in best or found.order < best[key].order:
                best[key] = found
        hits = {key: self._hit(texts[best[key].row], best[key]) for key in best}
        if self.near is not None:
            for hit in self.near(texts, [row for row in range(len(texts)) if row not in known]):
                key = hit.row, hit.benchmark if by_benchmark else ""
                if key not in hits or _near_order(hit) < _near_order(hits[key]):
                    hits[key] = hit
        return [hits[key] for key in sorted(hits)]

    def _found(self, array: TokenArray) -> list[_Found]:
        words = view(array)
        alignments = self.index.alignments(words, self.rules.ngram_words)
        judged = judge(self.index, alignments, self.rules)
        result = []
        for place in np.flatnonzero(judged.rule >= 0).tolist():
            counts = alignments.counts[place].tolist()
            rule = RULES[judged.rule[place]]
            start, stop = counts[START], counts[STOP]
            if rule == "short_containment":
                start, stop = counts[LONGEST_PLACE], counts[LONGEST_PLACE] + counts[LONGEST]
            score, similar = float(judged.score[place]), bool(judged.similar[place])
            result.append(_Found(counts[ROW], counts[ITEM], rule, score, similar, start, stop, counts[SOLID]))
        if self.rules.exact:
            equal = self.index.equal(array.text_hashes)
            lengths = words.counts
            for row in np.flatnonzero(equal >= 0).tolist():
                length = int(lengths[row])
                result.append(_Found(row, int(equal[row]), EXACT, 1.0, False, 0, length, length))
        return result

    def _hit(self, text: str, found: _Found) -> Hit:
        benchmark, item, field = self.index.names[found.item]
        words = viewed_words(text)[found.start : min(found.stop, found.start + LONGEST_SPAN)]
        return Hit(
            found.row, benchmark, item, field, found.rule, found.score, found.similar, found.start, found.stop,
            " ".join(words), int(self.index.words.counts[found.item]), int(self.index.copies[found.item]),
        )  # fmt: skip


def _near_order(hit: Hit) -> tuple[int, float]:
    return VERDICTS.index(hit.verdict), -hit.score
