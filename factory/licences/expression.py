"""Licences of sources as SPDX expressions: parsing what was stated, and combining several into one.

Design: a licence is parsed as an SPDX expression (SPDX 2.3, annex D), put into a canonical form (flat, without
repetition, sorted, current ids) and joined with others by AND, since a derived row has to honour all of them. So
`combine` is independent of order, idempotent and associative: combining combinations changes nothing. What
corpora write in place of SPDX ids is looked up (stated.py), a conjunction of such words part by part; the rest
becomes a LicenseRef that keeps its words; nothing is ever dropped. Cost: parsing is cached by string,
1 microsecond a row after the first of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from factory.identity import sha256_hex
from factory.licences.restrictions import is_notice, restrictions, without_notice
from factory.licences.stated import COMMONS_CLAUSE, PUBLIC_DOMAIN, UNKNOWN, current_id, is_known, is_unstated, spdx_of
from factory.licences.wording import is_balanced, normalised

LONGEST_EXPRESSION = 2000
"""Characters; longer text is a licence's wording and no name of one. Also bounds the parser's nesting."""


class Node(NamedTuple):
    """A canonical expression: "AND" or "OR" over sorted, distinct parts, or a simple licence ("")."""

    operator: str
    parts: tuple[Node, ...]
    text: str


def combine(licences: Iterable[str | None]) -> str:
    """One SPDX expression that honours every licence given; LicenseRef-unknown for those not stated.

    Never raises: text that is no licence we know becomes a LicenseRef built from its words.
    """
    return _combine(frozenset(licence or "" for licence in licences))


@lru_cache(maxsize=65536)
def _combine(licences: frozenset[str]) -> str:
    if not licences:
        return UNKNOWN
    return write(_join("AND", [parse(licence) for licence in sorted(licences)]))


def terms(expression: str) -> list[str]:
    """The parts that a canonical expression joins by AND."""
    node = parse(expression)
    return [write(part) for part in node.parts] if node.operator == "AND" else [write(node)]


def write(node: Node) -> str:
    """The expression as text; `parse` of it gives the node back."""
    if not node.operator:
        return node.text
    words = [f"({write(part)})" if part.operator else part.text for part in node.parts]
    return f" {node.operator} ".join(words)


@lru_cache(maxsize=65536)
def parse(licence: str) -> Node:
    """The canonical form of one stated licence, SPDX or not. Never raises."""
    stated = normalised(licence)
    if len(stated) > LONGEST_EXPRESSION or not is_balanced(stated):
        return _in_words(stated)
    try:
        if is_notice(stated):
            return _beside_notice(stated) or _in_words(stated)
        return _known(stated) or _beside_notice(stated) or _in_parts(stated) or _in_words(stated)
    except RecursionError:
        return _in_words(stated)


def _known(stated: str) -> Node | None:
    if is_unstated(stated):
        return Node("", (), UNKNOWN)
    node = _spdx(stated)
    if node is not None:
        return node
    expression = spdx_of(stated)
    if expression:
        return _spdx(expression)
    # "GNU General Public License v3 (GPLv3)": both names count where both are known.
    named = _WITH_SHORT_NAME.fullmatch(stated)
    both = [spdx_of(name) for name in named.groups()] if named else []
    parts = [part for part in (_spdx(name) for name in both if name) if part is not None]
    return _join("AND", parts) if len(parts) == 2 else None


def _beside_notice(stated: str) -> Node | None:
    """The licence that stands beside a copyright notice, and so decides: "MIT. (c) 2020 A. Author, all rights
    reserved" is MIT. Not where the two contradict each other, as with the public domain."""
    rest = without_notice(stated)
    node = (_known(rest) or _in_parts(rest)) if rest else None
    if node is None or not all(is_known(leaf) and leaf not in _NO_RIGHTS_LEFT for leaf in leaves(node)):
        return None
    return node


_NO_RIGHTS_LEFT = {PUBLIC_DOMAIN, "CC0-1.0", "CC-PDM-1.0", "CC-PDDC", "Unlicense", "PDDL-1.0"}

