"""Random numbers that are a function of what they are for.

Design: a counter-based generator (Salmon et al. 2011): the four numbers (seed, walk, step, purpose) are mixed one
after another by SplitMix64's finaliser (Steele et al. 2014), which is a bijection, so no state is carried and a
walk draws the same whatever else is drawn, in whatever order, on whatever machine.

Cost: a dozen integer operations a number, vectorised.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

TOPIC_STEPS, CONCEPT_STEPS, SUBJECT, NEIGHBOUR, IMPLICIT, FAR_NEIGHBOUR = range(6)
"""What a number is drawn for."""

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def uniform(seed: int, numbers: I64, step: int, purpose: int) -> F64:
    """float64 in [0, 1) for each walk number, with 53 random bits."""
    mixed = _splitmix(np.asarray(numbers).astype(np.uint64) ^ np.uint64(_scalar(seed)))
    mixed = _splitmix(mixed ^ np.uint64(_scalar(step)))
    mixed = _splitmix(mixed ^ np.uint64(_scalar(purpose)))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def between(low: int, high: int, numbers: F64) -> I64:
    """Integers of [low, high], each as likely as the others, from numbers of [0, 1)."""
    return low + np.floor(numbers * (high - low + 1)).astype(np.int64)


def _splitmix(value: U64) -> U64:
    value = value + np.uint64(_GOLDEN)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _scalar(value: int) -> int:
    return int(_splitmix(np.array([value & _MASK], np.uint64))[0])
