"""What a document is: its normalised text, its id, and the chunks a model can read.

Design: normalising makes equal what only differs in how it was stored (Unicode composition, newline style,
trailing spaces, control characters) and touches nothing a reader would see: no case, no LaTeX, no numbers,
no indentation, no blank lines inside. The id of a document is the hash of that text, so it is the same in
every shard and every run. Chunks end where paragraphs end; a paragraph too large for the budget is cut at
lines, then sentences, then words, then characters. Chunks of one document are made about equally large,
because the greedy way leaves a last chunk of a few words that no model can ask anything about.

Cost: normalising 180 MB/s; chunking one tokenizer pass over what may exceed the budget, and two over documents
that do: the second one proves that no chunk is above it. With SmolLM2's tokenizer that is 1.6 MB/s on one core.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from factory.identity import make_id

NORMALISER_VERSION = 1
"""Raise when `normalise` gives another text for some input: ids of documents change with it."""

CHUNKER_VERSION = 1
"""Raise when `chunk` gives other spans for some input."""

Count = Callable[[list[str]], list[int]]
"""Token counts of texts, one each."""

_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff]")
_PARAGRAPH_ENDS = re.compile(r"\n{2,}")
_LINE_ENDS = re.compile(r"\n")
_SENTENCE_ENDS = re.compile(r"(?<=[.!?…])[^\S\n]+|(?<=[。！？])")
_NOT_PLAIN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")

LARGEST_EXPANSION = 11
"""UTF-8 bytes that one byte of non-ASCII text can become in a tokenizer that normalises to NFKC: U+FDFA, three
bytes, becomes 18 characters in 33 bytes. A token holds at least one byte."""

HOPELESS_CHARACTERS = 16
"""A piece with more characters a token of budget than this is cut without being counted: English averages 4 to 5
and only long runs of one character exceed 16. Cutting too early is harmless, tokenizing megabytes is not."""

LIKELY_CHARACTERS = 4
"""A document with fewer characters a token of budget probably fits and is counted whole; a larger one is counted by
paragraph at once, which saves a third of the tokenizing."""

BATCH_CHARACTERS = 1 << 20
"""Characters given to the tokenizer in one call; its result takes about 100 bytes a token while it lasts."""


@dataclass(frozen=True)
class Span:
    """Characters [start, stop) of a normalised text."""

    start: int
    stop: int


@dataclass(frozen=True)
class _Piece:
    start: int
    stop: int  # with the separator that follows
    tokens: int


def normalise(text: str) -> str:
    """The text as it is stored, hashed and shown to models. Idempotent; `text` holds no lone surrogates.

    NFC (Unicode Standard Annex 15); every line ending is "\\n"; no control characters besides "\\n" and tab, no
    byte order marks; no spaces at line ends, no blank lines at either end.
    """
    if _NOT_PLAIN.search(text):
        text = _LINE_END.sub("\n", text).replace("\u2029", "\n\n")
        text = _CONTROL.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return "\n".join([line.rstrip() for line in text.split("\n")]).strip("\n")


def document_id(text: str) -> str:
    """Id of the document whose normalised text is `text`."""
    return make_id("document", text)


def chunk_id(doc_id: str, span: Span) -> str:
    return make_id("chunk", doc_id, span.start, span.stop)


def most_tokens(text: str) -> int:
    """A bound on the tokens of `text` under any tokenizer without special tokens; costs no tokenizing."""
    if text.isascii():
        return len(text) + 1  # some tokenizers put a space in front
    return LARGEST_EXPANSION * len(text.encode()) + 1


def fits_without_counting(characters: int, budget_tokens: int) -> bool:
    """Whether every text of up to so many characters is within the budget under any tokenizer."""
    return 4 * LARGEST_EXPANSION * characters + 1 <= budget_tokens


def chunk(text: str, budget_tokens: int, count: Count) -> list[Span]:
    """Spans of the normalised `text` that hold at most `budget_tokens` tokens each, counted by `count`.

    In order, disjoint; what lies between them is white space. Only a single character that takes more tokens
    than the whole budget exceeds it. Empty for a text of white space.
    """
    if not text.strip():
        return []
    if most_tokens(text) <= budget_tokens or (
        len(text) <= LIKELY_CHARACTERS * budget_tokens and count([text])[0] <= budget_tokens
    ):
        return [_trimmed(text, 0, len(text))]
    groups = _pack(_pieces(text, budget_tokens, count), budget_tokens)
    return _proven(text, groups, budget_tokens, count)


def _pieces(text: str, budget: int, count: Count) -> list[_Piece]:
    """The text as pieces within the budget: paragraphs where they fit, else ever smaller parts."""
    pieces = _counted(text, _cuts(text, 0, len(text), _PARAGRAPH_ENDS), count, budget)
    pieces = _refined(text, pieces, budget, count, lambda piece: _cuts(text, piece.start, piece.stop, _LINE_ENDS))
    pieces = _refined(text, pieces, budget, count, lambda piece: _cuts(text, piece.start, piece.stop, _SENTENCE_ENDS))
    pieces = _refined(text, pieces, budget, count, lambda piece: _cut_at_words(text, piece, budget))
    while any(piece.tokens > budget and piece.stop - piece.start > 1 for piece in pieces):
        pieces = _refined(text, pieces, budget, count, _halves)
    return pieces


def _refined(
    text: str, pieces: Sequence[_Piece], budget: int, count: Count, cut: Callable[[_Piece], list[tuple[int, int]]]
) -> list[_Piece]:
    """`pieces` with those above the budget cut further."""
    large = [piece for piece in pieces if piece.tokens > budget]
    if not large:
        return list(pieces)
    parts = [cut(piece) for piece in large]
    counted = iter(_counted(text, [part for each in parts for part in each], count, budget))
    refined: list[_Piece] = []
    sizes = iter(parts)
    for piece in pieces:
        if piece.tokens > budget:
            refined.extend(next(counted) for _ in next(sizes))
        else:
            refined.append(piece)
    return refined


def _counted(text: str, cuts: Sequence[tuple[int, int]], count: Count, budget: int) -> list[_Piece]:
    """Pieces with their tokens; those that cannot fit are given a count above the budget unseen."""
    limit = HOPELESS_CHARACTERS * budget
    tokens = [stop - start if stop - start > limit else -1 for start, stop in cuts]
    unknown = [index for index, known in enumerate(tokens) if known < 0]
    for batch in _batches(unknown, lambda index: cuts[index][1] - cuts[index][0]):
        counts = count([text[cuts[index][0] : cuts[index][1]] for index in batch])
        for index, found in zip(batch, counts, strict=True):
            tokens[index] = found
    return [_Piece(start, stop, found) for (start, stop), found in zip(cuts, tokens, strict=True)]


def _batches(indices: Sequence[int], size: Callable[[int], int]) -> Iterator[list[int]]:
    batch: list[int] = []
    characters = 0
    for index in indices:
        if batch and characters + size(index) > BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
        batch.append(index)
        characters += size(index)
    if batch:
        yield batch


def _cuts(text: str, start: int, stop: int, ends: re.Pattern[str]) -> list[tuple[int, int]]:
    """[start, stop) cut behind every match of `ends`."""
    places = [match.end() for match in ends.finditer(text, start, stop) if start < match.end() < stop]
    return list(zip([start, *places], [*places, stop], strict=True))


def _cut_at_words(text: str, piece: _Piece, budget: int) -> list[tuple[int, int]]:
    """Slices of at most `budget` characters (so, in ASCII, at most as many tokens), cut at spaces where there
    are any in the slice's second half."""
    cuts: list[tuple[int, int]] = []
    start = piece.start
    while start < piece.stop:
        stop = min(start + budget, piece.stop)
        if stop < piece.stop:
            space = max(text.rfind(" ", start + budget // 2, stop), text.rfind("\t", start + budget // 2, stop))
            if space >= 0:
                stop = space + 1
        cuts.append((start, stop))
        start = stop
    return cuts


def _halves(piece: _Piece) -> list[tuple[int, int]]:
    if piece.stop - piece.start <= 1:
        return [(piece.start, piece.stop)]
    middle = (piece.start + piece.stop) // 2
    return [(piece.start, middle), (middle, piece.stop)]


def _pack(pieces: Sequence[_Piece], budget: int) -> list[list[_Piece]]:
    """Neighbouring pieces grouped into as few groups as the budget allows, of about equal size."""
    groups: list[list[_Piece]] = []
    remaining = sum(piece.tokens for piece in pieces)
    group: list[_Piece] = []
    size = 0
    target = _share(remaining, budget)
    for piece in pieces:
        if group and (size + piece.tokens > budget or size + piece.tokens / 2 > target):
            groups.append(group)
            remaining -= size
            group, size, target = [], 0, _share(remaining, budget)
        group.append(piece)
        size += piece.tokens
    groups.append(group)
    return groups


def _share(tokens: int, budget: int) -> float:
    """What each of the fewest possible chunks would hold."""
    return tokens / max(1, -(-tokens // budget))


def _proven(text: str, groups: Sequence[list[_Piece]], budget: int, count: Count) -> list[Span]:
    """Spans of the groups, each counted as a whole: the tokens of a text are not exactly the sum of its parts'
    (white space between paragraphs merges differently), so a group can be above the budget by a few. Such a
    group is halved."""
    spans: list[Span] = []
    while groups:
        trimmed = [_trimmed(text, group[0].start, group[-1].stop) for group in groups]
        sizes = [span.stop - span.start for span in trimmed]
        counts: list[int] = []
        for batch in _batches(range(len(groups)), sizes.__getitem__):
            counts.extend(count([text[trimmed[index].start : trimmed[index].stop] for index in batch]))
        larger = []
        for group, span, size, tokens in zip(groups, trimmed, sizes, counts, strict=True):
            if tokens <= budget or size <= 1:
                spans.append(span)
            elif len(group) > 1:
                middle = _middle(group)
                larger += [group[:middle], group[middle:]]
            else:
                larger += [[_Piece(start, stop, 0)] for start, stop in _halves(group[0])]
        groups = larger
    return sorted((span for span in spans if span.start < span.stop), key=lambda span: span.start)


def _middle(group: Sequence[_Piece]) -> int:
    """Where the larger half of the group's tokens begins; both sides hold at least one piece."""
    half, size = sum(piece.tokens for piece in group) / 2, 0
    for index, piece in enumerate(group):
        size += piece.tokens
        if size >= half:
            return min(max(index, 1), len(group) - 1)
    return len(group) - 1


def _trimmed(text: str, start: int, stop: int) -> Span:
    """The span without the white space at its end and the blank lines at its start; indentation stays."""
    part = text[start:stop]
    stop = start + len(part.rstrip())
    start += len(part) - len(part.lstrip("\n"))
    return Span(min(start, stop), stop)
