"""How much a word says about an item: nearly nothing for "the", all for a word that one item has.

Design: 1 - log(items with the word) / log(items), floored, from the index's own items; English function words are
capped as well, because a small benchmark does not show how common they are. Sums of weights are in words: an item of
weight 3 says as much as three words of its own.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from factory.curate.decon.view import Words, view
from factory.curate.words import U64, tokenise

LEAST_WEIGHT = 0.05
FUNCTION_WORD_WEIGHT = 0.15

FUNCTION_WORDS = """
a about after all also am an and any are as at be because been before being between both but by can could did do does
doing during each few for from further had has have having he her here hers him his how i if in into is it its just many
may me might more most much must my no nor not now of off on once one only or other our out over own same shall she
should so some such than that the their them then there these they this those through too under until up upon us very
was we were what when where which while who whom whose why will with would you your
best correct example find following given statement statements true false question write function python
"""
"""Words of grammar, and those that tests are written in."""


def word_weights(words: Words) -> tuple[U64, npt.NDArray[np.float32]]:
    """uint64[V] distinct words of the items and English function words, sorted, and float32[V] their weights, between
    LEAST_WEIGHT and 1."""
    items = max(2, len(words.counts))
    owners = np.repeat(np.arange(len(words.counts)), words.counts)
    distinct, places = np.unique(words.hashes, return_inverse=True)
    pairs = np.unique(places.astype(np.int64) * items + owners)
    frequency = np.bincount(pairs // items, minlength=len(distinct))
    weights = np.maximum(1 - np.log(np.maximum(frequency, 1)) / np.log(items), LEAST_WEIGHT)
    function = _function_words()
    of_grammar = np.isin(distinct, function)
    weights[of_grammar] = np.minimum(weights[of_grammar], FUNCTION_WORD_WEIGHT)
    unseen = np.setdiff1d(function, distinct)
    vocabulary = np.concatenate((distinct, unseen))
    order = np.argsort(vocabulary)
    return vocabulary[order], np.concatenate((weights, np.full(len(unseen), FUNCTION_WORD_WEIGHT)))[order].astype(
        np.float32
    )


@lru_cache(maxsize=1)
def _function_words() -> U64:
    return np.unique(view(tokenise([FUNCTION_WORDS])).hashes)
