"""What the quality rules measure: one function a measure, named as in the configuration without min_ or max_.

Design: every function takes a batch and gives one number a text. A batch makes what they share (words, lines,
hashes, n-grams) when the first of them asks for it, so rules that are off cost nothing. Sources are in
QualityConfig; where papers leave a definition open, the function says which one is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache, partial

import numpy as np

from factory.select.repetition import Repetition, share
from factory.select.text_arrays import (
    BULLET,
    DIGIT,
    F64,
    LETTER,
    LINE_END,
    PART_OF_WORD,
    SENTENCE_END,
    U64,
    Mask,
    TextArrays,
)

SHORT_LINE_CHARACTERS = 30
"""FineWeb's."""

FIRST_IDEOGRAPHIC = 0x3000
"""From this code point on, punctuation brings its own space."""


class Batch:
    """Texts with everything the measures share. `stop_words` are matched as written and capitalised."""

    def __init__(self, texts: Sequence[str], stop_words: Sequence[str]) -> None:
        self.texts = texts
        self.stop_words = stop_words
        self.arrays = TextArrays(texts)

    @cached_property
    def repetition(self) -> Repetition:
        return Repetition(self.arrays)

    @cached_property
    def lowered(self) -> list[bytes]:
        """UTF-8 with ASCII letters in lower case; 20 times as fast as lower-casing a text with other letters."""
        return [text.encode("utf-8", "surrogatepass").lower() for text in self.texts]

    @cached_property
    def characters(self) -> F64:
        """Those that are not white space."""
        return self.arrays.count(~self.arrays.spaces).astype(np.float64)

    @cached_property
    def repeated_lines(self) -> tuple[F64, F64]:
        return self.repetition.repeated(self.arrays.lines)

    @cached_property
    def repeated_paragraphs(self) -> tuple[F64, F64]:
        return self.repetition.repeated(self.arrays.paragraphs)

    def occurrences(self, *parts: str) -> F64:
        return np.array([sum(map(text.count, parts)) for text in self.texts], np.float64)

    def line_share(self, mask: Mask) -> F64:
        """Share of the lines that `mask` (one a line) holds for; of a text without lines 0."""
        lines = self.arrays.lines
        return share(self.arrays.sums(mask, lines), lines.counts)


def words(batch: Batch) -> F64:
    return batch.arrays.words.counts.astype(np.float64)


def mean_word_length(batch: Batch) -> F64:
    """With the punctuation that touches words."""
    spans = batch.arrays.words
    return share(batch.characters, spans.counts)


def hashes_per_word(batch: Batch) -> F64:
    return share(batch.occurrences("#"), batch.arrays.words.counts)


def ellipses_per_word(batch: Batch) -> F64:
    return share(batch.occurrences("...", "…"), batch.arrays.words.counts)


def letter_word_share(batch: Batch) -> F64:
    arrays, spans = batch.arrays, batch.arrays.words
    before = np.zeros(len(arrays.codes) + 1, np.int32)
    np.cumsum(arrays.has(LETTER), out=before[1:])
    return share(arrays.sums(before[spans.stops] > before[spans.starts], spans), spans.counts)


def stop_words(batch: Batch) -> F64:
    """How many different ones there are."""
    hashes, owners = batch.arrays.word_hashes, batch.arrays.words.owners
    found = np.zeros(len(batch.texts))
    for both in _hashes_of(tuple(batch.stop_words)):
        present = np.zeros(len(batch.texts), bool)
        present[owners[np.isin(hashes, both)]] = True
        found += present
    return found


@lru_cache(maxsize=8)
def _hashes_of(stop_words: tuple[str, ...]) -> tuple[U64, ...]:
    return tuple(TextArrays([f"{word} {word.capitalize()}"]).word_hashes for word in stop_words)


def digit_share(batch: Batch) -> F64:
    return share(batch.arrays.count(batch.arrays.has(DIGIT)), batch.characters)


