"""A step's share of an estimate."""

from __future__ import annotations

from dataclasses import dataclass

from factory.cost.estimate.draws import Quantity
from factory.cost.estimate.observed import Observed


@dataclass(frozen=True)
class Part:
    """What is left to take of a step, by column of observed.py, and what it rests on."""

    taken: tuple[Quantity, ...]
    basis: str
    observed: Observed | None
    already: float
    models: tuple[str, ...]
