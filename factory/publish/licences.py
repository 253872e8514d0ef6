"""Licences of sources: one SPDX expression for a row that rests on several, and the attribution they ask for.

Design: every licence is parsed as an SPDX expression (SPDX 2.3, annex D), put into a canonical form (flat,
without repetition, sorted) and joined by AND, since a derived row has to honour all of them. So `combine`
is independent of order, idempotent and associative: combining combinations changes nothing. What is not
SPDX becomes a LicenseRef that keeps its words; nothing is ever dropped. Cost: parsing is cached by string,
1 microsecond a row after the first of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from factory.identity import sha256_hex

UNKNOWN = "LicenseRef-unknown"

_UNSTATED = {"", "unknown", "none", "null", "noassertion", "n/a", "other", UNKNOWN.lower()}


class Node(NamedTuple):
    """A canonical expression: "AND" or "OR" over sorted, distinct parts, or a simple licence ("")."""

    operator: str
    parts: tuple[Node, ...]
    text: str


def combine(licences: Iterable[str | None]) -> str:
    """One SPDX expression that honours every licence given; LicenseRef-unknown for those not stated.

    Never raises: text that is no SPDX expression becomes a LicenseRef built from its words.
    """
    return _combine(frozenset(licence or "" for licence in licences))


@lru_cache(maxsize=65536)
def _combine(licences: frozenset[str]) -> str:
    if not licences:
        return UNKNOWN
    return _write(_join("AND", [parse(licence) for licence in sorted(licences)]))


def terms(expression: str) -> list[str]:
    """The parts that a canonical expression joins by AND."""
    node = parse(expression)
    return [_write(part) for part in node.parts] if node.operator == "AND" else [_write(node)]


@lru_cache(maxsize=65536)
def parse(licence: str) -> Node:
    """The canonical form of one stated licence."""
    stated = " ".join(licence.split())
    if stated.lower() in _UNSTATED:
        return Node("", (), UNKNOWN)
    try:
        expression = canonicalize_license_expression(stated)
    except InvalidLicenseExpression:
        return Node("", (), _reference(stated))
    tokens = expression.replace("(", " ( ").replace(")", " ) ").split()
    node, rest = _any_of(tokens)
    return node if not rest else Node("", (), _reference(stated))


def _any_of(tokens: list[str]) -> tuple[Node, list[str]]:
    node, rest = _all_of(tokens)
    parts = [node]
    while rest and rest[0] == "OR":
        node, rest = _all_of(rest[1:])
        parts.append(node)
    return _join("OR", parts), rest


def _all_of(tokens: list[str]) -> tuple[Node, list[str]]:
    node, rest = _one(tokens)
    parts = [node]
    while rest and rest[0] == "AND":
        node, rest = _one(rest[1:])
        parts.append(node)
    return _join("AND", parts), rest


def _one(tokens: list[str]) -> tuple[Node, list[str]]:
    if tokens[0] == "(":
        node, rest = _any_of(tokens[1:])
        return node, rest[1:]
    if tokens[1:2] == ["WITH"]:
        return Node("", (), " ".join(tokens[:3])), tokens[3:]
    return Node("", (), UNKNOWN if tokens[0].lower() == UNKNOWN.lower() else tokens[0]), tokens[1:]


def _join(operator: str, nodes: Iterable[Node]) -> Node:
    flat = {part for node in nodes for part in (node.parts if node.operator == operator else (node,))}
    if len(flat) == 1:
        return flat.pop()
    return Node(operator, tuple(sorted(flat, key=_write)), "")


def _write(node: Node) -> str:
    if not node.operator:
        return node.text
    words = [f"({_write(part)})" if part.operator else part.text for part in node.parts]
    return f" {node.operator} ".join(words)


def _reference(stated: str) -> str:
    """A LicenseRef for words that are no SPDX expression; the hash keeps different words apart."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", stated).strip("-.")[:REFERENCE_CHARACTERS]
    mark = sha256_hex(stated.encode())[:REFERENCE_HASH_DIGITS]
    return f"LicenseRef-{slug}-{mark}" if slug else f"LicenseRef-{mark}"


REFERENCE_CHARACTERS = 60
"""Enough to recognise the licence; a corpus may hold its whole text where the name belongs."""

REFERENCE_HASH_DIGITS = 8


class Attribution(NamedTuple):
    """One source of published rows: where it was found, under which licence, by which name."""

    source: str
    license: str
    url: str


def attribution_text(entries: Iterable[Attribution], title: str) -> Iterator[str]:
    """Lines of ATTRIBUTION.md from distinct entries sorted as tuples; holds one entry at a time.

    Grouped by source, then by licence as stated, then every url.
    """
    yield f"# Attribution: {title}\n\n"
    yield "Every source that a row of this dataset rests on, with the licence its publisher stated.\n"
    group: tuple[str, str] | None = None
    total = 0
    for entry in entries:
        if group is None or group[0] != entry.source:
            yield f"\n## {_line(entry.source) or '(source not named)'}\n"
        if group != (entry.source, entry.license):
            group = (entry.source, entry.license)
            stated = _line(entry.license) or "not stated"
            spdx = combine([entry.license])
            yield f"\nLicence: {stated}" + (f" (SPDX: {spdx})\n\n" if spdx != stated else "\n\n")
        yield f"- {_line(entry.url) or '(no url)'}\n"
        total += 1
    yield f"\nEntries: {total}\n"


def _line(text: str) -> str:
    return " ".join(text.split())