def non_alphanumeric_share(batch: Batch) -> F64:
    """Letters include the marks that combine with them."""
    return share(batch.characters - batch.arrays.count(batch.arrays.has(PART_OF_WORD)), batch.characters)


def sentences(batch: Batch) -> F64:
    """Full stops, exclamation and question marks before white space, a quote or a bracket; those of Chinese and
    Japanese before anything. Several in a row count once."""
    arrays = batch.arrays
    ends = arrays.has(SENTENCE_END)
    closed = np.append(arrays.has(LINE_END)[1:] | arrays.spaces[1:], True) | (arrays.codes >= FIRST_IDEOGRAPHIC)
    return arrays.count(ends & closed & ~np.append(ends[1:], False)).astype(np.float64)


def lorem_ipsum(batch: Batch) -> F64:
    return np.array([text.count(b"lorem ipsum") for text in batch.lowered], np.float64)


def curly_brackets_per_word(batch: Batch) -> F64:
    return share(batch.occurrences("{"), batch.arrays.words.counts)


def javascript_line_share(batch: Batch) -> F64:
    named = [
        sum(b"javascript" in line for line in text.split(b"\n")) if b"javascript" in text else 0
        for text in batch.lowered
    ]
    return share(np.array(named), batch.arrays.lines.counts)


def bullet_line_share(batch: Batch) -> F64:
    """A bullet is a mark of a list with white space behind it."""
    arrays, lines = batch.arrays, batch.arrays.lines
    return batch.line_share(arrays.has(BULLET)[lines.starts] & arrays.spaces[lines.starts + 1])


def ellipsis_line_share(batch: Batch) -> F64:
    arrays, lines = batch.arrays, batch.arrays.lines
    dots = [arrays.lasts(lines, before) == ord(".") for before in range(3)]
    return batch.line_share((arrays.lasts(lines) == ord("…")) | (dots[0] & dots[1] & dots[2]))


def short_line_share(batch: Batch) -> F64:
    """Without indentation and blank lines."""
    return batch.line_share(batch.arrays.lines.lengths <= SHORT_LINE_CHARACTERS)


def punctuated_line_share(batch: Batch) -> F64:
    arrays, lines = batch.arrays, batch.arrays.lines
    return batch.line_share(arrays.has(LINE_END)[lines.stops - 1])


def duplicate_line_share(batch: Batch) -> F64:
    """Compared without indentation, as all lines here."""
    return batch.repeated_lines[0]


def duplicate_line_character_share(batch: Batch) -> F64:
    return batch.repeated_lines[1]


def duplicate_paragraph_share(batch: Batch) -> F64:
    return batch.repeated_paragraphs[0]


def duplicate_paragraph_character_share(batch: Batch) -> F64:
    return batch.repeated_paragraphs[1]


def _top_ngram_share(batch: Batch, size: int) -> F64:
    return batch.repetition.top_ngram_share(size)


def _duplicate_ngram_share(batch: Batch, size: int) -> F64:
    return batch.repetition.duplicate_ngram_share(size)


MEASURES: Mapping[str, Callable[[Batch], F64]] = {
    **{
        measure.__name__: measure
        for measure in (
            words,
            mean_word_length,
            hashes_per_word,
            ellipses_per_word,
            letter_word_share,
            stop_words,
            digit_share,
            non_alphanumeric_share,
            sentences,
            lorem_ipsum,
            curly_brackets_per_word,
            javascript_line_share,
            bullet_line_share,
            ellipsis_line_share,
            short_line_share,
            punctuated_line_share,
            duplicate_line_share,
            duplicate_line_character_share,
            duplicate_paragraph_share,
            duplicate_paragraph_character_share,
        )
    },
    **{f"top_{size}gram_share": partial(_top_ngram_share, size=size) for size in (2, 3, 4)},
    **{f"duplicate_{size}gram_share": partial(_duplicate_ngram_share, size=size) for size in range(5, 11)},
}
