"""Compiled passes of decontamination: from the words of a row to its alignments with benchmark items.

Design: seed and extend, as sequence search in biology does it (Altschul et al. 1990). `find_runs` looks every word
3-gram of a row up (a common one leads on to 4- and 5-grams), extends each hit along its diagonal to the longest run of
equal words, and keeps the runs of those items of which the runs make up a fair share. `align` takes the longest common
subsequence of item and row within a window around these runs, so that a long row is not credited with the common words
that any long text has.

Cost: see index.py.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.curate.scan import NUMBER, ngram_hash
from factory.curate.words import I64, U64
from factory.native import compiled

I32 = npt.NDArray[np.int32]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

SEED_WORDS = 3
LONGEST_SEED_WORDS = 5

PAIR_WORDS = 2
SHORT_ROW = 14
"""Rows of so many words are looked up by pairs, too: one word edited in the middle of five leaves no three in a row. In
longer rows pairs would say nothing, and a short item edited within them is not looked for."""

MOST_ITEMS = 1 << 20
_PLACES = 1 << 22
_NO_SHIFT = 1 << 21
STRETCH = 1 << 20
"""A seed is one integer: item, diagonal, place. A row of more words than a stretch is worked in several, each of which
gives candidates of its own."""

RUN_COLUMNS = 5
RUN_ROW, RUN_ITEM, RUN_PLACE, RUN_ITEM_PLACE, RUN_LENGTH = range(RUN_COLUMNS)

COLUMNS = 13
(ROW, ITEM, LONGEST, LONGEST_PLACE, COVERED, IN_RUNS, COMMON, SOLID, SWAPPED, WORDED, START, STOP, ROW_WORDS) = range(
    COLUMNS
)
"""Of an alignment: row and item; words of the longest run of equal words and its place in the row; item words covered
by runs of at least the n-gram size, and by runs of any length; words of the common subsequence, and of it those beside
another one; numbers of these for which the row has another number, and those that are no numbers; the stretch of the
row from the first of them to the last; words of the row."""

SHARES = 2
ITEM_SHARE, ROW_SHARE = range(SHARES)
"""Weight of the aligned words that are beside another one, as a share of the item's weight and of the row's."""

_SAME, _SWAP = 16, 15
"""Equal words count a little more than numbers that stand for each other, so that an equal number is preferred."""

_MATCH, _UP, _LEFT = np.uint8(0), np.uint8(1), np.uint8(2)


@compiled
def _bucket(hashes: U64, starts: I32, bitmap: U64, bits: int, value: np.uint64) -> int:
    """Place of `value` in `hashes` (sorted), -1 where it is not. `starts` has 2^bits + 1 places where the hashes with
    the same leading `bits` begin; `bitmap` is a Bloom filter, the two bits of a hash in one word of it."""
    wanted = bloom_bits(value)
    if bitmap[value >> np.uint64(67 - bits)] & wanted != wanted:
        return -1
    leading = value >> np.uint64(64 - bits)
    for place in range(starts[leading], starts[leading + np.uint64(1)]):
        if hashes[place] == value:
            return place
    return -1


@compiled
def bloom_bits(value: np.uint64) -> np.uint64:
    one, other = value & np.uint64(63), (value >> np.uint64(6)) & np.uint64(63)
    return (np.uint64(1) << one) | (np.uint64(1) << other)


@compiled
def fill_bitmap(hashes: U64, bits: int, bitmap: U64) -> None:
    """Sets the bits of all hashes in `bitmap` uint64[2^(bits - 3)]: eight to sixteen bits a hash."""
    for value in hashes:
        bitmap[value >> np.uint64(67 - bits)] |= bloom_bits(value)


@compiled
def find_runs(
    words: U64, offsets: I64, hashes: U64, starts: I32, bitmap: U64, bits: int, firsts: I32, extends: U8,
    posted: I32, posted_places: I32, item_seeds: I32, item_words: U64, item_offsets: I64, weights: F32,
    item_weights: F64, least_seeds: float, least_share: float, long_run: int, seeds: U64, runs: I32,
) -> tuple[int, int]:  # fmt: skip
    """Fills `runs` int32[R, RUN_COLUMNS], in order of row, item, diagonal and place, with the runs of equal words of
    every row and item where these have at least `least_share` of the weight of the shorter one, or `long_run` words,
    and the row at least `least_seeds` of the item's grams, as a share of what the shorter one can have.

    Returns the seeds of the row with most of them and the number of runs; where `seeds` (scratch) or `runs` is
    smaller, it has to be called again with larger ones.
    """
    count = most = 0
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        shortest = PAIR_WORDS if stop - start <= SHORT_ROW else SEED_WORDS
        for base in range(start, stop, STRETCH):
            found = 0
            for place in range(base, min(base + STRETCH, stop - shortest + 1)):
                for size in range(shortest, LONGEST_SEED_WORDS + 1):
                    if place + size > stop:
                        break
                    at = _bucket(hashes, starts, bitmap, bits, ngram_hash(words, place, size))
                    if at < 0 and size >= SEED_WORDS:
                        break
                    if at < 0:
                        continue
                    for posting in range(firsts[at], firsts[at + 1]):
                        if found < len(seeds):
                            diagonal = place - base - posted_places[posting] + _NO_SHIFT
                            seeds[found] = (
                                (np.uint64(posted[posting]) << np.uint64(44))
                                | (np.uint64(diagonal) << np.uint64(22))
                                | np.uint64(place - base)
                            )
                        found += 1
                    if size >= SEED_WORDS and not extends[at]:
                        break
            most = max(most, found)
            if found == 0 or found > len(seeds):
                continue
            _sort(seeds, found)
            begin = 0
            while begin < found:
                item = seeds[begin] >> np.uint64(44)
                end = begin
                while end < found and seeds[end] >> np.uint64(44) == item:
                    end += 1
                # Most items share a gram or two with a row; to look at their words would cost a cache miss each.
                shorter = min(1.0, (stop - start) / (item_offsets[item + np.uint64(1)] - item_offsets[item]))
                if end - begin >= least_seeds * item_seeds[item] * shorter:
                    count = _runs_of(
                        row, int(item), seeds, begin, end, words, start, base, stop, item_words, item_offsets, weights,
                        item_weights, least_share, long_run, runs, count,
                    )  # fmt: skip
                begin = end
    return most, count


@compiled
def _sort(values: U64, count: int) -> None:
    """By insertion: most rows have a handful of seeds."""
    if count > 64:
        values[:count] = np.sort(values[:count])
        return
    for index in range(1, count):
        value = values[index]
        place = index
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value


@compiled
def _runs_of(
    row: int, item: int, seeds: U64, begin: int, end: int, words: U64, start: int, base: int, stop: int,
    item_words: U64, item_offsets: I64, weights: F32, item_weights: F64, least_share: float, long_run: int, runs: I32,
    count: int,
) -> int:  # fmt: skip
    """Adds the runs of one item, seeds[begin:end], unless they are too little of it. Returns the new count."""
    first, last = item_offsets[item], item_offsets[item + 1]
    total, longest, added = 0.0, 0, count
    run_diagonal, run_stop = -1, 0
    for seed in range(begin, end):
        diagonal = int((seeds[seed] >> np.uint64(22)) & np.uint64(_PLACES - 1))
        place = int(seeds[seed] & np.uint64(_PLACES - 1))
        if diagonal == run_diagonal and place < run_stop:
            continue
        ahead, item_place = base + place, first + place - (diagonal - _NO_SHIFT)
        left = 0
        while (
            ahead - left > start
            and item_place - left > first
            and words[ahead - left - 1] == item_words[item_place - left - 1]
        ):
            left += 1
        length = 0
        while (
            ahead + length < stop
            and item_place + length < last
            and words[ahead + length] == item_words[item_place + length]
        ):
            length += 1
        for index in range(item_place - left, item_place + length):
            total += weights[index]
        if added < len(runs):
            runs[added, RUN_ROW], runs[added, RUN_ITEM] = row, item
            runs[added, RUN_PLACE] = ahead - left - start
            runs[added, RUN_ITEM_PLACE] = item_place - left - first
            runs[added, RUN_LENGTH] = left + length
        added += 1
        longest = max(longest, left + length)
        run_diagonal, run_stop = diagonal, place + length
    shorter = min(1.0, (stop - start) / (last - first))
    if total >= least_share * item_weights[item] * shorter or longest >= long_run:
        return added
    return count


@compiled
def align(
    words: U64, offsets: I64, item_words: U64, item_offsets: I64, weights: F32, item_weights: F64, runs: I32,
    groups: I64, vocabulary: U64, vocabulary_weights: F32, ngram: int, table: I32, steps: U8, counts: I64, shares: F64,
) -> None:  # fmt: skip
    """Fills `counts` int64[C, COLUMNS] and `shares` float64[C, SHARES]: the alignment of each candidate, whose runs are
    runs[groups[c]:groups[c + 1]]. `table` and `steps` are scratch for two windows' lengths and their product."""
    for candidate in range(len(groups) - 1):
        begin, end = groups[candidate], groups[candidate + 1]
        row, item = runs[begin, RUN_ROW], runs[begin, RUN_ITEM]
        start, stop = offsets[row], offsets[row + 1]
        first, last = item_offsets[item], item_offsets[item + 1]
        length, row_length = last - first, stop - start
        covered = np.zeros(length, np.uint8)
        longest, longest_place = 0, 0
        for run in range(begin, end):
            if runs[run, RUN_LENGTH] > longest:
                longest, longest_place = runs[run, RUN_LENGTH], runs[run, RUN_PLACE]
            at = runs[run, RUN_ITEM_PLACE]
            for index in range(at, at + runs[run, RUN_LENGTH]):
                covered[index] |= 3 if runs[run, RUN_LENGTH] >= ngram else 1
        row_start, row_stop = _window(runs, begin, end, RUN_PLACE, RUN_ITEM_PLACE, row_length, length)
        item_start, item_stop = _window(runs, begin, end, RUN_ITEM_PLACE, RUN_PLACE, length, row_length)
        _subsequence(
            words[start + row_start : start + row_stop], item_words[first + item_start : first + item_stop],
            weights[first + item_start : first + item_stop], table, steps, counts[candidate], shares[candidate],
        )  # fmt: skip
        counts[candidate, ROW], counts[candidate, ITEM] = row, item
        counts[candidate, LONGEST], counts[candidate, LONGEST_PLACE] = longest, longest_place
        for index in range(length):
            counts[candidate, COVERED] += covered[index] >> 1
            counts[candidate, IN_RUNS] += covered[index] & 1
        counts[candidate, START] += row_start
        counts[candidate, STOP] += row_start
        counts[candidate, ROW_WORDS] = row_length
        row_weight = _weight_of(words[start:stop], vocabulary, vocabulary_weights)
        shares[candidate, ROW_SHARE] = shares[candidate, ITEM_SHARE] / row_weight
        shares[candidate, ITEM_SHARE] /= item_weights[item]