_WITH_SHORT_NAME = re.compile(r"([^()]+) \(([^()]+)\)")


def _spdx(stated: str) -> Node | None:
    """The node of an SPDX expression, None for anything else."""
    try:
        expression = canonicalize_license_expression(stated)
    except (InvalidLicenseExpression, MemoryError, RecursionError):  # the last two: Python's own parser, nested deep
        return None
    tokens = expression.replace("(", " ( ").replace(")", " ) ").split()
    try:
        node, rest = _any_of(tokens)
    except (IndexError, RecursionError):
        return None
    return None if rest else node


def _in_parts(stated: str) -> Node | None:
    """Names joined in words: by AND and OR always, by lower-case words and punctuation where all parts are known."""
    while (inner := _unwrapped(stated)) != stated:
        stated = inner
        found = _known(stated)
        if found:
            return found
    for operator in ("OR", "AND"):
        parts = _split(stated, _WRITTEN[operator])
        if len(parts) > 1:
            return _join(operator, [_known(part) or _in_parts(part) or _in_words(part) for part in parts])
    for operator in ("OR", "AND"):
        parts = [part for part in _split(stated, _LOOSE[operator]) if part]
        nodes = [_known(part) or _in_parts(part) for part in parts] if len(parts) > 1 else [None]
        known = [node for node in nodes if node is not None]
        if len(known) == len(nodes):
            added = any(node.text == COMMONS_CLAUSE for node in known)
            return _join("AND" if added else operator, known)
    return None


_WRITTEN = {"OR": re.compile(r" OR "), "AND": re.compile(r" AND ")}
_LOOSE = {
    "OR": re.compile(r" or | ?\| ?| ?/ ?", re.IGNORECASE),
    "AND": re.compile(r" and | plus | with | \+ | ?[,;&] ?", re.IGNORECASE),
}


def _split(stated: str, separator: re.Pattern[str]) -> list[str]:
    """Cut at separators outside parentheses."""
    parts, start, depth, place = [], 0, 0, 0
    for found in separator.finditer(stated):
        depth += stated.count("(", place, found.start()) - stated.count(")", place, found.start())
        place = found.start()
        if depth == 0:
            parts.append(stated[start : found.start()].strip())
            start = found.end()
    return [*parts, stated[start:].strip()]


def _unwrapped(stated: str) -> str:
    """Without parentheses that enclose all of it."""
    if not (stated.startswith("(") and stated.endswith(")")):
        return stated
    depth = 0
    for place, character in enumerate(stated):
        depth += (character == "(") - (character == ")")
        if depth == 0 and place < len(stated) - 1:
            return stated
    return stated[1:-1].strip() if depth == 0 else stated


def _in_words(stated: str) -> Node:
    """For words that name no licence we know: what they forbid, if they say so, else a LicenseRef that keeps them."""
    term = restrictions(stated)
    return Node("", (), term or _reference(stated))


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
        return Node("", (), " ".join([current_id(tokens[0]), *tokens[1:3]])), tokens[3:]
    return Node("", (), current_id(tokens[0])), tokens[1:]


def _join(operator: str, nodes: Iterable[Node]) -> Node:
    flat = {part for node in nodes for part in (node.parts if node.operator == operator else (node,))}
    if len(flat) == 1:
        return flat.pop()
    return Node(operator, tuple(sorted(flat, key=write)), "")


def leaves(node: Node) -> Iterator[str]:
    """The simple licences of an expression, in its order."""
    if node.operator:
        for part in node.parts:
            yield from leaves(part)
    else:
        yield node.text


def _reference(stated: str) -> str:
    """A LicenseRef for words that are no SPDX expression; the hash keeps different words apart."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", stated).strip("-.")[:REFERENCE_CHARACTERS]
    mark = sha256_hex(stated.encode())[:REFERENCE_HASH_DIGITS]
    return f"LicenseRef-{slug}-{mark}" if slug else f"LicenseRef-{mark}"


REFERENCE_CHARACTERS = 60
"""Enough to recognise the licence; a corpus may hold its whole text where the name belongs."""

REFERENCE_HASH_DIGITS = 8
