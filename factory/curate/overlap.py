"""Which questions overlap a benchmark: shared word n-grams, and short items contained whole.

Design: an index holds the hash of every n-gram of every benchmark text, for each configured size (GPT-3's
rule, Brown et al. 2020, appendix C). A question is contaminated when it shares one n-gram of the smallest
size; larger sizes say how much. Items shorter than that size count when the question contains all their
words in a row (DeepSeekMath, Shao et al. 2024, section 2.1: texts of 3 words or more); items of one or two
words only when they are the whole question. Numbers are words like others here, so a number-changed copy
that keeps eight words in a row is still found. A packed bitmap answers most look-ups without a search.

The index is built once on the driver, kept in the store under the hash of its contents, and read once per
worker process. Cost: 19,000 items of seven benchmarks build in 0.8 s to 15 MB; a question takes 5 microseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from factory.curate.benchmarks import Benchmarks
from factory.curate.scan import ngram_hash
from factory.curate.words import (
    I64,
    NORMALISER_VERSION,
    U64,
    TokenArray,
    ngram_hashes,
    plain_words,
    tokenise,
)
from factory.identity import fingerprint
from factory.native import compiled

MIN_CONTAINED_WORDS = 3
"""Shorter items ("Planets orbit") say too little to be recognised inside a longer question."""

LONGEST_SPAN = 60
"""Words of a matched span kept as evidence; longer ones are cut, their length is kept."""


@dataclass(frozen=True)
class Overlap:
    """Why a question is contaminated. `span` is its longest run of matching words, `matched_words` all of
    them; `ngram_size` is the largest configured size that matched, or the item's length (`contained`)."""

    benchmark: str
    item: str
    ngram_size: int
    ngram: str
    matched_words: int
    span: str
    contained: bool

    def evidence(self) -> dict[str, Any]:
        return {
            "benchmark": self.benchmark,
            "item": self.item,
            "rule": "whole_item" if self.contained else f"{self.ngram_size}-gram",
            "ngram": self.ngram,
            "matched_words": self.matched_words,
            "span": self.span,
        }


@dataclass(frozen=True)
class Grams:
    """n-grams of one size: sorted unique `hashes` uint64[G], and the first item int32[G] that has each."""

    size: int
    hashes: U64
    items: npt.NDArray[np.int32]

    @cached_property
    def _shift(self) -> int:
        """Bits of the hash left out of the bitmap's address; 8 to 16 bits a gram keep 6-12 % false hits."""
        return 64 - max(3, int(len(self.hashes) * 8).bit_length())

    @cached_property
    def _bitmap(self) -> npt.NDArray[np.uint8]:
        bitmap = np.zeros(1 << (64 - self._shift - 3), np.uint8)
        slots = self.hashes >> np.uint64(self._shift)
        np.bitwise_or.at(bitmap, slots >> np.uint64(3), np.uint8(1) << (slots & np.uint64(7)).astype(np.uint8))
        return bitmap

    def find(self, words: TokenArray) -> tuple[I64, I64, npt.NDArray[np.int32]]:
        """The n-grams of N texts that are in the index, in order: text, first word in it, item (all [H])."""
        maybe = np.empty((64, 3), np.uint64)
        found = _probe(words.hashes, words.offsets, self.size, self._bitmap, self._shift, maybe)
        if found > len(maybe):
            maybe = np.empty((found, 3), np.uint64)
            _probe(words.hashes, words.offsets, self.size, self._bitmap, self._shift, maybe)
        hashes = maybe[:found, 2]
        places = np.searchsorted(self.hashes, hashes)
        places[places == len(self.hashes)] = 0
        sure = self.hashes[places] == hashes
        texts, starts = maybe[:found][sure, :2].astype(np.int64).T
        return texts, starts, self.items[places[sure]]


@compiled
def _probe(tokens: U64, offsets: I64, size: int, bitmap: npt.NDArray[np.uint8], shift: int, maybe: U64) -> int:
    """Fills `maybe` with (text, first word, hash) of n-grams whose bit is set, as many as it has rows; their number."""
    found = 0
    for text in range(len(offsets) - 1):
        for start in range(offsets[text], offsets[text + 1] - size + 1):
            value = ngram_hash(tokens, start, size)
            slot = value >> np.uint64(shift)
            if (bitmap[slot >> np.uint64(3)] >> np.uint8(slot & np.uint64(7))) & np.uint8(1):
                if found < len(maybe):
                    maybe[found, 0], maybe[found, 1], maybe[found, 2] = text, start - offsets[text], value
                found += 1
    return found


