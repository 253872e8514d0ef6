"""How the scripted engine does the tasks beside open questions: well enough that most of its rows pass their checks.

Design: it has no knowledge, so an answer can agree with a question only by a convention that both calls can work out
from what they are shown. Of options the right one is that with the least checksum.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

_OPTION = re.compile(r"^([A-J])\) (.+)$", re.MULTILINE)


def least(options: list[str]) -> int:
    """Place of the option that the scripted engine takes for right."""
    return min(range(len(options)), key=lambda place: zlib.crc32(options[place].casefold().encode()))


def settle_choice(question: dict[str, Any]) -> dict[str, Any]:
    """A drafted multiple-choice question whose right option is the one that an answer will take for right."""
    options = [question["correct_option"], *question["wrong_options"]]
    right = least(options)
    options[0], options[right] = options[right], options[0]
    return {**question, "correct_option": options[0], "wrong_options": options[1:]}


def chosen(parts: Mapping[str, str], random: Callable[[], float], dissent: float) -> str | None:
    """The letter that answers the question in the tagged part `choice`; another one for the share `dissent`. None for
    any other prompt."""
    offered: list[tuple[str, str]] = _OPTION.findall(parts.get("choice", ""))
    if not offered:
        return None
    letters = [name for name, _ in offered]
    right = least([text for _, text in offered])
    return letters[int(random() * len(letters))] if random() < dissent else letters[right]
