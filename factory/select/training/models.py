"""The classifiers of a training job, each trained once: named by everything that decides what comes out.

Design: a model is kept under the fingerprint of its examples, settings and seed, and the first one put there
holds, so a job that is started again scores with the very model it scored with before: even where training is not
the same to the last bit, the folders of later steps stay what they were. Training runs in a worker, because texts,
vectors and torch do not belong into the driver's memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from factory.identity import canonical_json, fingerprint, sha256_hex
from factory.select.preprocessing import PREPROCESSING_VERSION
from factory.select.scoring import Scorer, Scoring, open_scorer
from factory.select.selector_artefact import check_model
from factory.select.training.config import TrainingConfig
from factory.select.training.examples import Example, digest
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import read_mapping, typed_in

TRAINING_VERSION = 1
"""Raise when training makes another model of the same examples and settings."""


@dataclass(frozen=True)
class TrainedModel:
    """A model file in the store, and how it is used."""

    key: str
    sha256: str
    scoring: Scoring


def train_once(store: Store, config: TrainingConfig, examples: Sequence[Example], seed: int) -> TrainedModel:
    """The model of these examples, trained now or found. Ray must be connected where it has to be trained.

    Raises ConfigError for examples that nothing can be learnt from (training_set.check) and EngineError when
    training fails.
    """
    settings = config.fasttext if config.kind == "fasttext" else config.forest
    made_of = [
        TRAINING_VERSION,
        PREPROCESSING_VERSION,
        config.kind,
        settings.model_dump(mode="json", exclude={"jobs", "batch_size"}),
        seed,
        digest(examples),
    ]
    note = f"training/models/{fingerprint(made_of)}.json"
    try:
        return noted(store, note)
    except AbsentObjectError:
        pass
    from factory.run.execute import on_worker

    model, scoring = on_worker(partial(train, config, tuple(examples), seed))
    return put_model(store, note, model, scoring)


def train(config: TrainingConfig, examples: Sequence[Example], seed: int) -> tuple[bytes, Scoring]:
    """Trains here and now; memory and time are the classifier's own (docs/selector.md)."""
    if config.kind == "fasttext":
        from factory.select.training.fasttext_training import fasttext_scoring, train_fasttext

        return train_fasttext(examples, config.fasttext, seed), fasttext_scoring()
    from factory.select.training.forest_training import embedder_for, forest_scoring, train_forest

    embedder = embedder_for(config.forest)
    return train_forest(examples, config.forest, seed, embedder=embedder), forest_scoring(embedder)


def put_model(store: Store, note: str, model: bytes, scoring: Scoring) -> TrainedModel:
    """Keeps a model under the key `note`, or finds that another one was first: the one that holds."""
    digest = sha256_hex(model)
    key = f"training/models/{digest}.bin"
    store.put(key, model)
    store.put_if_absent(note, canonical_json({"key": key, "sha256": digest, "scoring": scoring.to_json()}))
    return noted(store, note)


def noted(store: Store, note: str) -> TrainedModel:
    """The model that stands under the key `note`. Raises AbsentObjectError, StoreError where the note is damaged."""
    return typed_in(TrainedModel, read_mapping(store, note), store.uri, note)


def model_bytes(store: Store, model: TrainedModel) -> bytes:
    """The model file. Raises ConfigError when it is not the one that was trained."""
    data = store.get(model.key)
    check_model(data, model.sha256, f"{store.uri}/{model.key}")
    return data


@lru_cache(maxsize=1)
def scorer_of(store: Store, model: TrainedModel) -> Scorer:
    """The model ready to score; loaded once a process."""
    return open_scorer(model.scoring, model_bytes(store, model))
