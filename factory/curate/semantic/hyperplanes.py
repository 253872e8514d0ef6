"""Band keys of vectors: which of many are likely to lie within an angle of each other.

Design: the sign of a vector's product with a random direction is a bit; two vectors agree in one with the probability
1 - angle / pi (Charikar 2002, "Similarity estimation techniques from rounding algorithms", section 3). `BITS_A_BAND`
follows from the threshold: as many bits as a pair just at it may be asked to share, so that one of `BANDS` bands finds
it with a probability of at least `RECALL`. Keys go the way of MinHash's (bands.py, match.py): every pair found is
measured exactly. Numbers and operators are part of the keys, as they are there: to an embedding "12 apples" and
"13 apples" are the same.

Cost, one core: 640 products of a vector of 384 numbers, 16 microseconds a question; embedding it takes a thousand times
that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.curate.words import U64, mix64
from factory.select.training.embedding import POOLING, EmbeddingModel

F32 = npt.NDArray[np.float32]

BANDS = 32
RECALL = 0.98
"""Least probability of meeting a pair whose cosine is just the threshold."""

MOST_BITS = 40
SEED = 17


@dataclass(frozen=True)
class SemanticParameters:
    """What keys and verdicts depend on, besides the vectors."""

    model: EmbeddingModel
    threshold: float

    @property
    def bits(self) -> int:
        """Bits a band."""
        agree = 1 - math.acos(self.threshold) / math.pi
        for bits in range(MOST_BITS, 0, -1):
            if 1 - (1 - agree**bits) ** BANDS >= RECALL:
                return bits
        return 1

    def identity(self) -> dict[str, Any]:
        """Weights, and not where they lie."""
        model = {"sha256": self.model.sha256, "max_tokens": self.model.max_tokens, "pooling": POOLING}
        return {"model": model, "threshold": self.threshold, "bands": BANDS, "bits": self.bits, "seed": SEED}

    def compared_by(self) -> dict[str, Any]:
        return self.identity()

    def evidence_of(self, _kind: int) -> dict[str, Any]:
        return {"cosine_of": self.model.model, "model_sha256": self.model.sha256}


def plane_keys(vectors: F32, significant: U64, parameters: SemanticParameters) -> U64:
    """uint64[N, BANDS] of vectors float32[N, D]; `significant` uint64[N] keeps apart what differs in its numbers."""
    bits = parameters.bits
    signs = (vectors @ _planes(vectors.shape[1], BANDS * bits)).reshape(len(vectors), BANDS, bits) > 0
    weights = np.uint64(1) << np.arange(bits, dtype=np.uint64)
    packed = (signs * weights).sum(axis=2, dtype=np.uint64)
    bands = mix64(np.arange(1, BANDS + 1, dtype=np.uint64))
    return mix64(mix64(packed ^ bands) ^ significant[:, None])


@lru_cache(maxsize=2)
def _planes(dimensions: int, count: int) -> F32:
    """float32[dimensions, count] random directions."""
    return np.random.default_rng(SEED).standard_normal((dimensions, count), np.float32)
