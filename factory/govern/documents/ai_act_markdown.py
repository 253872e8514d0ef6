"""EU AI Act, Article 53(1)(d): the answers of eu-ai-act.json for people, word for word the same.

Design: one line an answer, `- **label** (`key`): value`, or a list below it; free text is escaped as in the card, so
that nobody's words open markup, and read back by undoing that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from factory.govern.ai_act.answers import SECTIONS, TEMPLATE, Answer, answers
from factory.govern.ai_act.read import Values, claims_of, missing
from factory.govern.claims import Claims
from factory.govern.facts import Facts
from factory.govern.json_document import NOT_STATED
from factory.publish.card import markdown_text, unmarked

PATH = "eu-ai-act.md"
TITLE = "# Contribution to a public summary of training content\n"

_SECTION = re.compile(r"## (?P<number>[0-9.]+) .+")
_ANSWER = re.compile(r"- \*\*.+\*\* \(`(?P<key>[a-z_]+)`\):(?: (?P<value>.+))?")
_ITEM = re.compile(r"  - (?P<value>.+)")


def render(facts: Facts) -> bytes:
    lines = [TITLE, f"In the order of the {TEMPLATE} (EU AI Act, Article 53(1)(d)).\n"]
    told = answers(facts)
    for number, title in SECTIONS.items():
        lines.append(f"## {number} {title}\n")
        for answer in told:
            if answer.section == number:
                lines.extend(_worded(answer))
        lines.append("")
    return "\n".join(lines).encode()


def _worded(answer: Answer) -> Iterator[str]:
    head = f"- **{answer.label}** (`{answer.key}`):"
    if isinstance(answer.value, tuple):
        yield head
        for item in answer.value:
            yield f"  - {markdown_text(item)}"
    else:
        yield f"{head} {NOT_STATED if answer.value is None else markdown_text(answer.value)}"


def claims(data: bytes) -> Claims:
    """Raises ValueError naming what is missing."""
    return claims_of(_values(data))


def problems(data: bytes) -> list[str]:
    try:
        values = _values(data)
    except ValueError as error:
        return [str(error)]
    return missing(values)


def _values(data: bytes) -> Values:
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if not lines or f"{lines[0]}\n" != TITLE:
        raise ValueError("the title is missing")
    found: dict[tuple[str, str], list[str]] = {}
    section, current = "", None
    for line in lines:
        if head := _SECTION.fullmatch(line):
            section, current = head["number"], None
        elif answer := _ANSWER.fullmatch(line):
            current = found.setdefault((section, answer["key"]), [])
            if answer["value"]:
                current.append(unmarked(answer["value"]))
        elif (item := _ITEM.fullmatch(line)) and current is not None:
            current.append(unmarked(item["value"]))
    return found
