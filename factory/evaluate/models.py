"""How many parameters a model has, as far as its record or its name tells.

Design: names of open models carry their size ("Qwen3-30B-A3B", "SmolLM2-135M-Instruct", "Mixtral-8x7B"); the
largest one in the name is the whole model. Context lengths ("128k") are no sizes, hence no K.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SIZE = re.compile(r"(?<![A-Za-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)([MBT])(?![A-Za-z0-9])", re.IGNORECASE)
_UNIT = {"m": 10**6, "b": 10**9, "t": 10**12}

SMALL = 1_000_000_000
"""Below this many parameters a page says that its samples are weak: such models hardly follow the format, let
alone check a fact. SynthLLM's own generator has 123 billion (Mistral-Large-Instruct-2407, section 5.1)."""


def parameters_in(names: Iterable[str]) -> int | None:
    """Parameters by the first of `names` that carries a size; None when none does."""
    for name in names:
        stem = name.rstrip("/").rsplit("/", 1)[-1]
        sizes = [
            round(float(number) * _UNIT[unit.lower()]) * int(experts or 1)
            for experts, number, unit in _SIZE.findall(stem)
        ]
        if sizes:
            return max(sizes)
    return None


def in_words(parameters: int) -> str:
    """135000000 -> "135M", 8030000000 -> "8.03B"."""
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6)):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return f"{parameters:,}"
