"""Training of the paper's own classifier: a random forest regressor over document embeddings.

Design: SynthLLM, section 4.1 (arXiv 2503.19551), with scikit-learn at training time only. The threshold of 6.5 on
a predicted score means regression (or an expectation over classes); a regressor it is. The trees leave as plain
arrays (forest.py), after the walk over them has been checked against scikit-learn's own predictions.

Cost: nearly all of it is embedding (embedding.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from factory.errors import ConfigError, EngineError
from factory.identity import seed_for
from factory.select.forest import Forest, to_bytes
from factory.select.scoring import Scoring
from factory.select.training.embedding import Embedder, resolve_embedding
from factory.select.training.examples import Example
from factory.select.training.settings import ForestSettings
from factory.select.training.training_set import check

AGREEMENT = 1e-9
"""Largest difference to scikit-learn's predictions: both add up 200 float64 values, in different orders."""


def embedder_for(settings: ForestSettings) -> Embedder:
    """The embedding model of the settings; give one to several trainings, so that it is loaded once.

    Raises ConfigError when the model is not there."""
    model = resolve_embedding(settings.model, settings.revision, settings.max_tokens)
    return Embedder(model, settings.batch_size)


def forest_scoring(embedder: Embedder) -> Scoring:
    """How a model of `train_forest` is used: what its artefact says beside the file."""
    return Scoring("forest", embedding=embedder.model.to_json())


def train_forest(
    examples: Sequence[Example], settings: ForestSettings, seed: int, *, embedder: Embedder | None = None
) -> bytes:
    """A model file that `ForestScorer` reads. The same for the same vectors and seed, whatever the cores.

    Raises ConfigError for a set that cannot be trained on (training_set.check), without scikit-learn, and where the
    embedding model is not there.
    """
    require_scikit_learn()
    kept = check(examples)
    vectors = (embedder or embedder_for(settings)).embed([example.text for example in kept])
    scores = np.array([example.score for example in kept])
    return to_bytes(grow(vectors, scores, settings, seed))


def grow(vectors: NDArray[np.float32], scores: NDArray[np.float64], settings: ForestSettings, seed: int) -> Forest:
    """The forest over float32[N, D] and float64[N]. Raises EngineError if its walk is not scikit-learn's."""
    require_scikit_learn()
    from sklearn.ensemble import RandomForestRegressor

    regressor = RandomForestRegressor(
        n_estimators=settings.trees,
        max_depth=settings.max_depth,
        min_samples_leaf=settings.min_samples_leaf,
        max_features=settings.max_features,
        n_jobs=settings.jobs or -1,
        random_state=seed_for("forest", seed) % 2**32,
    ).fit(vectors, scores)
    forest = arrays_of(regressor, vectors.shape[1])
    difference = float(np.abs(forest.predict(vectors) - regressor.predict(vectors)).max())
    if not difference <= AGREEMENT:
        raise EngineError(
            f"the exported forest differs from scikit-learn's predictions by {difference:.2g}",
            cause="a version of scikit-learn that keeps its trees in another way",
            remedy="install the scikit-learn that infra/environment pins",
        )
    return forest


def arrays_of(regressor: Any, dimensions: int) -> Forest:
    """The trees of a fitted RandomForestRegressor, one after another."""
    trees = [estimator.tree_ for estimator in regressor.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])

    def joined(values: Any, kind: Any) -> Any:
        return np.concatenate([np.asarray(value, kind) for value in values])

    leaf = joined([tree.children_left for tree in trees], np.int64) < 0
    features = np.where(leaf, -1, joined([tree.feature for tree in trees], np.int32))
    return Forest(
        dimensions=dimensions,
        roots=roots.astype(np.int64),
        features=features.astype(np.int32),
        thresholds=joined([tree.threshold for tree in trees], np.float64),
        left=joined([tree.children_left + root for tree, root in zip(trees, roots, strict=True)], np.int32),
        right=joined([tree.children_right + root for tree, root in zip(trees, roots, strict=True)], np.int32),
        values=joined([tree.value.reshape(-1) for tree in trees], np.float64),
    )


def require_scikit_learn() -> None:
    """Raises ConfigError when scikit-learn is not installed: better before embedding than after."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise ConfigError(
            "training a forest selector needs scikit-learn",
            cause="it is needed for training only, so it is an extra",
            remedy="pip install scikit-learn (the extra `forest`), or train a fastText selector",
        ) from None
