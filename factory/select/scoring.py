"""From texts to domain scores: what every trained selector can do, whatever it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from factory.errors import ConfigError
from factory.select.preprocessing import PREPROCESSING_VERSION

Kind = Literal["fasttext", "forest"]


class Scorer(Protocol):
    """A loaded selector. Not pickled: workers load their own, once a process."""

    def score(self, texts: Sequence[str]) -> list[float]:
        """Scores from 1 to 10, parallel to `texts`; never NaN. A text without a word gets 1."""
        ...


@dataclass(frozen=True)
class Scoring:
    """How a model file is to be used. `embedding` says which embedding model a forest looks through (model,
    revision, digest of its weights, tokens); empty for fastText."""

    kind: Kind
    preprocessing: int = PREPROCESSING_VERSION
    embedding: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "preprocessing": self.preprocessing, "embedding": dict(self.embedding)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Scoring:
        """Raises KeyError or ValueError for what is no such object."""
        if values["kind"] not in get_args(Kind):
            raise ValueError(f"unknown kind of selector {values['kind']!r}")
        return cls(values["kind"], int(values["preprocessing"]), dict(values["embedding"]))


def check_here(scoring: Scoring) -> None:
    """Raises ConfigError when this factory prepares texts in another way than the selector was trained with, or
    a forest's embedding model is not on this machine. Loads no model."""
    if scoring.preprocessing != PREPROCESSING_VERSION:
        raise ConfigError(
            f"the selector was trained with preprocessing {scoring.preprocessing}, "
            f"this factory has {PREPROCESSING_VERSION}",
            cause="it was trained with another version of the factory",
            remedy="train it again, or use the factory it was trained with",
        )
    if scoring.kind == "forest":
        from factory.select.training.embedding import EmbeddingModel

        EmbeddingModel.from_json(scoring.embedding).find()


def open_scorer(scoring: Scoring, model: bytes) -> Scorer:
    """The scorer of a model file whose digest has been checked. Raises ConfigError as check_here does."""
    check_here(scoring)
    if scoring.kind == "fasttext":
        from factory.select.fasttext_scorer import FastTextScorer

        return FastTextScorer(model)
    from factory.select.forest_scorer import ForestScorer

    return ForestScorer(model, scoring.embedding)
