"""Training of the default classifier: supervised fastText over score classes.

Design: labels are the scores rounded to whole classes, so cold start (1 and 10) and ratings (1 to 10) train alike.
A model is only believed once it loads, scores finitely and separates its own training data better than chance:
the library can end with NaN (fasttext_process.py), and on tiny sets with a model that has learnt nothing. Then
another seed is tried.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from factory.errors import ConfigError, EngineError
from factory.identity import seed_for
from factory.select.fasttext_scorer import FastTextScorer, label_of
from factory.select.scoring import Scoring
from factory.select.training import fasttext_process
from factory.select.training.examples import Example
from factory.select.training.lines import training_lines
from factory.select.training.metrics import rank_area
from factory.select.training.settings import FastTextSettings
from factory.select.training.training_set import check

SIGMAS = 3.0
"""Standard deviations above chance at which a separation counts: one lucky model of 700 passes."""


def fasttext_scoring() -> Scoring:
    """How a model of `train_fasttext` is used: what its artefact says beside the file."""
    return Scoring("fasttext")


def train_fasttext(examples: Sequence[Example], settings: FastTextSettings, seed: int) -> bytes:
    """A model file that `FastTextScorer` reads, trained in a process of its own.

    The same bytes for the same arguments with settings.threads = 1. Raises ConfigError for a set that cannot be
    trained on (training_set.check) and EngineError when no seed gave a model that holds.
    """
    kept = check(examples)
    views = [training_lines(example.text, function_words=settings.function_words) for example in kept]
    lines = [line for of_one in views for line in of_one]
    classes = [math.floor(example.score + 0.5) for example, of_one in zip(kept, views, strict=True) for _ in of_one]
    faults: list[str] = []
    for attempt in range(settings.attempts):
        try:
            model = _trained(lines, classes, settings, seed_for("fasttext", seed, attempt) % 2**31)
            check_separation(FastTextScorer(model).score_lines(lines), classes)
        except _FailedError as fault:
            faults.append(str(fault))
            continue
        return model
    raise EngineError(
        f"fastText gave no usable model with {settings.attempts} seeds: {'; '.join(dict.fromkeys(faults))}",
        cause="a learning rate too high for so few examples, or examples whose scores do not follow from their texts",
        remedy="lower learning_rate, raise epochs, or look at the ratings: `ratings.parquet` of the last selector",
    )


class _FailedError(Exception):
    """One attempt's fault, for the message that names all of them."""


def _trained(lines: Sequence[bytes], classes: Sequence[int], settings: FastTextSettings, seed: int) -> bytes:
    with tempfile.TemporaryDirectory(prefix="factory-fasttext-") as name:
        folder = Path(name)
        with (folder / "train.txt").open("wb") as file:
            for line, score_class in zip(lines, classes, strict=True):
                file.write(label_of(score_class).encode() + b" " + line + b"\n")
        (folder / "settings.json").write_text(json.dumps(_arguments(settings, seed, len(lines))))
        # -P: the folder of the script must not shadow packages that fastText imports.
        command = [sys.executable, "-P", str(Path(fasttext_process.__file__)), name]
        environment = {**os.environ, **fasttext_process.ENVIRONMENT}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            if "ModuleNotFoundError" in last:
                raise ConfigError(
                    "training a fastText selector needs the package fasttext-numpy2",
                    remedy="pip install fasttext-numpy2",
                )
            raise _FailedError(f"the training process ended with {done.returncode} ({last})")
        return (folder / "model.bin").read_bytes()


def _arguments(settings: FastTextSettings, seed: int, lines: int) -> dict[str, object]:
    return {
        "dim": settings.dimension,
        "epoch": max(settings.epochs, math.ceil(settings.least_lines / lines)),
        "lr": settings.learning_rate,
        "wordNgrams": settings.word_ngrams,
        "bucket": settings.bucket,
        "minCount": settings.min_count,
        "thread": settings.threads,
        "loss": "softmax",
        "seed": seed,
    }


def check_separation(scores: Sequence[float], classes: Sequence[int]) -> None:
    """Raises _FailedError unless scores are finite and rank the upper classes above the lower, beyond chance."""
    found, wanted = np.asarray(scores), np.asarray(classes)
    if not np.isfinite(found).all():
        raise _FailedError("scores are not finite")
    bounds = np.unique(wanted)[1:]
    bound = min(bounds, key=lambda bound: abs((wanted >= bound).mean() - 0.5))
    area, chance = rank_area(found, wanted >= bound), 0.5
    high = int((wanted >= bound).sum())
    low = wanted.size - high
    deviation = math.sqrt((high + low + 1) / (12 * high * low))
    if area <= chance + SIGMAS * deviation:
        raise _FailedError(f"it separates its own training data no better than chance (area {area:.2f})")