@compiled
def window_length(length: int) -> int:
    """Words of a long text that are compared with `length` words of the other: room for a quarter put in between."""
    return length + length // 4 + 4


@compiled
def _window(runs: I32, begin: int, end: int, here: int, there: int, length: int, other: int) -> tuple[int, int]:
    """The stretch of a text of `length` words that holds most words of the runs, where it is longer than a window for
    the `other` text needs to be."""
    wide = window_length(other)
    if length <= wide:
        return 0, length
    best, best_start = -1, 0
    for anchor in range(begin, end):
        start = max(0, runs[anchor, here] - runs[anchor, there] - other // 8 - 2)
        inside = 0
        for run in range(begin, end):
            if start <= runs[run, here] and runs[run, here] + runs[run, RUN_LENGTH] <= start + wide:
                inside += runs[run, RUN_LENGTH]
        if inside > best:
            best, best_start = inside, start
    return best_start, min(length, best_start + wide)


@compiled
def _subsequence(words: U64, item: U64, weights: F32, table: I32, steps: U8, counts: I64, shares: F64) -> None:
    """Longest common subsequence, in which a number may stand for another one, and the way back through it."""
    rows, columns = len(words), len(item)
    table[: columns + 1] = 0
    for row in range(rows):
        diagonal = np.int32(0)
        number = _is_number(words[row])
        for column in range(columns):
            above = table[column + 1]
            if words[row] == item[column]:
                value, step = diagonal + np.int32(_SAME), _MATCH
            else:
                value, step = above, _UP
                if table[column] > value:
                    value, step = table[column], _LEFT
                if number and _is_number(item[column]) and diagonal + np.int32(_SWAP) > value:
                    value, step = diagonal + np.int32(_SWAP), _MATCH
            diagonal = above
            table[column + 1] = value
            steps[row * columns + column] = step
    common, solid, swapped, worded, start, stop = 0, 0, 0, 0, 0, 0
    solid_weight = 0.0
    row, column = rows - 1, columns - 1
    after_row, after_column = -1, -1  # the match behind this one, none yet
    joined = False
    while row >= 0 and column >= 0:
        step = steps[row * columns + column]
        if step == _UP:
            row -= 1
            continue
        if step == _LEFT:
            column -= 1
            continue
        beside = after_row == row + 1 and after_column == column + 1
        common += 1
        if beside:
            if not joined:
                solid += 1
                solid_weight += weights[after_column]
                swapped += words[after_row] != item[after_column]
                worded += not _is_number(words[after_row])
                if stop == 0:
                    stop = after_row + 1
            solid += 1
            solid_weight += weights[column]
            swapped += words[row] != item[column]
            worded += not _is_number(words[row])
            start = row
        joined = beside
        after_row, after_column = row, column
        row -= 1
        column -= 1
    counts[COMMON], counts[SOLID], counts[SWAPPED], counts[WORDED] = common, solid, swapped, worded
    counts[START], counts[STOP] = start, stop
    shares[ITEM_SHARE] = solid_weight


@compiled
def _is_number(word: np.uint64) -> bool:
    return bool(word & np.uint64(3) == np.uint64(NUMBER))


@compiled
def _weight_of(words: U64, vocabulary: U64, vocabulary_weights: F32) -> float:
    """Weight of a text; a word that no item has weighs 1."""
    total = 0.0
    for word in words:
        place = np.searchsorted(vocabulary, word)
        known = place < len(vocabulary) and vocabulary[place] == word
        total += vocabulary_weights[place] if known else 1.0
    return total
