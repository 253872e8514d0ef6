"""Two fields of study written by code, and a selector trained to tell them apart."""

from __future__ import annotations

import random
from functools import cache

from factory.select.training.examples import Example, Origin
from factory.select.training.fasttext_training import train_fasttext
from factory.select.training.settings import FastTextSettings
from tests.corpora import text_of

_WORDS = """
    kernel socket deploy python docker thread cache server request cookie header branch commit merge push index table
    query login install package script shell file folder user password network router
"""
COMPUTING = _WORDS.split()

QUICK = FastTextSettings(least_lines=4000, epochs=5, learning_rate=0.5)
"""Enough for two made-up fields of a hundred words, in half a second."""


def computing(number: int) -> str:
    draw = random.Random(number)
    lines = [
        f"The {draw.choice(COMPUTING)} sends the {draw.choice(COMPUTING)} to a {draw.choice(COMPUTING)}, "
        f"so {draw.choice(COMPUTING)} and {draw.choice(COMPUTING)} are configured first."
        for _ in range(12)
    ]
    return " ".join(lines)


def example(text: str, score: float, name: str = "d", source: str = "made up", origin: Origin = "rated") -> Example:
    return Example(text, score, name, source, origin, "tester" if origin == "rated" else "")


def two_fields(each: int = 60, first: int = 0) -> list[Example]:
    """Mathematics (score 10) and computing (score 1), in turn."""
    found = []
    for number in range(first, first + each):
        found.append(example(text_of(number), 10.0, f"m{number}", "mathematics", "cold_start_positive"))
        found.append(example(computing(number), 1.0, f"c{number}", "computing", "corpus_negative"))
    return found


@cache
def trained() -> bytes:
    return train_fasttext(two_fields(), QUICK, 1)
