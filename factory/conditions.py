"""Conditions on figures, `FIGURE>=NUMBER`: how they are written, and what one comes to.

Design: who asks knows which figures there are and looks them up; here is only what all of them share. A figure that
could not be computed does not hold, and says why: nothing passes because nobody looked.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION = re.compile(r"\s*([a-z][a-z0-9_.]{0,199})\s*(>=|<=|>|<)\s*(-?[0-9.]+)\s*(%?)\s*")


@dataclass(frozen=True)
class Condition:
    figure: str
    comparison: str
    threshold: float

    def __str__(self) -> str:
        return f"{self.figure}{self.comparison}{self.threshold:g}"


@dataclass(frozen=True)
class Outcome:
    """`value` None: the figure could not be computed, and `why` says why; `holds` is False then."""

    condition: str
    value: float | None
    holds: bool
    why: str = ""

    @property
    def in_words(self) -> str:
        return f"{self.condition} ({f'no value: {self.why}' if self.value is None else f'it is {self.value:.4g}'})"


def parse_condition(text: str) -> Condition:
    """Raises ValueError where it is none; a percent sign divides by 100."""
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text.strip()!r} is no condition")
    try:
        threshold = float(match[3])
    except ValueError:
        raise ValueError(f"{text.strip()!r} is no condition") from None
    return Condition(match[1], match[2], threshold / 100 if match[4] else threshold)


def outcome(condition: Condition, value: float | None, why: str = "") -> Outcome:
    """What the condition comes to where its figure is `value`."""
    holds = value is not None and _OPERATORS[condition.comparison](value, condition.threshold)
    return Outcome(str(condition), value, holds, why if value is None else "")


def failed(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [each for each in outcomes if not each.holds]
