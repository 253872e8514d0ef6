"""What of a prompt is the same for every request of a pack, and is filled in when the pack is loaded.

Design: as part of the template it is part of the prompt's id, is cached by engines with the rest of the prefix, and
costs nothing a request. A pack that says nothing of it has the prompt as if its place were not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from factory.domains.prompt import TURN
from factory.errors import ConfigError

FIELD_PROMPT = "extract"
"""The prompt that is told of the field: its hints and its subjects."""

_HINTS = re.compile(r"\{\{\s*hints\s*\}\}")
_NO_HINTS = re.compile(r"^[ \t]*\{\{\s*hints\s*\}\}[ \t]*\n|\{\{\s*hints\s*\}\}", re.MULTILINE)
_SUBJECTS = re.compile(r"[ \t]*\{\{\s*subjects\s*\}\}")


def with_field(template: str, hints: str, subjects: Sequence[str], path: Path) -> str:
    """The template with the pack's hints and the names of its subjects in it. Subjects are named where the prompt has
    a place for them; a prompt may also write them out itself. Raises ConfigError for hints without a place."""
    named = f" If one of these fits, take it as it is written: {'; '.join(subjects)}." if subjects else ""
    template = _SUBJECTS.sub(lambda _: named, template)
    if not hints:
        return _NO_HINTS.sub("", template)
    if not _HINTS.search(template):
        raise ConfigError(
            f"{path} lacks {{{{hints}}}}, and the pack has hints",
            cause="the model would never be shown them",
            remedy="put {{hints}} on a line of its own before the examples, or write the hints into the prompt itself",
        )
    return _HINTS.sub(lambda _: hints, template)


def with_levels(template: str, names: Mapping[str, str]) -> str:
    """The template of another pack with the levels of its worked examples named as this pack names them."""
    if not names:
        return template
    said = re.compile(rf'"level": "({"|".join(map(re.escape, names))})"')
    parts = TURN.split(template)
    for turn in range(2, len(parts), 2):
        if parts[turn - 1] == "assistant":
            parts[turn] = said.sub(lambda found: f'"level": "{names[found[1]]}"', parts[turn])
    first, *rest = parts
    return first + "".join(f"<!-- {role} -->\n{text}" for role, text in zip(rest[::2], rest[1::2], strict=True))
