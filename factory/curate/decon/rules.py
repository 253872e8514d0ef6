"""The rules of decontamination: which alignments of rows and benchmark items are leaks, by which rule, how strongly.

Design: pure functions of alignments (kernels.py), whole columns at once; every rule gives a score and has a threshold
in the configuration. A source of further candidates (embeddings and a judge) would add alignments of its own. Two
conditions stand before all rules but `exact`: an item must say something (`LEAST_TOLD`: "Which of the following is
true?" does not), and what is shared must be half of what the item or the row says (`LEAST_SHARED`), because benchmarks
repeat their own phrases: "Which of the following is true about the" alone is eight words.

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
)

RULES_VERSION = 1
"""Raised when the same settings give other hits."""

EXACT = "exact"
RULES = ("short_containment", "ngram_coverage", "common_subsequence", "aligned_share", "truncated", "shuffled_options")
"""In the order in which a hit that fits several is named."""

LEAST_TOLD = 1.0
"""Weight of an item (weights.py) from which it can be recognised inside another text: one word of its own."""

LEAST_SHARED = 0.5

DENSE = 0.6
"""Share of the row's matched stretch that is matched: below it, words of an item lie scattered over a text."""

SHORT_TOLD = 1.5
SHORTEST_EDITED = 5
SHORT_ITEM_SHARE, SHORT_ROW_SHARE = 0.4, 0.4
"""Items of 5 to 7 words with one word edited: shares of weight in item and row that must be left. Of 172,326 sentences
of textbooks and manuals three fit; of fewer words nothing is left to be sure of."""

WHOLE_ROW = 0.85
CUT_ITEM_SHARE = 0.25
CUT_WORDS = 4
"""A cut item: nearly all that the row says is the item, a quarter of what the item says is there, in four words."""

SHUFFLED_SHARE = 0.7


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
    item_weight = index.item_weights[counts[:, ITEM]]
    told = item_weight >= LEAST_TOLD
    rule = np.full(len(counts), -1, np.int8)
    score = np.zeros(len(counts))
    for number, name in reversed(list(enumerate(RULES))):
        fits = told & (scores[name] > 0)
        rule[fits], score[fits] = number, scores[name][fits]
    swapped = counts[:, SWAPPED] > 0
    # A whole item that happens to be followed by numbers is that item.
    similar = swapped & (rule >= 0) & (counts[:, LONGEST] < index.words.counts[counts[:, ITEM]])
    return Judged(rule, score, similar)


def _scores(index: ItemIndex, found: Alignments, rules: DecontaminationConfig) -> dict[str, F64]:
    """Score of each rule, 0 where it does not apply or stays below its threshold: float64[C] each."""
    counts, shares = found.counts, found.shares
    words, row_words = index.words.counts[counts[:, ITEM]], counts[:, ROW_WORDS]
    loose = index.with_options[counts[:, ITEM]]
    solid, common = counts[:, SOLID], counts[:, COMMON]
    item_share, row_share = shares[:, ITEM_SHARE], shares[:, ROW_SHARE]
    shared = np.maximum(item_share, np.where(row_words <= words, row_share, 0)) >= LEAST_SHARED
    dense = solid >= DENSE * np.maximum(1, counts[:, STOP] - counts[:, START])
    long = words >= SHORT_ITEM
    least = rules.short_containment or 0
    contained = (words < SHORT_ITEM) & (words >= least) & (counts[:, LONGEST] == words)
    short_edit = (
        (words >= SHORTEST_EDITED)
        & (common >= words - 1)
        & (solid >= words - 2)
        & (item_share >= SHORT_ITEM_SHARE)
        & (row_share >= SHORT_ROW_SHARE)
        & (index.item_weights[counts[:, ITEM]] >= SHORT_TOLD)
    )
    aligned = np.where(long, solid / words, np.where(short_edit, common / words, 0))
    cut = (row_words < words) & (row_share >= WHOLE_ROW) & (item_share >= CUT_ITEM_SHARE) & (solid >= CUT_WORDS)
    whole_share = np.where(long, item_share >= LEAST_SHARED, short_edit)
    return {
        "short_containment": np.where(contained & (least > 0), 1.0, 0),
        "ngram_coverage": _over(counts[:, COVERED] / words, rules.ngram_coverage, long & shared),
        "common_subsequence": _over(
            common / np.minimum(words, row_words),
            rules.common_subsequence,
            shared & (common >= rules.common_subsequence_words),
        ),
        "aligned_share": _over(aligned, rules.aligned_share, dense & whole_share),
        "truncated": _over(solid / words, rules.truncated_share, cut),
        "shuffled_options": _over(counts[:, IN_RUNS] / words, SHUFFLED_SHARE if rules.aligned_share else None, loose),
    }


def _over(score: F64, threshold: float | None, where: npt.NDArray[np.bool_]) -> F64:
    if threshold is None:
        return np.zeros(len(score))
    result: F64 = np.where(where & (score >= threshold), np.minimum(score, 1.0), 0)
    return result
