"""The self-test: benchmark items planted among somebody's own rows, and how many of them are found.

Design: plants (plants.py) are judged as rows are; recall is counted by class and by length of the item. A plant counts
as found when its row would be rejected, whichever item it is said to hold: benchmarks repeat themselves. Look-alikes
(other numbers) are counted apart. The rows themselves are judged, too: what is marked among them without a plant is
either a leak that was there before or a false positive, and only reading tells.

Cost: as judging so many rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from factory.curate.benchmarks import Item
from factory.curate.decon.hits import Hit, Screen
from factory.curate.decon.plants import KINDS, LENGTHS, Plant, Source, length_class, plants
from factory.curate.words import tokenise

BATCH = 512

LOOK_ALIKE = "number_swapped"
"""The class that is expected to be similar, not contaminated."""


@dataclass(frozen=True)
class Counted:
    """Plants of one class and length: how many, of them rejected, only similar, and naming the item planted."""

    plants: int = 0
    found: int = 0
    similar: int = 0
    named: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.plants if self.plants else 0.0

    def plus(self, other: Counted) -> Counted:
        return Counted(
            self.plants + other.plants,
            self.found + other.found,
            self.similar + other.similar,
            self.named + other.named,
        )


@dataclass(frozen=True)
class SelfTest:
    """`counts`: class -> length class -> Counted, classes without any plant left out; `marked` are the hits among
    `rows` rows without a plant."""

    counts: Mapping[str, Mapping[str, Counted]]
    rows: int
    marked: Sequence[tuple[int, Hit]]

    def total(self, kind: str, least_words: int = 0) -> Counted:
        """All lengths of a class, or those from `least_words` on."""
        total = Counted()
        for start, _, name in LENGTHS:
            if start >= least_words:
                total = total.plus(self.counts[kind].get(name, Counted()))
        return total


def sources_of(items: Sequence[Item]) -> list[Source]:
    """Items to plant: their texts and choices."""
    return [Source(place, item.text, item.options) for place, item in enumerate(items)]


def run_self_test(screen: Screen, items: Sequence[Item], rows: Sequence[str], each: int, seed: int) -> SelfTest:
    """Plants `each` items a class among `rows` (at least one) and counts what is found."""
    planted = list(plants(sources_of(items), rows, each, seed))
    counts: dict[str, dict[str, Counted]] = {kind: {} for kind in KINDS}
    for plant, hit in zip(planted, judged(screen, [plant.text for plant in planted]), strict=True):
        of_kind = counts[plant.kind]
        name = length_class(plant.words)
        of_kind[name] = of_kind.get(name, Counted()).plus(_counted(screen, items, plant, hit))
    marked = [(place, hit) for place, hit in enumerate(judged(screen, rows)) if hit is not None and screen.rejects(hit)]
    return SelfTest({kind: by_length for kind, by_length in counts.items() if by_length}, len(rows), marked)


def judged(screen: Screen, texts: Sequence[str]) -> Iterator[Hit | None]:
    """The best hit of every text, in order."""
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        hits = screen.best(batch, tokenise(batch))
        yield from (hits.get(place) for place in range(len(batch)))


def _counted(screen: Screen, items: Sequence[Item], plant: Plant, hit: Hit | None) -> Counted:
    if hit is None:
        return Counted(plants=1)
    item = items[plant.item]
    named = (hit.benchmark, hit.item, hit.field) == (item.benchmark, item.item, item.field)
    rejected = screen.rejects(hit)
    return Counted(1, int(rejected), int(not rejected), int(named))
