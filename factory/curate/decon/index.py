"""The index of benchmark items: which items hold a word gram, the items' own words, and how rare these are.

Design: every distinct text of a benchmark is an item, its words kept as hashes. Where an item's word 3-gram stands in
few items (`COMMON_ITEMS`) it points at them; a commoner one leads on to the 4-gram, and that to the 5-gram, so a
question is found by what is its own, and "which of the following" costs nothing. An item without any rare gram is found
by its common ones. 8-grams only score: one word in ten edited leaves few of them.

Cost: 19,000 items of seven benchmarks: see docs/benchmarks.md, `decon`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from factory.arrays import arrays_in
from factory.curate.benchmarks import Item
from factory.curate.decon.kernels import (
    COLUMNS,
    F32,
    F64,
    I32,
    LONGEST_SEED_WORDS,
    MOST_ITEMS,
    PAIR_WORDS,
    RUN_COLUMNS,
    RUN_ITEM,
    RUN_ROW,
    SEED_WORDS,
    SHARES,
    align,
    fill_bitmap,
    find_runs,
)
from factory.curate.decon.view import Words, view
from factory.curate.decon.weights import word_weights
from factory.curate.words import I64, U64, TokenArray, ngram_hashes, tokenise
from factory.errors import ConfigError

INDEX_VERSION = 1
"""Raised when the same benchmarks give another index."""

COMMON_ITEMS = 8
"""Items from which a gram is common: a row that has it would be compared with each of them."""

LEAST_SEEDS = 0.08
"""Share of an item's grams that a row must have before the words are compared: a third of its words in runs of three,
the shortest that have a gram, with something to spare."""

LEAST_SHARE = 0.3
"""Share of the shorter text's weight that runs of equal words must make up before the texts are aligned. One word in
ten edited leaves runs of three words and more over at least half of an item."""

GENERIC_WEIGHT = 1.5
"""Weight below which a question is not told by its words: "Which of the following statements is true?" weighs 0.7."""

SHORT_ITEM = 8
"""Items below this are too short for 8-grams; pairs of their words are looked up in short rows."""

_RUNS = 4096
_SEEDS = 4096


@dataclass(frozen=True)
class Alignments:
    """C candidates: `counts` int64[C, COLUMNS] and `shares` float64[C, SHARES], columns as kernels.py names them."""

    counts: I64
    shares: F64


@dataclass(frozen=True)
class ItemIndex:
    """N distinct texts: `names` (benchmark, item, field) of each, `copies` int32[N] other items with that text,
    `with_options` bool[N] whether the choices are part of it, `words` of all, `vocabulary` uint64[V] (sorted) and
    `vocabulary_weights` float32[V] of their distinct words, `exact` uint64[N, 2] hashes of the normal forms.

    G grams: `grams` uint64[G] sorted, `firsts` int32[G + 1] where their postings begin, `extends` uint8[G] whether a
    longer gram is to be tried; postings: `posted` int32[P] items and `posted_places` int32[P] places in them."""

    names: tuple[tuple[str, str, str], ...]
    copies: I32
    with_options: npt.NDArray[np.bool_]
    words: Words
    vocabulary: U64
    vocabulary_weights: F32
    exact: U64
    grams: U64
    firsts: I32
    extends: npt.NDArray[np.uint8]
    posted: I32
    posted_places: I32

    def runs(
        self, words: Words, least_seeds: float = LEAST_SEEDS, least_share: float = LEAST_SHARE, long_run: int = 1 << 30
    ) -> I32:
        """int32[R, RUN_COLUMNS]: runs of equal words between rows and items, see `kernels.find_runs`."""
        seeds, runs = np.empty(_SEEDS, np.uint64), np.empty((_RUNS, RUN_COLUMNS), np.int32)
        while True:
            most, count = find_runs(
                words.hashes, words.offsets, self.grams, self._starts, self._bitmap, self._bits, self.firsts,
                self.extends, self.posted, self.posted_places, self._item_seeds, self.words.hashes, self.words.offsets,
                self.weights, self.item_weights, least_seeds, least_share, long_run, seeds, runs,
            )  # fmt: skip
            if most <= len(seeds) and count <= len(runs):
                return runs[:count]
            seeds = np.empty(max(most, len(seeds)), np.uint64)
            runs = np.empty((max(2 * count, len(runs)), RUN_COLUMNS), np.int32)

    def alignments(self, words: Words, ngram_words: int) -> Alignments:
        """Candidates of rows and items, in order of row and item, aligned."""
        runs = self.runs(words)
        if not len(runs):
            return Alignments(np.empty((0, COLUMNS), np.int64), np.empty((0, SHARES)))
        keys = runs[:, RUN_ROW].astype(np.int64) << 32 | runs[:, RUN_ITEM]
        groups = np.append(np.flatnonzero(np.diff(keys, prepend=-1)), len(runs))
        rows, items = runs[groups[:-1], RUN_ROW], runs[groups[:-1], RUN_ITEM]
        row_words, item_words = words.counts[rows], self.words.counts[items]
        width = np.minimum(item_words, window_lengths(row_words))
        height = np.minimum(row_words, window_lengths(item_words))
        counts, shares = np.zeros((len(rows), COLUMNS), np.int64), np.zeros((len(rows), SHARES))
        table, steps = np.empty(int(width.max()) + 1, np.int32), np.empty(int((width * height).max()), np.uint8)
        align(
            words.hashes, words.offsets, self.words.hashes, self.words.offsets, self.weights, self.item_weights, runs,
            groups, self.vocabulary, self.vocabulary_weights, ngram_words, table, steps, counts, shares,
        )  # fmt: skip
        return Alignments(counts, shares)

    def equal(self, text_hashes: U64) -> npt.NDArray[np.int64]:
        """For each text its hash (uint64[N, 2]) the item with that normal form, -1 without one: int64[N]."""
        result = np.full(len(text_hashes), -1, np.int64)
        order, first = self._exact_order
        if not len(order):
            return result
        places = np.searchsorted(first, text_hashes[:, 0])
        places[places == len(first)] = 0
        same = (self.exact[order[places]] == text_hashes).all(axis=1)
        result[same] = order[places[same]]
        return result

    @cached_property
    def weights(self) -> F32:
        """float32[L]: weight of each word of the items."""
        return self.vocabulary_weights[np.searchsorted(self.vocabulary, self.words.hashes)]

    @cached_property
    def item_weights(self) -> F64:
        """float64[N]: weight of each item, all its words together."""
        return _item_weights(self.words, self.vocabulary, self.vocabulary_weights)

    @cached_property
    def _exact_order(self) -> tuple[I64, U64]:
        order = np.argsort(self.exact[:, 0])
        return order, self.exact[order, 0]

    @cached_property
    def _bits(self) -> int:
        """Leading bits of a hash that say where to look, so many that a place has one gram or two; the bitmap has
        eight bits a place."""
        return max(4, len(self.grams).bit_length())

    @cached_property
    def _starts(self) -> I32:
        leading = self.grams >> np.uint64(64 - self._bits)
        return np.searchsorted(leading, np.arange((1 << self._bits) + 1, dtype=np.uint64)).astype(np.int32)

    @cached_property
    def _bitmap(self) -> U64:
        bitmap = np.zeros(1 << (self._bits - 3), np.uint64)
        fill_bitmap(self.grams, self._bits, bitmap)
        return bitmap

    @cached_property
    def _item_seeds(self) -> I32:
        """int32[N]: postings of each item."""
        return np.bincount(self.posted, minlength=len(self.names)).astype(np.int32)


def window_lengths(lengths: I64) -> I64:
    """`kernels.window_length` of many."""
    return lengths + lengths // 4 + 4


def build_index(items: Sequence[Item]) -> ItemIndex:
    """Index over the texts of `items`; O(words) time and memory. Texts without a word are only found when equal."""
    words, vocabulary, weights, array = _weighed([item.text for item in items])
    # A question that says next to nothing by itself is known by its choices; it stays in as well, for `exact`.
    generic = [
        item for item, weight in zip(items, _item_weights(words, vocabulary, weights), strict=True)
        if item.options and weight < GENERIC_WEIGHT
    ]  # fmt: skip
    texts = [item.text for item in items] + [" ".join((item.text, *item.options)) for item in generic]
    if generic:
        words, vocabulary, weights, array = _weighed(texts)
    named = [*items, *generic]
    _, firsts, groups, copies = np.unique(
        array.text_hashes, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    if len(firsts) > MOST_ITEMS:
        raise ConfigError(
            f"the benchmarks hold {len(firsts):,} different texts; an index takes {MOST_ITEMS:,}",
            cause="a training set is listed among the benchmarks, or a field with more than questions",
            remedy="correct curate.benchmarks[].path or .fields",
        )
    kept = np.sort(firsts)  # the first item that has a text stands for all
    chosen = np.zeros(len(texts), np.bool_)
    chosen[kept] = True
    words = Words(words.hashes[np.repeat(chosen, words.counts)], np.concatenate(([0], np.cumsum(words.counts[chosen]))))
    return ItemIndex(
        tuple((named[place].benchmark, named[place].item, named[place].field) for place in kept.tolist()),
        (copies[groups.reshape(-1)] - 1)[kept].astype(np.int32),
        kept >= len(items),
        words,
        vocabulary,
        weights,
        array.text_hashes[kept],
        *_gram_table(words),
    )


def _weighed(texts: Sequence[str]) -> tuple[Words, U64, F32, TokenArray]:
    array = tokenise(texts)
    words = view(array)
    return words, *word_weights(words), array


def _item_weights(words: Words, vocabulary: U64, weights: F32) -> F64:
    """float64[N]: weight of each text, all its words together."""
    each = weights[np.searchsorted(vocabulary, words.hashes)]
    totals = np.concatenate(([0.0], np.cumsum(each, dtype=np.float64)))
    result: F64 = np.maximum(totals[words.offsets[1:]] - totals[words.offsets[:-1]], 1e-6)
    return result


@dataclass(frozen=True)
class _Grams:
    """All grams of one size: `hashes` uint64[M], `items` and `places` (in the item) int64[M], `common` bool[M]."""

    hashes: U64
    items: I64
    places: I64
    common: npt.NDArray[np.bool_]


def _grams(words: Words, size: int) -> _Grams:
    hashes, items = ngram_hashes(TokenArray(words.hashes, words.offsets, np.empty((0, 2), np.uint64)), size)
    counts = np.maximum(words.counts - size + 1, 0)
    places = np.arange(len(hashes)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = np.lexsort((items, hashes))
    new = np.ones(len(order), np.bool_)
    new[1:] = hashes[order][1:] != hashes[order][:-1]
    another = new.copy()
    another[1:] |= items[order][1:] != items[order][:-1]
    group = np.cumsum(new) - 1
    in_items = np.bincount(group, weights=another) if len(order) else np.zeros(0)
    common = np.empty(len(order), np.bool_)
    common[order] = in_items[group] > COMMON_ITEMS
    return _Grams(hashes, items, places, common)


def _gram_table(words: Words) -> tuple[U64, I32, npt.NDArray[np.uint8], I32, I32]:
    """`grams`, `firsts`, `extends`, `posted` and `posted_places` of an ItemIndex."""
    lengths = words.counts
    sizes = {size: _grams(words, size) for size in range(PAIR_WORDS, LONGEST_SEED_WORDS + 1)}
    pairs = sizes.pop(PAIR_WORDS)
    kept = {PAIR_WORDS: ~pairs.common & (lengths[pairs.items] < SHORT_ITEM) & (lengths[pairs.items] >= SEED_WORDS)}
    found = np.zeros(len(lengths), np.bool_)
    extending = [np.zeros(0, np.uint64)]
    tried = np.ones(len(sizes[SEED_WORDS].hashes), np.bool_)
    for size, grams in sizes.items():
        kept[size] = tried & ~grams.common
        found[grams.items[kept[size]]] = True
        if size < LONGEST_SEED_WORDS:
            # The longer gram at a place counts where the shorter one there is common.
            leads = tried & grams.common
            extending.append(np.unique(grams.hashes[leads]))
            tried = leads[grams.places < lengths[grams.items] - size]
    for size in reversed(sizes):  # an item without a rare gram: its longest ones, however common
        forced = ~found[sizes[size].items]
        kept[size] |= forced
        found[sizes[size].items[forced]] = True
    sizes[PAIR_WORDS] = pairs
    hashes = np.concatenate([grams.hashes[kept[size]] for size, grams in sizes.items()])
    items = np.concatenate([grams.items[kept[size]] for size, grams in sizes.items()])
    places = np.concatenate([grams.places[kept[size]] for size, grams in sizes.items()])
    order = np.lexsort((places, items, hashes))
    leading = np.unique(np.concatenate(extending))
    table = np.unique(np.concatenate((hashes, leading)))
    return (
        table,
        np.append(np.searchsorted(hashes[order], table), len(hashes)).astype(np.int32),
        np.isin(table, leading).astype(np.uint8),
        items[order].astype(np.int32),
        places[order].astype(np.int32),
    )


def index_to_bytes(index: ItemIndex) -> bytes:
    """An .npz archive, names as JSON in it."""
    arrays = {name: getattr(index, name) for name in _ARRAYS}
    names = np.frombuffer(orjson.dumps(index.names), np.uint8)
    sink = io.BytesIO()
    np.savez(sink, names=names, words=index.words.hashes, offsets=index.words.offsets, **arrays)
    return sink.getvalue()


def index_from_bytes(data: bytes) -> ItemIndex:
    """What `index_to_bytes` gave. Raises ValueError for bytes that are no such archive."""
    arrays = arrays_in(data)
    try:
        names = names_in(arrays.pop("names"))
        words = Words(arrays.pop("words"), arrays.pop("offsets"))
        return ItemIndex(names=names, words=words, **arrays)
    except (KeyError, TypeError) as error:
        raise ValueError(f"an array is missing or too many: {error}") from None


def names_in(array: Any) -> tuple[tuple[str, str, str], ...]:
    """(benchmark, item, field) of every item, from the JSON in an archive. Raises ValueError and TypeError."""
    return tuple((str(benchmark), str(item), str(field)) for benchmark, item, field in orjson.loads(array.tobytes()))


_ARRAYS = (
    "copies", "with_options", "vocabulary", "vocabulary_weights", "exact", "grams", "firsts", "extends", "posted",
    "posted_places",
)  # fmt: skip
