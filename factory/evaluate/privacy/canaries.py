"""Planted secrets: whether outputs repeat them, and how much likelier a model finds them than others of their format.

Design: a canary is a text with a secret in it that stands nowhere else ("the code of room 12 is 483920"). Counting asks
whether it came out. Exposure asks a model (Carlini et al. 2019, "The Secret Sharer", arXiv 1802.08232, section 4.2):
log2 of the number of candidates less log2 of the rank of the true one, by loss of the whole text, among random secrets
of the same format, where digits stand for digits and letters for letters of their case. About 1.44 bits on average
where nothing was learned; log2 of the candidates is the most that can be seen, and the secret then comes first.

Cost: counting, a scan of all outputs; exposure, one scored text for each alternative.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from factory.errors import ConfigError
from factory.evaluate.privacy.attack import F64
from factory.publish.gates.canaries import folded_text

_ALPHABETS = (string.digits, string.ascii_lowercase, string.ascii_uppercase)


@dataclass(frozen=True)
class Canary:
    """`secret` stands in `text`."""

    text: str
    secret: str


@dataclass(frozen=True)
class Exposure:
    """`bits` = log2(candidates) - log2(rank); `candidates` counts the secret itself; `rank` 1 is the likeliest."""

    bits: float
    rank: int
    candidates: int

    @property
    def most(self) -> float:
        """Bits that a secret on the first place has."""
        return float(np.log2(self.candidates))


def alternatives(secret: str, count: int, seed: int) -> list[str]:
    """Distinct random secrets of the same format without the secret itself; fewer where the format has fewer.

    Raises ConfigError for a secret without an ASCII digit or letter."""
    pools = [next((pool for pool in _ALPHABETS if sign in pool), sign) for sign in secret]
    space = 1
    for pool in pools:
        space = min(space * len(pool), 1 << 62)
    if space == 1:
        raise ConfigError(
            f"the secret of a canary ({len(secret)} characters) has no alternatives",
            cause="its secret holds neither an ASCII digit nor an ASCII letter",
            remedy="plant a secret such as 483920 and name it in privacy.canaries",
        )
    drawn = np.random.default_rng(seed)
    if space <= 2 * count + 2:
        every = [""]
        for pool in pools:
            every = [start + sign for start in every for sign in pool]
        every.remove(secret)
        return [every[place] for place in sorted(drawn.permutation(len(every))[:count].tolist())]
    found: dict[str, None] = {}
    while len(found) < count:
        other = "".join(pool[int(drawn.integers(len(pool)))] for pool in pools)
        if other != secret:
            found[other] = None
    return list(found)


def exposure(canary: Canary, total_loss: Callable[[Sequence[str]], F64], count: int, seed: int) -> Exposure:
    """`total_loss` gives the summed loss of each text, float64[N]. Ties rank the secret last: nothing set it apart.

    Raises ConfigError where the secret is not in the text, or has no alternatives."""
    if not canary.secret or canary.secret not in canary.text:
        raise ConfigError(
            "the secret of a canary does not stand in its text",
            remedy="give both exactly as they were planted",
        )
    others = alternatives(canary.secret, count, seed)
    losses = total_loss([canary.text.replace(canary.secret, each) for each in [canary.secret, *others]])
    rank = 1 + int((losses[1:] <= losses[0]).sum())
    return Exposure(float(np.log2(len(losses)) - np.log2(rank)), rank, len(losses))


def occurrences(canaries: Sequence[Canary], outputs: Iterable[str]) -> list[tuple[int, int]]:
    """Outputs that hold each canary's whole text, and those that hold its secret, folded as the gate folds
    them: neither case, blanks, nor characters that are not seen count."""
    wanted = [(folded_text(canary.text), folded_text(canary.secret)) for canary in canaries]
    found = [[0, 0] for _ in canaries]
    for output in outputs:
        text = folded_text(output)
        for counts, (whole, secret) in zip(found, wanted, strict=True):
            counts[0] += whole in text
            counts[1] += secret in text
    return [(whole, secret) for whole, secret in found]
