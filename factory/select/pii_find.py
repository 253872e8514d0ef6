"""Finding and masking: which spans of a text are personal data, and the text with placeholders in their place.

Design: every pattern is behind a character test, so a clean document pays for a few substring searches and for the
expressions whose first characters it happens to contain. Overlapping finds become one, named after the kind that
comes first. Masking repeats until nothing is found, so masking a masked text changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from factory.select.pii_kinds import PLACEHOLDER, PLACEHOLDERS, PRIORITY
from factory.select.pii_numbers import NUMBERS
from factory.select.pii_patterns import CONTACTS, SECRETS, Pattern


class Found(NamedTuple):
    """Characters [start, end) of a text that are personal data of a kind."""

    start: int
    end: int
    kind: str


Find = Callable[[str], list[Found]]
"""Finds of a text, in order, disjoint."""

PATTERNS: tuple[Pattern, ...] = (*SECRETS, *CONTACTS, *NUMBERS)

_SEVEN_DIGITS = re.compile("[0-9](?:[ \u00a0\u202f()./+\\-\u2010\u2011]{0,3}[0-9]|[A-Z][0-9]){6}")
"""With separators, or single letters as Italian and Finnish codes have them, between."""

INVISIBLE = "\u00ad\u180e\u200b\u200c\u200d\u2060\ufeff"
"""Characters without width: looked through, so that none hides a value and none of a value's is left standing."""

MASKING_PASSES = 8
"""Two are the rule: a placeholder is no part of a word, as what it replaced may have been. The rest is a bound."""


class PatternFinder:
    """Finds by pattern; `kinds` restricts what is looked for, `skip` says which values are to be left alone."""

    def __init__(self, kinds: Collection[str], skip: Callable[[str, str], bool] | None = None) -> None:
        chosen = [pattern for pattern in PATTERNS if pattern.kind in kinds]
        groups: dict[tuple[bool, tuple[str, ...], tuple[str, ...]], list[Pattern]] = {}
        for pattern in chosen:
            groups.setdefault((pattern.digits, pattern.literals, pattern.words), []).append(pattern)
        self._groups = list(groups.items())
        self._skip = skip

    def __call__(self, text: str) -> list[Found]:
        if not any(map(text.__contains__, INVISIBLE)):
            return self._found(text)
        places = [place for place, character in enumerate(text) if character not in INVISIBLE]
        found = self._found("".join([text[place] for place in places]))
        return [Found(places[each.start], places[each.end - 1] + 1, each.kind) for each in found]

    def _found(self, text: str) -> list[Found]:
        folded = text.lower()
        digits = _SEVEN_DIGITS.search(text) is not None
        found: list[Found] = []
        for (needs_digits, literals, words), patterns in self._groups:
            if needs_digits and not digits:
                continue
            if literals and not any(map(text.__contains__, literals)):
                continue
            if words and not any(map(folded.__contains__, words)):
                continue
            for pattern in patterns:
                for match in _matches(pattern, text, folded):
                    span = pattern.check(match)
                    if span is not None and not (self._skip and self._skip(pattern.kind, text[span[0] : span[1]])):
                        found.append(Found(*span, pattern.kind))
        return disjoint(text, found) if found else found


def _matches(pattern: Pattern, text: str, folded: str) -> Iterator[re.Match[str]]:
    if not pattern.anchors or len(folded) != len(text):  # a few letters have a longer lower case
        yield from pattern.expression.finditer(text)
        return
    for anchor in pattern.anchors:
        place = folded.find(anchor)
        while place >= 0:
            match = pattern.expression.match(text, place)
            if match:
                yield match
            place = folded.find(anchor, place + len(anchor))


def disjoint(text: str, found: Iterable[Found]) -> list[Found]:
    """In order, overlapping ones joined under the first kind, without those that touch a placeholder."""
    placeholders = [match.span() for match in PLACEHOLDER.finditer(text)] if "<" in text else []
    kept: list[Found] = []
    place = 0
    for each in sorted(found):
        while place < len(placeholders) and placeholders[place][1] <= each.start:
            place += 1
        if place < len(placeholders) and placeholders[place][0] < each.end:
            continue
        if kept and each.start < kept[-1].end:
            first = min(kept[-1], each, key=lambda one: PRIORITY[one.kind])
            kept[-1] = Found(kept[-1].start, max(kept[-1].end, each.end), first.kind)
        else:
            kept.append(each)
    return kept


class Masked(NamedTuple):
    """A text with placeholders, where they stand in it, and how many characters they replaced."""

    text: str
    spans: list[Found]
    replaced: int


def mask(text: str, find: Find) -> Masked:
    """Replaces what `find` finds until it finds nothing more. Idempotent, deterministic."""
    spans: list[Found] = []
    replaced = 0
    for _ in range(MASKING_PASSES):
        found = find(text)
        if not found:
            break
        replaced += sum(each.end - each.start for each in found)
        text, spans = _replaced(text, spans, found)
    return Masked(text, spans, replaced)


def _replaced(text: str, spans: Sequence[Found], found: Sequence[Found]) -> tuple[str, list[Found]]:
    """The text with `found` replaced, and all placeholders' places in it; `spans` are those of earlier passes."""
    pieces: list[str] = []
    placed: list[Found] = []
    copied = shift = 0
    older = iter(spans)
    waiting = next(older, None)
    for each in found:
        while waiting is not None and waiting.start < each.start:
            placed.append(Found(waiting.start + shift, waiting.end + shift, waiting.kind))
            waiting = next(older, None)
        placeholder = PLACEHOLDERS[each.kind]
        pieces += (text[copied : each.start], placeholder)
        placed.append(Found(each.start + shift, each.start + shift + len(placeholder), each.kind))
        shift += len(placeholder) - (each.end - each.start)
        copied = each.end
    while waiting is not None:
        placed.append(Found(waiting.start + shift, waiting.end + shift, waiting.kind))
        waiting = next(older, None)
    return "".join([*pieces, text[copied:]]), placed


def counts(found: Iterable[Found]) -> Mapping[str, int]:
    """How many of each kind, by name."""
    totals: dict[str, int] = {}
    for each in found:
        totals[each.kind] = totals.get(each.kind, 0) + 1
    return dict(sorted(totals.items()))
