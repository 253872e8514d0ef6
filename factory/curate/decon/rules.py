"""The rules of decontamination: which alignments of rows and benchmark items are leaks, by which rule, how strongly.

Design: pure functions of alignments (kernels.py), whole columns at once; every rule gives a score and has a threshold
in the configuration. A source of further candidates (embeddings and a judge) would add alignments of its own. Two
conditions stand before all rules but `exact`: an item, and what a row shares with it, must say something (`LEAST_TOLD`:
"Which of the following is true?" does not), and what is shared must be half of what the item or the row says
(`LEAST_SHARED`), because benchmarks repeat their own phrases: "Which of the following is true about a" alone is eight
words of many items.

An alignment in which numbers stand for other numbers makes a row `similar`: another problem of the same template.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.curate.decon.config import DecontaminationConfig
from factory.curate.decon.index import SHORT_ITEM, Alignments, ItemIndex
from factory.curate.decon.kernels import (
    COMMON,
    COVERED,
    F64,
    IN_RUNS,
    ITEM,
    ITEM_SHARE,
    LONGEST,
    ROW_SHARE,
    ROW_WORDS,
    SOLID,
    START,
    STOP,
    SWAPPED,
    WORDED,
)

RULES_VERSION = 1
"""Raised when the same settings give other hits."""

EXACT = "exact"
RULES = ("short_containment", "ngram_coverage", "common_subsequence", "aligned_share", "truncated", "shuffled_options")
"""In the order in which a hit that fits several is named."""

LEAST_TOLD = 1.0
"""Weight (weights.py) from which words can be recognised inside another text: one word of an item's own. With
0.7 instead 178 of 200,000 clean rows were marked, not 43: nearly all were "Which of the following is true about a"."""

LEAST_SHARED = 0.5

DENSE = 0.6
"""Share of the row's matched stretch that is matched: below it, words of an item lie scattered over a text."""

SHORT_TOLD = 1.5
SHORTEST_EDITED = 5
SHORT_ITEM_SHARE, SHORT_ROW_SHARE = 0.4, 0.4
"""Items of 5 to 7 words with one word edited: weight they must have, and the shares of it that must be left in item and
row. Of fewer words nothing is left to be sure of."""

WHOLE_ROW = 0.85
CUT_ITEM_SHARE = 0.25
CUT_WORDS = 4
"""A cut item: nearly all that the row says is the item, a quarter of what the item says is there, in four words."""

LEAST_WORDS = 3
"""Words that are no numbers in what a row and an item share: 1 to 9 stand in a row in many a text. Where numbers stand
for others, at least half of it must be no numbers, or any two rows of numbers would be of one template."""


@dataclass(frozen=True)
class Judged:
    """For C alignments: `rule` int8[C] (place in RULES, -1 none), `score` float64[C] of it, `similar` bool[C]."""

    rule: npt.NDArray[np.int8]
    score: F64
    similar: npt.NDArray[np.bool_]


def judge(index: ItemIndex, found: Alignments, rules: DecontaminationConfig) -> Judged:
    """Applies every rule that is on."""
    counts = found.counts
    scores = _scores(index, found, rules)
    whole = counts[:, LONGEST] == index.words.counts[counts[:, ITEM]]
    # A whole item that happens to be followed by numbers is that item.
    swapped = (counts[:, SWAPPED] > 0) & ~whole
    numbers = (counts[:, WORDED] < LEAST_WORDS) | (swapped & (counts[:, WORDED] < counts[:, SOLID] / 2))
    considered = (index.item_weights[counts[:, ITEM]] >= LEAST_TOLD) & (whole | ~numbers)
    rule = np.full(len(counts), -1, np.int8)
    score = np.zeros(len(counts))
    for number, name in reversed(list(enumerate(RULES))):
        fits = considered & (scores[name] > 0)
        rule[fits], score[fits] = number, scores[name][fits]
    return Judged(rule, score, swapped & (rule >= 0))


def _scores(index: ItemIndex, found: Alignments, rules: DecontaminationConfig) -> dict[str, F64]:
    """Score of each rule, 0 where it does not apply or stays below its threshold: float64[C] each."""
    counts, shares = found.counts, found.shares
    items = counts[:, ITEM]
    words, row_words = index.words.counts[items], counts[:, ROW_WORDS]
    weight = index.item_weights[items]
    solid, common = counts[:, SOLID], counts[:, COMMON]
    item_share, row_share = shares[:, ITEM_SHARE], shares[:, ROW_SHARE]
    says = item_share * weight >= LEAST_TOLD
    shared = says & (np.maximum(item_share, np.where(row_words <= words, row_share, 0)) >= LEAST_SHARED)
    dense = solid >= DENSE * np.maximum(1, counts[:, STOP] - counts[:, START])
    long = words >= SHORT_ITEM
    contained = ~long & (words >= (rules.short_containment or SHORT_ITEM)) & (counts[:, LONGEST] == words)
    edited = ~long & (words >= SHORTEST_EDITED) & (weight >= SHORT_TOLD)
    edited &= (common >= words - 1) & (solid >= words - 2)
    edited &= (item_share >= SHORT_ITEM_SHARE) & (row_share >= SHORT_ROW_SHARE)
    cut = (row_words < words) & (row_share >= WHOLE_ROW) & (item_share >= CUT_ITEM_SHARE) & (solid >= CUT_WORDS)
    return {
        "short_containment": contained.astype(np.float64),
        "ngram_coverage": _over(counts[:, COVERED] / words, rules.ngram_coverage, long & shared),
        "common_subsequence": _over(
            common / np.minimum(words, row_words),
            rules.common_subsequence,
            shared & (common >= rules.common_subsequence_words),
        ),
        "aligned_share": _over(
            np.where(long, solid, common) / words,
            rules.aligned_share,
            dense & np.where(long, says & (item_share >= LEAST_SHARED), edited),
        ),
        "truncated": _over(solid / words, rules.truncated_share, cut),
        "shuffled_options": _over(counts[:, IN_RUNS] / words, rules.shuffled_options, index.with_options[items]),
    }


def _over(score: F64, threshold: float | None, where: npt.NDArray[np.bool_]) -> F64:
    if threshold is None:
        return np.zeros(len(score))
    result: F64 = np.where(where & (score >= threshold), np.minimum(score, 1.0), 0)
    return result
