"""Which concepts a question has to combine: drawn in code, never by the model.

Design: SynthLLM lets the model "randomly select" concepts inside the prompt (arXiv 2503.19551, section 4.2,
operator R(K)), which is neither uniform nor repeatable. Here each question gets its set from (seed, chunk,
question index): topics take turns in a random order, each deals its concepts from a shuffled pile, and a
pile is shuffled anew only when it is used up. So sets mix topics and concepts are covered evenly. A set that came
up before is replaced by the first unused one, so sets differ as long as enough exist. Shuffles sort by
`random.Random.random()`, the one method whose sequence Python promises to keep between versions.

Cost: about 80 microseconds for five sets out of 40 concepts.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations
from math import comb
from typing import TypeVar

from factory.concepts.wording import comparable
from factory.identity import seed_for

T = TypeVar("T")


def draw_sets(
    topics: Sequence[Sequence[str]], size: int, count: int, seed: int, chunk_id: str
) -> list[tuple[str, ...]]:
    """Up to `count` different sets of `size` different concepts, fewer where fewer exist.

    `topics` holds each topic's concepts; one that stands under two topics counts once, under the first.
    The first n sets are the same whatever `count` is. Empty when there are not `size` concepts.
    """
    piles = _distinct(topics)
    pool = [concept for pile in piles for concept in pile]
    if len(pool) < size:
        return []
    topic_order = _shuffled(range(len(piles)), random.Random(seed_for("topics", seed, chunk_id)))
    piles = [piles[topic] for topic in topic_order]
    dealt: list[list[str]] = [[] for _ in piles]
    turn = 0
    drawn: list[tuple[str, ...]] = []
    seen: set[frozenset[str]] = set()
    for index in range(min(count, comb(len(pool), size))):
        shuffle = random.Random(seed_for("concepts", seed, chunk_id, index))
        chosen: list[str] = []
        while len(chosen) < size:
            concept = _deal(piles[turn], dealt, turn, chosen, shuffle)
            if concept is not None:
                chosen.append(concept)
            turn = (turn + 1) % len(piles)
        if frozenset(chosen) in seen:
            unused = combinations(_shuffled(pool, shuffle), size)
            chosen = list(next(concepts for concepts in unused if frozenset(concepts) not in seen))
        seen.add(frozenset(chosen))
        drawn.append(tuple(chosen))
    return drawn


def _deal(pile: list[str], dealt: list[list[str]], topic: int, chosen: list[str], shuffle: random.Random) -> str | None:
    """The next concept of a topic's shuffled pile that is not in the set yet, or None if all of them are."""
    if not dealt[topic]:
        dealt[topic] = _shuffled(pile, shuffle)
    for concept in dealt[topic]:
        if concept not in chosen:
            dealt[topic].remove(concept)
            return concept
    return None


def _distinct(topics: Sequence[Sequence[str]]) -> list[list[str]]:
    seen: set[str] = set()
    piles: list[list[str]] = []
    for topic in topics:
        pile: list[str] = []
        for concept in topic:
            key = comparable(concept)
            if key and key not in seen:
                seen.add(key)
                pile.append(concept)
        if pile:
            piles.append(pile)
    return piles


def _shuffled(items: Sequence[T], source: random.Random) -> list[T]:
    keys = [source.random() for _ in items]
    return [items[position] for position in sorted(range(len(items)), key=keys.__getitem__)]