@dataclass(frozen=True)
class OverlapIndex:
    """n-grams of all benchmark texts. `names` are (benchmark, item) in order; `grams` the configured sizes,
    ascending; `short` the items below the smallest size, by length."""

    names: tuple[tuple[str, str], ...]
    grams: tuple[Grams, ...]
    short: tuple[Grams, ...]

    def overlaps(self, texts: Sequence[str], array: TokenArray) -> dict[int, Overlap]:
        """Contaminated texts by position; `array` is `tokenise(texts)`."""
        words = array.words()
        result: dict[int, Overlap] = {}
        for grams in self.short:
            for row, start, item in zip(*(found.tolist() for found in grams.find(words)), strict=True):
                if grams.size < MIN_CONTAINED_WORDS and words.counts[row] != grams.size:
                    continue
                result[row] = self._whole_item(texts[row], item, start, grams.size)
        if self.grams:
            texts_hit, starts, items = self.grams[0].find(words)
            rows, begins = np.unique(texts_hit, return_index=True)
            ends = np.append(begins[1:], len(starts))
            for row, begin, end in zip(rows.tolist(), begins.tolist(), ends[: len(rows)].tolist(), strict=True):
                result[row] = self._shared(texts[row], starts[begin:end], items[begin:end])
        return result

    def _whole_item(self, text: str, item: int, start: int, size: int) -> Overlap:
        matched = " ".join(plain_words(text)[start : start + size])
        benchmark, name = self.names[item]
        return Overlap(benchmark, name, size, matched, size, matched, contained=True)

    def _shared(self, text: str, starts: I64, items: npt.NDArray[np.int32]) -> Overlap:
        """Evidence for the item with the most shared n-grams (the first of several)."""
        size = self.grams[0].size
        words = plain_words(text)
        counted = Counter(items.tolist())
        most = max(counted.values())
        item = min(item for item, count in counted.items() if count == most)
        covered = np.zeros(len(words), np.bool_)
        for step in range(size):
            covered[starts + step] = True
        runs = np.split(starts, np.flatnonzero(np.diff(starts) > 1) + 1)
        longest = max(runs, key=len)
        span = words[int(longest[0]) : int(longest[-1]) + size]
        largest, ngram = size, span[:size]
        alone = tokenise([text]).words()
        for grams in self.grams[1:]:
            _, found, _ = grams.find(alone)
            if len(found):
                largest, ngram = grams.size, words[int(found[0]) : int(found[0]) + grams.size]
        benchmark, name = self.names[item]
        return Overlap(
            benchmark,
            name,
            largest,
            " ".join(ngram),
            int(covered.sum()),
            " ".join(span[:LONGEST_SPAN]),
            contained=False,
        )


def index_identity(benchmarks: Benchmarks, ngram_sizes: Sequence[int]) -> dict[str, Any]:
    """What an index depends on: the files, the sizes, the normal form."""
    return {"files": benchmarks.identity(), "ngram_sizes": sorted(set(ngram_sizes)), "normaliser": NORMALISER_VERSION}


def index_digest(identity: Mapping[str, Any]) -> str:
    """64 hexadecimal digits naming an index."""
    return fingerprint(dict(identity))


def build_index(benchmarks: Benchmarks, ngram_sizes: Sequence[int]) -> OverlapIndex:
    """Index over all texts of `benchmarks`; O(words x sizes) time, 12 bytes an n-gram."""
    sizes = sorted(set(ngram_sizes))
    words = tokenise([item.text for item in benchmarks.items]).words()
    grams = tuple(_grams(words, size) for size in sizes)
    lengths = words.counts
    short = []
    for size in range(1, sizes[0]):
        rows = np.flatnonzero(lengths == size)
        if len(rows):
            chosen = words.only(np.repeat(lengths == size, lengths))
            short.append(_grams(chosen, size))
    names = tuple((item.benchmark, item.item) for item in benchmarks.items)
    return OverlapIndex(names, tuple(gram for gram in grams if len(gram.hashes)), tuple(short))


def _grams(words: TokenArray, size: int) -> Grams:
    hashes, owners = ngram_hashes(words, size)
    unique, first = np.unique(hashes, return_index=True)
    return Grams(size, unique, owners[first].astype(np.int32))


def index_to_bytes(index: OverlapIndex) -> bytes:
    """Arrow IPC: one record batch a size, names in the schema's metadata."""
    metadata = {"names": orjson.dumps(index.names)}
    schema = pa.schema(
        [("size", pa.int16()), ("short", pa.bool_()), ("hash", pa.uint64()), ("item", pa.int32())], metadata
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for grams, is_short in [(grams, False) for grams in index.grams] + [(grams, True) for grams in index.short]:
            rows = len(grams.hashes)
            columns = [np.full(rows, grams.size, np.int16), np.full(rows, is_short), grams.hashes, grams.items]
            writer.write_batch(pa.record_batch([pa.array(column) for column in columns], schema=schema))
    return bytes(sink.getvalue())


def index_from_bytes(data: bytes) -> OverlapIndex:
    grams: list[Grams] = []
    short: list[Grams] = []
    with pa.ipc.open_stream(data) as reader:
        names = tuple((str(benchmark), str(item)) for benchmark, item in orjson.loads(reader.schema.metadata[b"names"]))
        for batch in reader:
            size, is_short = batch.column("size")[0].as_py(), batch.column("short")[0].as_py()
            loaded = Grams(size, batch.column("hash").to_numpy(), batch.column("item").to_numpy())
            (short if is_short else grams).append(loaded)
    return OverlapIndex(names, tuple(grams), tuple(short))
