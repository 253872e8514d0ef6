"""How the scripted engine does the tasks beside open questions: well enough that most of its rows pass their checks.

Design: it has no knowledge, so an answer can agree with a question only by a convention that both calls can work out
from what they are shown: of options the right one has the least checksum, a span is asked for by its first words, a
description holds its record as JSON, conditions are read in the words of the pack `general`. Parts of a prompt are
known by their tags. A share of what it writes breaks its task on purpose, so that rejects and verdicts are seen.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from factory.engine.scripted_programs import settle_program, write_program

if TYPE_CHECKING:
    from factory.engine.schema_instances import Draw

INVENTED = "Zebras juggle purple violins beneath quiet marble towers every rainy Thursday."
"""What no passage says."""

_OPTION = re.compile(r"^([A-J])\) (.+)$", re.MULTILINE)
_SPAN = re.compile(r"Which (\d+) words of the passage begin with «(.+)»\?")
_BETWEEN = re.compile(r"between (\d+) and (\d+) words")
_CONDITIONS = {
    "max_words": re.compile(r"at most (\d+) words"),
    "min_words": re.compile(r"at least (\d+) words"),
    "sentences": re.compile(r"exactly (\d+) sentences"),
    "bullets": re.compile(r"exactly (\d+) bullet"),
    "paragraphs": re.compile(r"exactly (\d+) paragraphs"),
    "json": re.compile(r"one JSON object()"),
    "contains": re.compile(r'(?<!not )[Uu]se the word "([^"]+)"'),
    "lower_case": re.compile(r"in lower case()"),
    "starts_with": re.compile(r'first word be "([^"]+)"'),
    "ends_with": re.compile(r'last word be "([^"]+)"'),
}


def drafted(names: frozenset[str]) -> Callable[[dict[str, Any], Draw], dict[str, Any]] | None:
    """What turns an instance of an object with these properties into a question of a task; None for other objects."""
    return next((settle for needed, settle in _DRAFTS if needed <= names), None)


def answered(parts: Mapping[str, str], draw: Draw, dissent: float) -> str | None:
    """The answer to a prompt with these tagged parts, wrong for the share `dissent`; None for any other prompt."""
    for needed, answer in _ANSWERS:
        if needed <= parts.keys():
            return answer(parts, draw, draw.random() < dissent)
    return None


def described(parts: Mapping[str, str]) -> str | None:
    """The record that a description holds, as JSON text; None where the prompt has no description."""
    text = parts.get("description", "")
    start, stop = text.find("{"), text.rfind("}")
    return text[start : stop + 1] if 0 <= start < stop else None


def _least(options: list[str]) -> int:
    """Place of the option that the scripted engine takes for right."""
    return min(range(len(options)), key=lambda place: zlib.crc32(options[place].casefold().encode()))


def _settle_choice(question: dict[str, Any], draw: Draw) -> dict[str, Any]:
    options = [question["correct_option"], *question["wrong_options"]]
    right = _least(options)
    options[0], options[right] = options[right], options[0]
    return {**question, "correct_option": options[0], "wrong_options": options[1:]}


def _settle_span(question: dict[str, Any], draw: Draw) -> dict[str, Any]:
    words = draw.window(3 + draw.below(5)).split()
    asked = f"Which {len(words)} words of the passage begin with «{' '.join(words[:2])}»?"
    if draw.random() < draw.duplicate_share:
        words.reverse()
    return {**question, "question": asked, "evidence": " ".join(words)}


def _settle_record(question: dict[str, Any], draw: Draw) -> dict[str, Any]:
    told = orjson.dumps(question["record"]).decode()
    return {**question, "description": f"{draw.sentence()} The case is {told}."}


def _settle_turn(turn: dict[str, Any], draw: Draw) -> dict[str, Any]:
    reply = INVENTED if draw.random() < draw.duplicate_share else f"The passage says: {draw.window(14)}."
    return {**turn, "assistant": reply}


_DRAFTS: tuple[tuple[frozenset[str], Callable[[dict[str, Any], Draw], dict[str, Any]]], ...] = (
    (frozenset({"correct_option", "wrong_options"}), _settle_choice),
    (frozenset({"question", "evidence"}), _settle_span),
    (frozenset({"description", "record"}), _settle_record),
    (frozenset({"user", "assistant"}), _settle_turn),
    (frozenset({"signature", "tests"}), settle_program),
)


def _choose(parts: Mapping[str, str], draw: Draw, wrong: bool) -> str:
    offered: list[tuple[str, str]] = _OPTION.findall(parts["choice"])
    letters = [name for name, _ in offered] or ["A"]
    right = _least([text for _, text in offered]) if offered else 0
    return f"{draw.sentence()}\n\nFinal answer: {letters[draw.below(len(letters)) if wrong else right]}"


def _read_span(parts: Mapping[str, str], draw: Draw, wrong: bool) -> str:
    asked = _SPAN.search(parts["reading"])
    words = parts["passage"].split()
    if wrong or asked is None:
        return "not stated"
    count, begins = int(asked[1]), asked[2].split()
    places = [place for place in range(len(words)) if words[place : place + len(begins)] == begins]
    return " ".join(words[places[0] : places[0] + count]) if places else "not stated"


def _sum_up(parts: Mapping[str, str], draw: Draw, wrong: bool) -> str:
    asked = _BETWEEN.search(parts["request"])
    low, high = (int(asked[1]), int(asked[2])) if asked else (20, 40)
    if wrong:
        return f"{INVENTED} {draw.window(2 * high)}"
    # Every seventh word is left out, so that no long run of the passage is copied.
    words = [word for place, word in enumerate(parts["passage"].split()) if place % 7 != 6]
    start = draw.below(max(1, len(words) - high))
    return " ".join(words[start : start + (low + high) // 2]).rstrip(".,;:") + "."


def _reply(parts: Mapping[str, str], draw: Draw, wrong: bool) -> str:
    return INVENTED if wrong else f"It says this: {draw.window(16)}."


def _follow(parts: Mapping[str, str], draw: Draw, wrong: bool) -> str:
    found = {name: match[1] for name, sign in _CONDITIONS.items() if (match := sign.search(parts["instruction"]))}
    if wrong:
        found = {}
    count = int(found.get("sentences") or found.get("bullets") or found.get("paragraphs") or 3)
    lines = [draw.sentence().replace(",", "") for _ in range(count)]
    if "contains" in found:
        lines[0] = f"{lines[0][:-1]} with {found['contains']}."
    if "starts_with" in found:
        lines[0] = f"{found['starts_with']} is where it begins. {lines[0]}"
    while len(" ".join(lines).split()) < int(found.get("min_words", 0)):
        lines[-1] += f" {draw.sentence().replace(',', '')}"
    if "ends_with" in found:
        lines[-1] = f"{lines[-1]} It ends with {found['ends_with']}."
    if "json" in found:
        return orjson.dumps({"text": " ".join(lines)}).decode()
    if "bullets" in found:
        lines = [f"- {line}" for line in lines]
    text = ("\n\n" if "paragraphs" in found else "\n" if "bullets" in found else " ").join(lines)
    return text.lower() if "lower_case" in found else text


_ANSWERS: tuple[tuple[frozenset[str], Callable[[Mapping[str, str], Draw, bool], str]], ...] = (
    (frozenset({"choice"}), _choose),
    (frozenset({"passage", "reading"}), _read_span),
    (frozenset({"passage", "request"}), _sum_up),
    (frozenset({"passage", "conversation"}), _reply),
    (frozenset({"instruction"}), _follow),
    (frozenset({"task"}), write_program),
)
