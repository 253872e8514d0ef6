"""Which words of an answer have evidence in a source: the index of a source, and the search in it.

Design: two kinds of evidence. A pair is two content words with at most one other content word between them, in the
order of the source: the skip-bigram of ROUGE-S (Lin 2004, section 3.1) without function words, so that "the gradient
of a loss" is found in "a gradient of the loss". A run is `RUN_TOKENS` tokens that stand in the source as they are,
numbers, operators and single characters included: what formulas and scripts without spaces have. Tokens are those of
curate/words.py. Of several places in the source the one nearest to the evidence before it is taken.

How n and the gap were chosen: docs/answers.md, "How far an answer rests on its source".

Cost: see grounding.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from factory.curate import scan
from factory.curate.characters import fold
from factory.curate.words import I64, U64, Mask, scan_pieces, tokenise
from factory.native import compiled

RUN_TOKENS = 4
"""On 61 unrelated sections of one algebra book runs of 3 raise the share that is met by chance from 0.243 to 0.259,
runs of 4 to 0.246; a run of 4 is two words of Chinese."""

SKIPPED_WORDS = 1
"""Content words that may stand between the two of a pair. None: a tenth less of human summaries is found (0.34 of
their words against 0.38); two: a tenth more, and as much more of what is unrelated (0.031 against 0.037)."""

PAIR_CHARACTERS = 6
"""Length of both words of a pair together, at least: "x" after "f" stands on every page of a mathematics book."""

F64 = npt.NDArray[np.float64]

_BASE = np.uint64(0x9E3779B97F4A7C15)
_OCCURRENCES = 64
"""Places of one pair or run that are looked at: more of them say nothing about where an answer comes from."""

_FUNCTION_WORDS = """
a about above after again against all also although am among an and any are around as at be became because been before
being below between both but by can could did do does doing done down during each either else enough etc even every few
for from further had has have having he hence her here hers him his how however i if in into is it its itself just let
like many may me might more most much must my now of off on once one only or other our ours out over own per quite
rather same say see several shall she should since so some still such than that the their them then there therefore
these they this those through thus to too under until up upon us use used using very via was we well were what when
where whether which while who whom whose why will with within would yes yet you your s t re ve ll d m
"""
"""English words without a content of their own. Negations are not among them: they are what an answer says."""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())


@dataclass(frozen=True)
class Tokens:
    """A text as tokens: `hashes` uint64[T]; `content` bool[T], words and numbers that are no function words; `spans`
    int64[T, 2], first and last-plus-one character in the text as it was given."""

    hashes: U64
    content: Mask
    spans: I64


@dataclass(frozen=True)
class Source:
    """An indexed source: sorted hashes of its pairs and runs, and the token at which each begins."""

    tokens: Tokens
    pairs: U64
    pair_places: I64
    runs: U64
    run_places: I64


@dataclass(frozen=True)
class Trace:
    """What was found for each of an answer's T tokens: `places` int64[T], the token of the source that supports it, or
    -1; `certainty` float64[T], one over the places its evidence has there; `copied` int64[T], length in tokens of the
    longest run it lies in, 0 where it lies in none."""

    places: I64
    certainty: F64
    copied: I64


def read_tokens(text: str) -> Tokens:
    pieces = list(scan_pieces([text], spans=True))
    if not pieces or not len(pieces[0].hashes):
        return Tokens(np.empty(0, np.uint64), np.empty(0, np.bool_), np.empty((0, 2), np.int64))
    piece = pieces[0]
    spans = piece.spans.copy()
    if not text.isascii():
        spans = _in_the_original(text, spans, len(piece.codes))
    kinds = piece.hashes & np.uint64(scan.KIND_BITS)
    content = (kinds != np.uint64(scan.OPERATOR)) & ~_among(piece.hashes, _function_words())
    final, answer = _marker()
    # "Final answer:" is what the prompt asks for, and no source has it.
    at = np.flatnonzero((piece.hashes[:-1] == final) & (piece.hashes[1:] == answer))
    content[at] = content[at + 1] = False
    return Tokens(piece.hashes, content, spans)


@lru_cache(maxsize=512)
def index_source(text: str) -> Source:
    """Kept, because the questions of a passage follow each other."""
    tokens = read_tokens(text)
    words = np.flatnonzero(tokens.content)
    pairs, pair_places = (
        np.empty(len(words) * (SKIPPED_WORDS + 1), np.uint64),
        np.empty(len(words) * (SKIPPED_WORDS + 1), np.int64),
    )
    count = _list_pairs(tokens.hashes, words, _widths(tokens), pairs, pair_places)
    runs = np.empty(max(0, len(tokens.hashes) - RUN_TOKENS + 1), np.uint64)
    _list_runs(tokens.hashes, runs)
    by_pair, by_run = np.argsort(pairs[:count], kind="stable"), np.argsort(runs, kind="stable")
    return Source(tokens, pairs[by_pair], pair_places[by_pair], runs[by_run], by_run)


def trace(answer: Tokens, source: Source) -> Trace:
    count = len(answer.hashes)
    places, certainty, copied = np.full(count, -1, np.int64), np.zeros(count), np.zeros(count, np.int64)
    words = np.flatnonzero(answer.content)
    _find_runs(answer.hashes, source.tokens.hashes, source.runs, source.run_places, places, certainty, copied)
    _find_pairs(
        answer.hashes, words, _widths(answer), source.tokens.hashes, source.pairs, source.pair_places, places, certainty
    )
    return Trace(places, certainty, copied)


def _widths(tokens: Tokens) -> I64:
    return tokens.spans[:, 1] - tokens.spans[:, 0]


def _among(hashes: U64, listed: U64) -> Mask:
    at = np.minimum(np.searchsorted(listed, hashes), len(listed) - 1)
    found: Mask = listed[at] == hashes
    return found


@lru_cache(maxsize=1)
def _function_words() -> U64:
    return np.unique(tokenise([_FUNCTION_WORDS]).hashes)


@lru_cache(maxsize=1)
def _marker() -> tuple[np.uint64, np.uint64]:
    final, answer = tokenise(["final answer"]).hashes
    return final, answer


def _in_the_original(text: str, spans: I64, folded: int) -> I64:
    """Places in a folded text as places in the text itself. Folding letter by letter gives the same but for marks
    that join their letter, which are rare and short."""
    if folded == len(text):
        return spans
    ends = np.cumsum([len(fold(character)) for character in text])
    starts = np.searchsorted(ends, spans[:, 0], side="right")
    stops = np.searchsorted(ends, spans[:, 1], side="left") + 1
    return np.minimum(np.stack([starts, stops], axis=1), len(text))


@compiled
def _pair(first: np.uint64, second: np.uint64) -> np.uint64:
    return scan.mix(first * _BASE + second)


@compiled
def _list_pairs(hashes: U64, words: I64, widths: I64, pairs: U64, places: I64) -> int:
    """Fills in the pairs of a source and the token at which each begins; returns how many there are."""
    count = 0
    for left in range(len(words)):
        for right in range(left + 1, min(left + 2 + SKIPPED_WORDS, len(words))):
            first, second = words[left], words[right]
            if hashes[first] != hashes[second] and widths[first] + widths[second] >= PAIR_CHARACTERS:
                pairs[count], places[count] = _pair(hashes[first], hashes[second]), first
                count += 1
    return count


@compiled
def _run(hashes: U64, place: int) -> np.uint64:
    value = np.uint64(0)
    for step in range(RUN_TOKENS):
        value = value * _BASE + hashes[place + step]
    return scan.mix(value)


@compiled
def _list_runs(hashes: U64, runs: U64) -> None:
    for place in range(len(runs)):
        runs[place] = _run(hashes, place)


@compiled
def _find_runs(answer: U64, source: U64, runs: U64, run_places: I64, places: I64, certainty: F64, copied: I64) -> None:
    """Covers an answer with the longest runs from left to right."""
    place, expected = 0, 0
    while place + RUN_TOKENS <= len(answer):
        wanted = _run(answer, place)
        at = scan.first_place(runs, wanted)
        longest, start, ties = 0, 0, 0
        for candidate in range(at, min(at + _OCCURRENCES, len(runs))):
            if runs[candidate] != wanted:
                break
            begin, length = run_places[candidate], 0
            while (
                place + length < len(answer)
                and begin + length < len(source)
                and answer[place + length] == source[begin + length]
            ):
                length += 1
            nearer = abs(begin - expected) < abs(start - expected)
            if length > longest or (length == longest and nearer):
                ties = 1 if length > longest else ties + 1
                longest, start = length, begin
            elif length == longest:
                ties += 1
        if longest < RUN_TOKENS:
            place += 1
            continue
        for step in range(longest):
            if copied[place + step] < longest:
                copied[place + step], places[place + step] = longest, start + step
                certainty[place + step] = 1.0 / ties
        expected = start + longest
        # The next run may share tokens with this one, but has to go beyond it.
        place += longest - RUN_TOKENS + 1


@compiled
def _find_pairs(
    answer: U64,
    words: I64,
    widths: I64,
    source: U64,
    pairs: U64,
    pair_places: I64,
    places: I64,
    certainty: F64,
) -> None:
    """Gives the words of every pair a place, where no run or surer pair has given them one."""
    expected = 0
    for left in range(len(words)):
        for right in range(left + 1, min(left + 2 + SKIPPED_WORDS, len(words))):
            first, second = words[left], words[right]
            if answer[first] == answer[second] or widths[first] + widths[second] < PAIR_CHARACTERS:
                continue
            wanted = _pair(answer[first], answer[second])
            at = scan.first_place(pairs, wanted)
            begin, count = -1, 0
            for candidate in range(at, min(at + _OCCURRENCES, len(pairs))):
                if pairs[candidate] != wanted:
                    break
                count += 1
                if begin < 0 or abs(pair_places[candidate] - expected) < abs(begin - expected):
                    begin = pair_places[candidate]
            if begin < 0:
                continue
            end = begin + 1
            while source[end] != answer[second]:
                end += 1
            if certainty[first] < 1.0 / count:
                places[first], certainty[first] = begin, 1.0 / count
            if certainty[second] < 1.0 / count:
                places[second], certainty[second] = end, 1.0 / count
            expected = end
