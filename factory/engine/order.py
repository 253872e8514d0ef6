"""The order in which an engine gets the requests of a unit: shared beginnings together, long prompts first.

Design: prompts are sorted as texts, so that every beginning two of them share lies side by side, as in a walk through
their prefix tree (BatchLLM, Zheng et al. 2024, groups offline batches so). What all of them share, a step's
instructions, is in every engine's prefix cache after the first request; a group is what shares a passage's worth
beyond it. Groups come with the longest prompt first: the requests that take longest begin when others can still fill
the engine beside them, not at the end of the unit (longest processing time first, Graham 1969). Order is tuning: ids,
contents and the bytes of a commit are the same in any.

Cost: sorting 256 prompts of 3,000 characters takes 1 ms or less of the asking process; what it gains is in
docs/decisions/0014-prefixes-and-the-tail.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from factory.engine.api import Request

SHARED_AT_LEAST = 256
"""Characters beyond what all prompts share that make a group: some four blocks of 16 tokens, which is what vLLM caches
by. A few words in common are worth no place in the order."""


def engine_order(requests: Sequence[Request]) -> list[int]:
    """Positions of `requests` in the order in which an engine should get them; the same for the same prompts."""
    texts = [_text(request) for request in requests]
    positions = sorted(range(len(texts)), key=lambda position: (texts[position], position))
    if len(positions) < 2:
        return positions
    end = _shared(texts[positions[0]], texts[positions[-1]]) + SHARED_AT_LEAST
    groups: list[list[int]] = [[positions[0]]]
    for before, position in itertools.pairwise(positions):
        here, there = texts[position][:end], texts[before][:end]
        if here == there and len(here) == end:
            groups[-1].append(position)
        else:
            groups.append([position])
    groups.sort(key=lambda group: -max(len(texts[position]) for position in group))
    return [position for group in groups for position in group]


def _text(request: Request) -> str:
    """The prompt as one text; a separator that no role holds keeps turns apart."""
    return "\x00".join(f"{message.role}\x01{message.content}" for message in request.messages)


def _shared(first: str, last: str) -> int:
    """Characters that two texts have in common at their beginning; of sorted texts first and last share what all do."""
    low, high = 0, min(len(first), len(last))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == last[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
