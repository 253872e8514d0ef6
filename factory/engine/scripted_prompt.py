"""What the scripted engine reads in a prompt: the text it is about, the concepts to echo, the answers to judge.

Design: prompts of every domain pack are understood by their form alone: tagged parts, labels such as «Passage:», rules.
Cost: some microseconds a prompt; a lazy regular expression over tagged parts took 79.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from factory.engine.api import Request
from factory.engine.schema_instances import Draw
from factory.engine.scripted_judge import judged_parts

_OPENING = re.compile(r"<([a-z][a-z0-9_-]{1,30})>")
_LABEL = re.compile(r"\n(?:Passage|Document|Text|Source|Problem|Question):[ \t]*\n")
_RULE = re.compile(r"\n(?:-{3,}|={3,}|\"{3}|`{3}\w*|#{1,3} [^\n]*)\n")
_BULLETS = re.compile(r"concepts[^\n:]*:[ \t]*\n((?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+[^\n]+\n?)+)", re.IGNORECASE)
_BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+", re.MULTILINE)


@dataclass(frozen=True)
class Material:
    """What a prompt offers to write about."""

    source: str
    concepts: tuple[tuple[str, ...], ...]
    """Sets of concepts that the prompt asks to echo, one set a question."""
    judged: Mapping[str, str] = field(default_factory=dict)
    """Parts of a prompt that asks for an opinion of answers; empty for any other."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Every tagged part by its name."""


def material_of(request: Request) -> Material:
    """What the last message is about: its longest tagged part, else what follows a label such as «Passage:»,
    else the longest part between two rules."""
    content = request.messages[-1].content
    label = _LABEL.search(content)
    head = content[: label.start() + 1] if label else content
    blocks = _blocks(content) if label is None else []
    concepts = next((text for name, text in blocks if "concept" in name), "")
    if not concepts and "oncepts" in head and (listed := _BULLETS.search(head)):
        concepts = listed.group(1)
    if label is not None:
        return Material(content[label.end() :], _sets(concepts))
    sources = [text for name, text in blocks if "concept" not in name]
    return Material(max(sources or _RULE.split(content), key=len), _sets(concepts), judged_parts(blocks), dict(blocks))


def snippet(draw: Draw, source: str, words: int) -> str:
    """Consecutive words of the source, as they stand there."""
    start = source.find(" ", draw.below(max(1, len(source) - words * 8))) + 1
    return " ".join(source[start : start + words * 12].split()[:words])


def _blocks(content: str) -> list[tuple[str, str]]:
    """Name and text of every outermost `<name>…</name>`."""
    blocks: list[tuple[str, str]] = []
    position = 0
    while (opening := _OPENING.search(content, position)) is not None:
        position = opening.end()
        end = content.find(f"</{opening[1]}>", position)
        if end >= 0:
            blocks.append((opening[1], content[position:end].strip()))
            position = end
    return blocks


def _sets(text: str) -> tuple[tuple[str, ...], ...]:
    """Numbered lines are sets of concepts when they hold several each, else the lines together are one set."""
    lines = [_BULLET.sub("", line).strip() for line in text.splitlines()]
    split = [tuple(part.strip() for part in line.split(";")) for line in lines if line]
    if all(len(parts) == 1 for parts in split):
        split = [tuple(part for parts in split for part in parts)] if split else []
    return tuple(split)
