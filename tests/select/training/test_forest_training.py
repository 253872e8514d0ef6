from __future__ import annotations

import builtins
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from factory.errors import ConfigError
from factory.select.forest_scorer import ForestScorer
from factory.select.scoring import check_here, open_scorer
from factory.select.selector_artefact import Draft, load_scorer, save
from factory.select.training.embedding import Embedder, resolve_embedding
from factory.select.training.forest_training import embedder_for, forest_scoring, train_forest
from factory.select.training.settings import ForestSettings
from factory.store.base import Store
from tests.corpora import text_of
from tests.select.training.fields import computing, example, two_fields
from tests.select.training.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def settings(model: Path) -> ForestSettings:
    return ForestSettings(model=str(model), max_tokens=48, trees=30, jobs=1)


@pytest.fixture(scope="module")
def embedder(settings: ForestSettings) -> Embedder:
    return embedder_for(settings)


@pytest.fixture(scope="module")
def forest(settings: ForestSettings, embedder: Embedder) -> bytes:
    return train_forest(two_fields(40), settings, 1, embedder=embedder)


def test_a_forest_tells_fields_apart_through_an_embedding_model(forest: bytes, embedder: Embedder) -> None:
    scorer = open_scorer(forest_scoring(embedder), forest)
    scores = scorer.score([text_of(900), computing(900), "", "🙂"])
    assert scores[0] > 8
    assert scores[1] < 3
    assert scores[2:] == [1, 1]


def test_the_same_examples_and_seed_give_the_same_bytes(
    forest: bytes, settings: ForestSettings, embedder: Embedder
) -> None:
    assert train_forest(two_fields(40), settings, 1, embedder=embedder) == forest
    assert train_forest(two_fields(40), settings, 2, embedder=embedder) != forest


def test_it_is_kept_and_found_again(
    forest: bytes, settings: ForestSettings, embedder: Embedder, local_store: Store
) -> None:
    draft = Draft("maths", forest, forest_scoring(embedder), settings.model_dump(mode="json"), 1, 6.5, two_fields(40))
    kept = save(local_store, draft, lambda _: "")
    assert kept.manifest.kind == "forest"
    scorer = load_scorer(local_store, kept.prefix)
    texts = [text_of(901), computing(901)]
    assert scorer.score(texts) == ForestScorer(forest, {}, embedder).score(texts)


def test_scoring_needs_no_scikit_learn(
    forest: bytes, embedder: Embedder, monkeypatch: pytest.MonkeyPatch, settings: ForestSettings
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "sklearn":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert open_scorer(forest_scoring(embedder), forest).score([text_of(902)])[0] > 8
    with pytest.raises(ConfigError, match="needs scikit-learn"):
        train_forest(two_fields(40), settings, 1)


def test_vectors_do_not_depend_on_the_batch(embedder: Embedder) -> None:
    texts = [text_of(1), "short text", computing(2), "x", text_of(3)]
    together = embedder.embed(texts)
    assert together.shape == (5, 24)
    assert together.dtype == np.float32
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert np.abs(together - alone).max() < 1e-5
    assert not embedder.embed([""]).any()


def test_a_text_is_read_to_the_models_length_and_no_further(embedder: Embedder, model: Path) -> None:
    start = " ".join(["matrix"] * 48)
    assert np.array_equal(embedder.embed([start]), embedder.embed([start + " server" * 200_000]))
    longer = Embedder(resolve_embedding(str(model), None, 5000))
    longer.embed([" ".join(["matrix"] * 5000)])  # the model has 64 positions


def test_another_model_in_its_place_is_refused(embedder: Embedder, tmp_path: Path) -> None:
    scoring = forest_scoring(embedder)
    check_here(scoring)
    other = write_tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(ConfigError, match="the selector was trained with"):
        check_here(dataclasses.replace(scoring, embedding={**scoring.embedding, "model": str(other)}))
    with pytest.raises(ConfigError, match=r"config\.json is missing"):
        check_here(dataclasses.replace(scoring, embedding={**scoring.embedding, "model": str(tmp_path)}))
    with pytest.raises(ConfigError, match="train it again"):
        check_here(dataclasses.replace(scoring, embedding={**scoring.embedding, "pooling": "last token"}))


def test_a_forest_grown_on_other_vectors_is_refused(forest: bytes, tmp_path: Path, embedder: Embedder) -> None:
    class Shorter(Embedder):
        def embed(self, texts: Any) -> Any:
            return super().embed(texts)[:, :10]

    with pytest.raises(ConfigError, match="grown on vectors of 24"):
        ForestScorer(forest, {}, Shorter(embedder.model)).score(["matrix"])


def test_an_all_negative_set_is_refused_before_anything_is_embedded(settings: ForestSettings) -> None:
    with pytest.raises(ConfigError, match="0 positive examples"):
        train_forest([example(computing(n), 1.0) for n in range(40)], settings, 1)
