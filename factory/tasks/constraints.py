"""Constraints that code can verify: how they are drawn, and whether a text keeps them.

Design: in the manner of verifiable instructions (Zhou et al. 2023, IFEval, arXiv 2311.07911), with kinds of our own
choosing. A constraint is plain data (`kind` and its number or word), so a row can be checked without the run that made
it. Kinds that contradict one another are of one group, of which one is drawn. Words are runs of letters and digits with
apostrophes and hyphens inside; sentences end in a full stop, question or exclamation mark.

Cost: 30 microseconds a constraint on 1,000 characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from factory.identity import seed_for

Constraint = Mapping[str, Any]
"""`kind`, and `count` or `word` where the kind has one."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "length": ("max_words", "min_words"),
    "form": ("sentences", "bullets", "paragraphs", "json"),
    "words": ("contains", "excludes"),
    "signs": ("no_commas", "lower_case"),
    "edges": ("starts_with", "ends_with"),
}
CONTRADICT = {"json": ("signs", "edges", "length"), "bullets": ("edges",), "sentences": ("length",)}
"""Groups that a kind leaves no room for: JSON needs commas and begins with a brace, two sentences have no 150 words."""

COUNTS: Mapping[str, Sequence[int]] = {
    "max_words": (40, 60, 80, 100, 120),
    "min_words": (30, 50, 80, 100),
    "sentences": (2, 3, 4, 5),
    "bullets": (3, 4, 5),
    "paragraphs": (2, 3),
}
WITH_WORD = frozenset({"contains", "excludes", "starts_with", "ends_with"})

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_SENTENCE_END = re.compile(r"[.!?。！？]+[\"'”’)\]]*(?=\s|$)")
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+\S", re.MULTILINE)
_FENCE = re.compile(r"^```\w*\s*\n(.*?)\n?```$", re.DOTALL)


def draw_constraints(
    kinds: Sequence[str], most: int, words: Sequence[str], seed: int, chunk_id: str, index: int
) -> list[Constraint]:
    """One to `most` constraints of different groups, the same for the same (seed, passage, index). `words` are those
    that may be asked for or forbidden, used in their order; a kind that needs one is left out when they run out."""

    def drawn(what: str, among: int) -> int:
        return seed_for(seed, "constraints", what, chunk_id, index) % among

    wanted = 1 + drawn("number", most)
    groups = sorted(GROUPS, key=lambda group: drawn(f"group {group}", 1 << 32))
    found: list[Constraint] = []
    left = list(words)
    for group in groups:
        allowed = [kind for kind in GROUPS[group] if kind in kinds and (left or kind not in WITH_WORD)]
        if len(found) == wanted:
            break
        if not allowed:
            continue
        kind = allowed[drawn(f"kind of {group}", len(allowed))]
        if _contradicts(kind, group, found):
            continue
        constraint: dict[str, Any] = {"kind": kind}
        if kind in WITH_WORD:
            constraint["word"] = left.pop(0)
        elif kind in COUNTS:
            constraint["count"] = COUNTS[kind][drawn(f"count of {kind}", len(COUNTS[kind]))]
        found.append(constraint)
    return found


def _contradicts(kind: str, group: str, found: Sequence[Constraint]) -> bool:
    groups = {name for name, kinds in GROUPS.items() for constraint in found if constraint["kind"] in kinds}
    return bool(groups & set(CONTRADICT.get(kind, ()))) or any(
        group in CONTRADICT.get(constraint["kind"], ()) for constraint in found
    )


def broken(constraints: Sequence[Constraint], text: str) -> list[dict[str, Any]]:
    """Those constraints that `text` does not keep, each with what was found instead."""
    results = [(constraint, CHECKS[constraint["kind"]](text, constraint)) for constraint in constraints]
    return [{**constraint, "found": found} for constraint, (kept, found) in results if not kept]


def count_words(text: str) -> int:
    return len(_WORD.findall(text))


def count_sentences(text: str) -> int:
    """Stretches that hold a word and end in a mark, and what stands after the last mark."""
    return sum(any(character.isalnum() for character in part) for part in _SENTENCE_END.split(text))


def holds_word(text: str, word: str) -> bool:
    """Whether `word` (or words) stands in `text`, whatever the case, as whole words."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _is_json(text: str) -> bool:
    fenced = _FENCE.match(text.strip())
    try:
        return isinstance(orjson.loads(fenced.group(1) if fenced else text), dict | list)
    except ValueError:
        return False


def _edge(text: str, place: int) -> str:
    words = _WORD.findall(text)
    return words[place] if words else ""


def _same_words(said: str, wanted: str) -> bool:
    return said.casefold() == wanted.casefold()


Check = Callable[[str, Constraint], tuple[bool, Any]]


def _counted(count: Callable[[str], int], fits: Callable[[int, int], bool]) -> Check:
    def check(text: str, constraint: Constraint) -> tuple[bool, int]:
        found = count(text)
        return fits(found, constraint["count"]), found

    return check


CHECKS: Mapping[str, Check] = {
    "max_words": _counted(count_words, lambda found, count: 0 < found <= count),
    "min_words": _counted(count_words, lambda found, count: found >= count),
    "sentences": _counted(count_sentences, lambda found, count: found == count),
    "bullets": _counted(lambda text: len(_BULLET.findall(text)), lambda found, count: found == count),
    "paragraphs": _counted(
        lambda text: sum(bool(part.strip()) for part in re.split(r"\n\s*\n", text)), lambda found, count: found == count
    ),
    "json": lambda text, _: (_is_json(text), text[:40]),
    "contains": lambda text, constraint: (holds_word(text, constraint["word"]), None),
    "excludes": lambda text, constraint: (not holds_word(text, constraint["word"]), constraint["word"]),
    "no_commas": lambda text, _: ("," not in text, text.count(",")),
    "lower_case": lambda text, _: (text == text.lower(), next((each for each in text if each != each.lower()), None)),
    "starts_with": lambda text, constraint: (
        _same_words(_edge(text, 0), constraint["word"]),
        _edge(text, 0)[:40],
    ),
    "ends_with": lambda text, constraint: (
        _same_words(_edge(text, -1), constraint["word"]),
        _edge(text, -1)[:40],
    ),
}
"""Kind -> whether a text keeps a constraint, and what was found."""
