"""Benchmark items and rows around them that the tests of decontamination share."""

from __future__ import annotations

from collections.abc import Sequence

from factory.curate.benchmarks import Item
from factory.curate.decon.config import DecontaminationConfig
from factory.curate.decon.hits import Hit, Screen
from factory.curate.decon.index import build_index
from factory.curate.words import tokenise

DUCKS = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her friends "
    "every day with four. How much in dollars does she make every day at the farmers' market?"
)
ROOTS = r"Let $p$ and $q$ be the roots of $x^2 - 7x + 12 = 0$. What is the value of $p^2 + q^2$ in lowest terms?"
PLANET = "Which planet of the solar system has the longest day?"
SONATA = "Who composed the Moonlight Sonata?"
TINY = "Planets orbit"
GENERIC = "Which of the following is true?"

ITEMS = (DUCKS, ROOTS, PLANET, SONATA, TINY, GENERIC)

CLEAN = (
    "Bakers work at night, and rolls are shaped by hand, proved for an hour and baked on stone until they are brown.",
    "A binary search halves the interval in every step, so a sorted list of a million entries takes twenty steps.",
    "Rivers end in lakes, in other rivers or in the sea, where the sediment they carry settles and forms a delta.",
    "How many litres of paint does a wall of 12 square metres need when one litre is enough for four of them?",
    "Explain why every finite integral domain is a field, and give an infinite integral domain that is not one.",
)


def items(texts: Sequence[str] = ITEMS, benchmark: str = "school", options: tuple[str, ...] = ()) -> list[Item]:
    return [Item(benchmark, str(place), "question", text, "question", options) for place, text in enumerate(texts)]


def screen(found: Sequence[Item] = (), rules: DecontaminationConfig | None = None) -> Screen:
    """Without items, those above."""
    return Screen(build_index(list(found) or items()), rules or DecontaminationConfig())


def hit(of: Screen, text: str) -> Hit | None:
    return of.best([text], tokenise([text])).get(0)


def leak(of: Screen, text: str) -> Hit | None:
    """The hit, unless the row is only similar."""
    found = hit(of, text)
    return None if found is None or found.similar else found
