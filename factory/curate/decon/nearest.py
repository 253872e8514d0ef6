"""Benchmark questions most like a row by embedding: for what no rule of words sees, a rephrased or translated item.

Design: the first half of the LMSYS decontaminator (Yang et al. 2023, arXiv 2311.04850, algorithm 2), turned round so
that rows can stream: of each row the k items whose sentence embeddings are nearest; a judge may say of each whether it
is the same problem (judge.py). Only rows in which the rules of words found nothing are embedded: those have an answer
with better evidence, and cosines do not see that two problems differ in a number. All items are compared with every
row, exactly: 19,000 of them are one matrix. A question that says nothing by itself ("Which of the following is true?")
is embedded with its choices, and left out without any. What a cosine means depends on the model, so nothing is rejected
by it unless a threshold is set.

Cost: the embedding model's: MiniLM took 40 s of one core for 2,627 items (GSM8K, MATH-500, TruthfulQA), 16 s for 1,000
sentences of textbooks.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from factory.arrays import arrays_in
from factory.curate.benchmarks import Item
from factory.curate.decon.config import EmbeddingConfig
from factory.curate.decon.hits import EMBEDDING, LONGEST_SPAN, Hit
from factory.curate.decon.index import GENERIC_WEIGHT, names_in
from factory.curate.decon.view import view, viewed_words
from factory.curate.decon.weights import word_weights
from factory.curate.words import I64, tokenise
from factory.errors import ConfigError
from factory.select.training.embedding import POOLING, EmbeddingModel, named_embedding, shared_embedder, unit_length

F32 = npt.NDArray[np.float32]

NEAREST_VERSION = 1
"""Raised when the same items and model give other hits."""

ROWS_AT_ONCE = 1024
"""Rows compared with all items at a time: 80 MB of cosines with 19,000 items."""


@dataclass(frozen=True)
class ItemVectors:
    """N distinct texts: `names` (benchmark, item, field) of the first that has it, `copies` int32[N] other items with
    it, `words` int64[N] its length, `vectors` float32[N, D] of length 1 (or 0, for a text without a token)."""

    names: tuple[tuple[str, str, str], ...]
    copies: npt.NDArray[np.int32]
    words: I64
    vectors: F32


@dataclass(frozen=True)
class Nearest:
    """Retrieval with its settings and model; `items` are those of the benchmarks."""

    items: ItemVectors
    config: EmbeddingConfig
    model: EmbeddingModel

    def __call__(self, texts: Sequence[str], rows: Sequence[int]) -> list[Hit]:
        """At most `top_k` hits of each of `rows` (places in `texts`), the most similar first."""
        return [hit for hit, _ in self.found(texts, rows)]

    def found(self, texts: Sequence[str], rows: Sequence[int]) -> list[tuple[Hit, int]]:
        """These hits, each with the place of its item."""
        found: list[tuple[Hit, int]] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            vectors = unit_length(shared_embedder(self.model).embed([texts[row] for row in part]))
            places, cosines = most_similar(vectors, self.items.vectors, self.config.top_k)
            for row, near, scores in zip(part, places.tolist(), cosines.tolist(), strict=True):
                least = self.config.min_similarity
                close = [(item, score) for item, score in zip(near, scores, strict=True) if score >= least]
                words = viewed_words(texts[row]) if close else []
                found += [(self._hit(row, item, score, words), item) for item, score in close]
        return found

    def _hit(self, row: int, item: int, score: float, words: Sequence[str]) -> Hit:
        """The whole row is what is similar; its first words are shown."""
        threshold = self.config.reject_similarity
        benchmark, name, field = self.items.names[item]
        return Hit(
            row, benchmark, name, field, EMBEDDING, score, threshold is None or score < threshold, 0, len(words),
            " ".join(words[:LONGEST_SPAN]), int(self.items.words[item]), int(self.items.copies[item]),
        )  # fmt: skip


def embedding_of(config: EmbeddingConfig) -> EmbeddingModel | None:
    """The model as it is on this machine; None where the rule is off. Raises ConfigError when it is not there."""
    if config.model is None:
        return None
    try:
        return named_embedding(config.model, config.revision, config.max_tokens)
    except ConfigError as error:
        raise ConfigError(
            f"curate.decontamination.embedding.model: {error.what}", cause=error.cause, remedy=error.remedy
        ) from error


def identity(config: EmbeddingConfig, model: EmbeddingModel) -> dict[str, Any]:
    """Everything that a hit depends on, besides row and items: weights, and not where they lie."""
    own = config.model_dump(mode="json", include={"top_k", "min_similarity", "reject_similarity"})
    return {**vectors_identity(model), **own}


def vectors_identity(model: EmbeddingModel) -> dict[str, Any]:
    return {"version": NEAREST_VERSION, "model": model.sha256, "max_tokens": model.max_tokens, "pooling": POOLING}


def item_vectors(items: Sequence[Item], model: EmbeddingModel) -> ItemVectors:
    """Embeds the distinct texts of `items`, in their order. Raises ConfigError or EngineError as the embedder does."""
    told = _told(items)
    first = {text: place for place, text in reversed(list(enumerate(told)))}
    copies = Counter(told)
    texts = distinct_texts(items)
    named = [items[first[text]] for text in texts]
    vectors = shared_embedder(model).embed(texts) if texts else np.zeros((0, 1), np.float32)
    return ItemVectors(
        tuple((item.benchmark, item.item, item.field) for item in named),
        np.array([copies[text] - 1 for text in texts], np.int32),
        view(tokenise(texts)).counts,
        unit_length(vectors),
    )


def distinct_texts(items: Sequence[Item]) -> list[str]:
    """The texts behind `item_vectors`, in the order of these."""
    return [text for text in dict.fromkeys(_told(items)) if text]


def _told(items: Sequence[Item]) -> list[str]:
    """The text to embed of each item; empty where the item says too little to be known by it."""
    words = view(tokenise([item.text for item in items]))
    vocabulary, weights = word_weights(words)
    each = weights[np.searchsorted(vocabulary, words.hashes)]
    totals = np.concatenate(([0.0], np.cumsum(each, dtype=np.float64)))
    weight = totals[words.offsets[1:]] - totals[words.offsets[:-1]]
    texts = []
    for item, generic in zip(items, (weight < GENERIC_WEIGHT).tolist(), strict=True):
        with_options = " ".join((item.text, *item.options)) if item.options else ""
        texts.append(with_options if generic else item.text)
    return texts


def most_similar(rows: F32, items: F32, top_k: int) -> tuple[I64, npt.NDArray[np.float64]]:
    """For vectors of length 1, float32[R, D] and float32[N, D]: places int64[R, K] of the most similar items, falling,
    and their cosines float64[R, K]; K is `top_k`, or N where that is less. Ties go to the earlier item."""
    count = min(top_k, len(items))
    if not count or not len(rows):
        return np.zeros((len(rows), count), np.int64), np.zeros((len(rows), count))
    cosines = rows @ items.T
    places = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    # A matrix product rounds with the shape of its block; of what is kept, cosines are computed alone and rounded.
    exact = np.einsum("rd,rkd->rk", rows, items[places], dtype=np.float64).round(4).clip(-1, 1)
    order = np.lexsort((places, -exact), axis=1)
    return np.take_along_axis(places, order, 1), np.take_along_axis(exact, order, 1)


def vectors_to_bytes(items: ItemVectors) -> bytes:
    """An .npz archive, names as JSON in it."""
    sink = io.BytesIO()
    names = np.frombuffer(orjson.dumps(items.names), np.uint8)
    np.savez(sink, names=names, copies=items.copies, words=items.words, vectors=items.vectors)
    return sink.getvalue()


def vectors_from_bytes(data: bytes) -> ItemVectors:
    """What `vectors_to_bytes` gave. Raises ValueError for bytes that are no such archive."""
    arrays = arrays_in(data)
    try:
        found = ItemVectors(names_in(arrays["names"]), arrays["copies"], arrays["words"], arrays["vectors"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"an array is missing: {error}") from None
    if not len(found.names) == len(found.copies) == len(found.words) == len(found.vectors):
        raise ValueError("its arrays have different lengths")
    return found
