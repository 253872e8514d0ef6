"""What a selector keys on: words, or markup?

Design: two questions, asked of any scorer. Which words move scores: for fastText the model is linear below its
softmax, so a word's part in a document's score can be read off exactly; for anything else words are taken out of
texts and the difference is looked at. And whether markup moves them: the same texts, scored with their markup and
without it. A classifier of a field should barely notice the latter.

Cost: reading off 1 s for 2,000 documents; occlusion one scoring of every text for each word taken out of it.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from factory.select.fasttext_scorer import LABEL, FastTextScorer
from factory.select.preprocessing import excerpt, words_of
from factory.select.scoring import Scorer
from factory.select.training.lines import FUNCTION_WORDS
from factory.select.training.markup import strip_markup

WORDS = 30
"""Words shown each way."""

OCCLUDED_TEXTS, OCCLUDED_WORDS = 30, 10
"""Texts that words are taken out of, and words a text: 330 scorings, minutes with an embedding model on a CPU."""


@dataclass(frozen=True)
class WordEffect:
    """`effect`: mean change of a text's score by this word, over the texts that hold it (`texts` of them); for
    fastText in log-odds of the upper against the lower classes, for others in points."""

    word: str
    effect: float
    texts: int


@dataclass(frozen=True)
class Explanation:
    """The words that pull scores up and down the most over all the texts looked at (effect times texts)."""

    method: Literal["read off the model", "words taken out"]
    unit: Literal["log-odds", "points"]
    texts: int
    towards: tuple[WordEffect, ...]
    away: tuple[WordEffect, ...]


@dataclass(frozen=True)
class MarkupEffect:
    """The same texts with and without markup. `kept` and `kept_stripped` are shares at the threshold, `changed`
    the share of texts that cross it, `mean_change` the mean absolute change in points."""

    group: str
    texts: int
    kept: float
    kept_stripped: float
    changed: float
    mean_change: float


def explain(scorer: Scorer, texts: Sequence[str], seed: int = 0) -> Explanation:
    """What moves the scores of `texts`; deterministic."""
    if isinstance(scorer, FastTextScorer):
        return read_off(scorer, texts)
    return by_occlusion(scorer, texts, seed)


def read_off(scorer: FastTextScorer, texts: Sequence[str]) -> Explanation:
    """Exact parts of each word in the logits: a document's vector is the mean of its words' vectors.

    Only for models without word n-grams are the parts the whole; with them they are the single words' share."""
    names, matrix = scorer.model.get_words(), np.array(scorer.model.get_input_matrix()[: len(scorer.model.get_words())])
    classes = np.array([float(label.removeprefix(LABEL)) for label in scorer.model.get_labels()])
    weights = classes - classes.mean()
    # Log-odds of "upper" against "lower" classes: weighted mean of their logits on either side of the middle.
    upper, lower = weights > 0, weights < 0
    output = np.array(scorer.model.get_output_matrix())
    direction = _side(output, weights, upper) - _side(output, -weights, lower)
    pulls = dict(zip(names, (matrix @ direction).tolist(), strict=True))
    totals: dict[str, float] = defaultdict(float)
    holders: Counter[str] = Counter()
    for text in texts:
        counts = Counter(word for word in words_of(text).decode().split() if word in pulls)
        length = sum(counts.values()) + 1  # the end of the line has a vector too
        for word, count in counts.items():
            totals[word] += pulls[word] * count / length
            holders[word] += 1
    return _ranked("read off the model", "log-odds", len(texts), totals, holders)


def by_occlusion(scorer: Scorer, texts: Sequence[str], seed: int = 0) -> Explanation:
    """Takes the commonest words out of a sample of texts, one word at a time, and scores what is left."""
    chosen = random.Random(seed).sample(list(texts), min(OCCLUDED_TEXTS, len(texts)))
    shown = [excerpt(text) for text in chosen]
    variants, owners, taken = list(shown), list(range(len(shown))), [""] * len(shown)
    for place, text in enumerate(shown):
        for word in _content_words(text)[:OCCLUDED_WORDS]:
            variants.append(re.sub(rf"\b{re.escape(word)}\b", " ", text, flags=re.IGNORECASE))
            owners.append(place)
            taken.append(word)
    scores = scorer.score(variants)
    totals: dict[str, float] = defaultdict(float)
    holders: Counter[str] = Counter()
    for owner, word, score in zip(owners[len(shown) :], taken[len(shown) :], scores[len(shown) :], strict=True):
        totals[word] += scores[owner] - score
        holders[word] += 1
    return _ranked("words taken out", "points", len(shown), totals, holders)


def markup_effects(scorer: Scorer, groups: Mapping[str, Sequence[str]], threshold: float) -> tuple[MarkupEffect, ...]:
    """One entry a group of texts (a source, a label); empty groups are left out."""
    found = []
    for group, texts in groups.items():
        if not texts:
            continue
        shown = [excerpt(text) for text in texts]
        as_is = np.array(scorer.score(shown))
        stripped = np.array(scorer.score([strip_markup(text) for text in shown]))
        kept, kept_stripped = as_is >= threshold, stripped >= threshold
        found.append(
            MarkupEffect(
                group=group,
                texts=len(texts),
                kept=float(kept.mean()),
                kept_stripped=float(kept_stripped.mean()),
                changed=float((kept != kept_stripped).mean()),
                mean_change=float(np.abs(as_is - stripped).mean()),
            )
        )
    return tuple(found)


def _side(output: np.ndarray, weights: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Mean output row of the classes on one side, by how far they are from the middle."""
    mean: np.ndarray = (output[side] * weights[side, None]).sum(axis=0) / weights[side].sum()
    return mean


def _content_words(text: str) -> list[str]:
    """Words of three letters and more, commonest first, without function words."""
    words = [word for word in words_of(text).split() if len(word) >= 3 and word not in FUNCTION_WORDS]
    return [word.decode("utf-8", "replace") for word, _ in Counter(words).most_common(OCCLUDED_WORDS)]


def _ranked(
    method: Literal["read off the model", "words taken out"],
    unit: Literal["log-odds", "points"],
    texts: int,
    totals: Mapping[str, float],
    holders: Counter[str],
) -> Explanation:
    ordered = sorted(totals, key=lambda word: (totals[word], word))

    def effects(words: Sequence[str]) -> tuple[WordEffect, ...]:
        return tuple(WordEffect(word, totals[word] / holders[word], holders[word]) for word in words)

    return Explanation(
        method=method,
        unit=unit,
        texts=texts,
        towards=effects([word for word in reversed(ordered) if totals[word] > 0][:WORDS]),
        away=effects([word for word in ordered if totals[word] < 0][:WORDS]),
    )
