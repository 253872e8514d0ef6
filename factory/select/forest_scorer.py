"""Scoring with a random forest over embeddings: the paper's own variant. Needs no scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.errors import ConfigError
from factory.select.forest import from_bytes
from factory.select.preprocessing import words_of
from factory.select.training.embedding import Embedder, EmbeddingModel

LOWEST, HIGHEST = 1.0, 10.0


class ForestScorer:
    """Holds trees and, once used, the embedding model. Raises ConfigError for a file that is no forest."""

    def __init__(self, model: bytes, embedding: Mapping[str, Any], embedder: Embedder | None = None) -> None:
        self.forest = from_bytes(model)
        self.embedder = embedder or Embedder(EmbeddingModel.from_json(embedding))

    def score(self, texts: Sequence[str]) -> list[float]:
        """Scores from 1 to 10, parallel to `texts`; 1 for a text without a word."""
        asked = [place for place, text in enumerate(texts) if words_of(text).strip()]
        scores = [LOWEST] * len(texts)
        if not asked:
            return scores
        vectors = self.embedder.embed([texts[place] for place in asked])
        if vectors.shape[1] != self.forest.dimensions:
            raise ConfigError(
                f"the forest was grown on vectors of {self.forest.dimensions}, "
                f"{self.embedder.model.model} gives {vectors.shape[1]}",
                cause="the manifest names another embedding model than the one it was trained with",
                remedy="train the selector again",
            )
        for place, score in zip(asked, self.forest.predict(vectors).tolist(), strict=True):
            scores[place] = min(max(score, LOWEST), HIGHEST)
        return scores
