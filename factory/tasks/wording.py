"""Sentences of a pack that code puts together, such as the constraints of an instruction: `wording_<type>.md`.

Design: one line a sentence, `name: sentence`, with {{values}} in it; so that what a model and a reader see is written
in the pack, in its language, and only which of it is said is code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from factory.domains.pack import Pack
from factory.errors import ConfigError

_LINE = re.compile(r"^([a-z][a-z0-9_]*):[ \t]+(\S.*)$")
_VALUE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Wording:
    """Sentences by name; `wording_id` is what lineage and fingerprints know them by, "" where there are none."""

    sentences: Mapping[str, str] = field(default_factory=dict, hash=False)
    wording_id: str = ""

    def say(self, name: str, **values: str | int) -> str:
        return _VALUE.sub(lambda found: str(values.get(found.group(1), found.group())), self.sentences[name])


def read_wording(pack: Pack, task: str, needed: Sequence[str]) -> Wording:
    """The sentences of a pack for one task type. Raises ConfigError for a line that is none, and for one that is
    missing."""
    if not needed:
        return Wording()
    prompt = pack.prompt(f"wording_{task}")
    sentences: dict[str, str] = {}
    for number, line in enumerate(prompt.template.splitlines(), 1):
        if not line.strip():
            continue
        found = _LINE.match(line)
        if found is None:
            raise _unusable(pack, task, f"line {number} is no `name: sentence`", needed)
        sentences[found.group(1)] = found.group(2).strip()
    if missing := [name for name in needed if name not in sentences]:
        raise _unusable(pack, task, f"it has no sentence {missing[0]}", needed)
    return Wording(sentences, prompt.prompt_id)


def _unusable(pack: Pack, task: str, what: str, needed: Sequence[str]) -> ConfigError:
    return ConfigError(
        f"prompts/wording_{task}.md of the domain pack {pack.name}: {what}",
        cause="a slip in the file, or a file written before the sentence existed",
        remedy=f"one line each for {', '.join(needed)}; the file of the pack `general` is a model",
    )
