"""Instructions with constraints that code verifies: counts, words, form, case.

Design: the model writes an instruction about the passage's subject and names words that a good answer might use; which
constraints go with it is drawn in code (constraints.py) and said in the pack's words. So their mix does not follow a
model's taste, and a row that is verified kept every one of them. Whether the answer is a good one beyond that is not
checked here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from factory.answers.verify.verdict import Verdict
from factory.concepts.reply import SCHEMA_MISMATCH
from factory.concepts.wording import clean_text
from factory.tasks.config import ConstraintKind, InstructionConfig
from factory.tasks.constraints import broken, draw_constraints, holds_word
from factory.tasks.task import About, Data, Drafted, Given, Problem

OWN_CONSTRAINT, NO_CONSTRAINT = "states_its_own_constraint", "no_constraint_fits"

BY = "constraints"
WORDS = 3
"""Words that the model proposes."""

_STATED = re.compile(
    r"\b(?:\d+|two|three|four|five|ten)\s+(?:words?|sentences?|lines?|paragraphs?|bullet)|\bJSON\b|\bbullet points?\b"
    r"|\blower ?case\b|\bupper ?case\b",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(r"^\w+(?:['’-]\w+)*$")


@dataclass(frozen=True)
class Instruction:
    """TaskType: an answer follows an instruction within constraints."""

    config: InstructionConfig

    name = "instruction"
    shows_passage = False
    quotes = False
    votes = False
    asks_in_words = True
    wording = get_args(ConstraintKind)

    @property
    def framed(self) -> None:
        return None

    def item_schema(self) -> dict[str, Any]:
        words = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": WORDS}
        return {"instruction": {"type": "string"}, "words": words}

    def definitions(self) -> dict[str, Any]:
        return {}

    def asked_with(self, about: About) -> Mapping[str, str]:
        return {"words": str(WORDS)}

    def draft(self, item: Mapping[str, Any], about: About) -> Drafted | Problem:
        instruction, proposed = item.get("instruction"), item.get("words")
        if not isinstance(instruction, str):
            return Problem(SCHEMA_MISMATCH, {"field": "instruction"})
        instruction = clean_text(instruction)
        if not isinstance(proposed, list) or not all(isinstance(word, str) for word in proposed):
            return Problem(SCHEMA_MISMATCH, {"field": "words"}, instruction)
        if found := _STATED.search(instruction):
            return Problem(OWN_CONSTRAINT, {"words": found.group()}, instruction)
        constraints = draw_constraints(
            self.config.kinds,
            self.config.constraints,
            self._words(proposed[:WORDS], instruction, about),
            about.seed,
            about.chunk_id,
            about.index,
        )
        if not constraints:
            return Problem(NO_CONSTRAINT, {"kinds": list(self.config.kinds)}, instruction)
        said = [about.wording.say(each["kind"], **{"count": "", "word": "", **each}) for each in constraints]
        return Drafted(" ".join([instruction, *said]), instruction, {"constraints": constraints})

    def answered_with(self, data: Data) -> Mapping[str, str]:
        return {}

    def answer_schema(self) -> None:
        return None

    def published(self, sample: str, data: Data) -> tuple[str, None]:
        return sample, None

    def verify(self, data: Data, given: Given) -> Verdict:
        failed = broken(data["constraints"], given.text)
        evidence = {"constraints": len(data["constraints"]), "broken": failed}
        return Verdict("no" if failed else "yes", BY, evidence)

    def identity(self) -> dict[str, Any]:
        return {"constraints": self.config.constraints, "kinds": list(self.config.kinds)}

    def check_identity(self) -> dict[str, Any]:
        return {}

    def _words(self, proposed: list[str], instruction: str, about: About) -> list[str]:
        """Single words that the passage has and the instruction does not name: those would be used or missed anyway."""
        words = [word.strip(" .,;:!?\"'") for word in proposed]
        return [
            word
            for word in dict.fromkeys(words)
            if _ONE_WORD.match(word) and holds_word(about.text, word) and not holds_word(instruction, word)
        ]
