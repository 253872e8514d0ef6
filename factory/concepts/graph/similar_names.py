"""Pairs of names that mean one thing: near-identical embeddings, found without comparing all with all.

Design: names are blocked by random hyperplanes over their vectors (Charikar 2002), several tables of them; names in one
block are compared exactly. Each hyperplane is laid through the median, because embeddings of names lie in a cone and
signs alone would put most of them into one block. What is near but must not be merged is held back by stated rules,
since "L1 norm" and "L2 norm", or "upper bound" and "lower bound", are as near as any two spellings of one name:
numbers, single letters and signs have to be equal, and words that differ may be neither each other's negation nor
opposites.
A name is merged only into one that stays, the commoner of the two, so there are no chains.

The threshold: on 52 hand-picked names all-MiniLM-L6-v2 gave 0.97 and more to other orders of the same words ("inverse
of matrix"), 0.95 to Gauss for Gaussian, 0.92 to a plural; 0.88 to "artificial neural network" beside "neural network",
0.86 to "right ideal" beside "ideal", 0.83 to "Fourier transform" beside "discrete Fourier transform". 0.93 is between.

Cost: linear in names: tables x block size x dimensions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from factory.concepts.graph.tables import I64
from factory.curate.words import NUMBER, kind_of

F32 = npt.NDArray[np.float32]

BLOCK = 64
"""Names a block on average: large enough that two or three tables more cost nothing."""

RECALL = 0.98
"""Least probability of meeting a pair just at the threshold, were the vectors spread evenly."""
MAX_TABLES = 64
SEED = 0

NUMBERS, OPPOSITES = "numbers", "opposites"

_OPPOSITES = """
upper/lower left/right minimum/maximum min/max positive/negative increasing/decreasing convex/concave odd/even
input/output internal/external real/complex/imaginary discrete/continuous horizontal/vertical row/column source/sink
forward/backward primal/dual local/global weak/strong open/closed micro/macro male/female north/south/east/west
acid/base anode/cathode anion/cation mitosis/meiosis sine/cosine/tangent numerator/denominator prefix/suffix
encoder/decoder encryption/decryption differential/integral derivative/integral union/intersection
addition/subtraction/multiplication/division sum/difference/product/quotient parallel/series/perpendicular
ellipse/hyperbola/parabola gain/loss cause/effect supply/demand import/export early/late short/long small/large
simple/multiple univariate/multivariate exponential/logarithmic ionic/covalent/metallic endothermic/exothermic
inner/outer push/pull virtual/physical serial/parallel static/dynamic active/passive
"""
OPPOSITE_SETS = [frozenset(words.split("/")) for words in _OPPOSITES.split()]
"""Words of which one never stands for another, however near their embeddings are."""

NEGATIONS = ("non", "in", "im", "ir", "un", "dis", "anti", "a", "de", "sub", "super", "hypo", "hyper", "inter", "intra")
"""Prefixes that make another thing of a word."""


class Merge(NamedTuple):
    """Position of a name and of the one it is merged into, and the cosine of their vectors."""

    name: int
    into: int
    similarity: float


@dataclass(frozen=True)
class Found:
    """Merges in order of `name`; pairs near enough that a rule held back, by rule; pairs compared."""

    merges: list[Merge]
    held_back: Counter[str]
    compared: int


def similar_names(names: Sequence[str], vectors: F32, frequencies: I64, threshold: float) -> Found:
    """Which of `names` (normalised) are to be merged; `vectors` float32[N, D] need not have length 1.

    Ties in frequency go to the smaller name, so the order of the names does not show.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(lengths, 1e-12)
    first, second, similarity, compared = near_pairs(unit, threshold)
    held_back: Counter[str] = Counter()
    near: dict[int, list[tuple[int, float]]] = {}
    for one, two, cosine in zip(first.tolist(), second.tolist(), similarity.tolist(), strict=True):
        if reason := differs(names[one], names[two]):
            held_back[reason] += 1
            continue
        near.setdefault(one, []).append((two, cosine))
        near.setdefault(two, []).append((one, cosine))
    kept: set[int] = set()
    merges = []
    for name in sorted(near, key=lambda place: (-int(frequencies[place]), names[place])):
        choices = [
            (-cosine, -int(frequencies[other]), names[other], other) for other, cosine in near[name] if other in kept
        ]
        if not choices:
            kept.add(name)
            continue
        cosine, _, _, into = min(choices)
        merges.append(Merge(name, into, min(-cosine, 1.0)))
    return Found(sorted(merges), held_back, compared)


def differs(one: str, other: str) -> str:
    """Why two near names are not one thing; empty where nothing says so."""
    ours, theirs = Counter(one.split()), Counter(other.split())
    left, right = list((ours - theirs).elements()), list((theirs - ours).elements())
    if sorted(filter(_significant, left)) != sorted(filter(_significant, right)):
        return NUMBERS
    for a in left:
        for b in right:
            if any(a in words and b in words for words in OPPOSITE_SETS) or _negates(a, b) or _negates(b, a):
                return OPPOSITES
    return OPPOSITES if any(word in ("not", "no", "without") for word in left + right) else ""


def _significant(word: str) -> bool:
    return len(word) == 1 or not word.isalpha() or kind_of(word) == NUMBER


def _negates(word: str, plain: str) -> bool:
    return any(word == prefix + plain for prefix in NEGATIONS)


def near_pairs(unit: F32, threshold: float) -> tuple[I64, I64, F32, int]:
    """Pairs (first < second) of rows of length 1 whose cosine reaches `threshold`, their cosines, and how many pairs
    were compared. Finds most of them, not all, above some hundred rows."""
    bits = max(0, int(np.ceil(np.log2(max(len(unit), 1) / BLOCK))))
    drawn = np.random.default_rng(SEED)
    found: list[npt.NDArray[np.int64]] = []
    compared = 0
    for _ in range(_tables(threshold, bits)):
        planes = drawn.standard_normal((unit.shape[1], bits)).astype(np.float32)
        sides = unit @ planes
        keys = ((sides > np.median(sides, axis=0)) @ (1 << np.arange(bits))) if bits else np.zeros(len(unit), np.int64)
        order = np.argsort(keys, kind="stable")
        cuts = np.flatnonzero(np.diff(keys[order])) + 1
        for block in np.split(order, cuts):
            cosines = unit[block] @ unit[block].T
            ours, theirs = np.nonzero(np.triu(cosines >= threshold, 1))
            compared += len(block) * (len(block) - 1) // 2
            pair = np.stack((block[ours], block[theirs]))
            found.append(np.sort(pair, axis=0))
    pairs = np.unique(np.concatenate(found, axis=1), axis=1) if found else np.zeros((2, 0), np.int64)
    # Cosines of a pair alone: a matrix product rounds differently with the shape of its block.
    similarity = np.einsum("ij,ij->i", unit[pairs[0]], unit[pairs[1]], dtype=np.float32)
    return pairs[0], pairs[1], similarity, compared


def _tables(threshold: float, bits: int) -> int:
    """Tables of `bits` hyperplanes that meet a pair at the threshold with probability RECALL."""
    if not bits:
        return 1
    one = (1 - np.arccos(min(threshold, 1.0)) / np.pi) ** bits
    return 1 if one >= RECALL else min(MAX_TABLES, int(np.ceil(np.log(1 - RECALL) / np.log(1 - one))))
