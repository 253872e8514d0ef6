"""Summaries: a request about a passage with a length drawn in code; the answer is held against length, copying, ground.

Design: the model says what of the passage is worth summing up, code draws the length and says it in the pack's words.
An answer is verified where its number of words lies within the bounds, no long run of it is copied, and its content
words have evidence in the passage (answers/grounding.py). That says that it is short, its own and not invented; whether
it leaves out what matters is for a judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from factory.answers.verify.verdict import Verdict
from factory.concepts.reply import SCHEMA_MISMATCH
from factory.concepts.wording import clean_text
from factory.identity import seed_for
from factory.tasks.config import SummaryConfig
from factory.tasks.constraints import count_words
from factory.tasks.task import About, Data, Drafted, Given, Problem

PASSAGE_TOO_SHORT, LENGTH_IN_REQUEST = "passage_too_short", "length_in_request"

BY = "summary"
STEP_WORDS = 10
"""Lengths are drawn in steps of so many words; the lower bound is half the upper one."""

_LENGTH = re.compile(r"\b\d+\s+(?:words?|sentences?|lines?|paragraphs?|bullets?)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Summary:
    """TaskType: an answer sums up the passage, or a side of it."""

    config: SummaryConfig

    name = "summary"
    shows_passage = True
    quotes = False
    votes = False
    asks_in_words = True
    wording = ("length",)

    @property
    def framed(self) -> Mapping[str, str]:
        return {}

    def item_schema(self) -> dict[str, Any]:
        return {"request": {"type": "string"}}

    def definitions(self) -> dict[str, Any]:
        return {}

    def asked_with(self, about: About) -> Mapping[str, str]:
        return {}

    def draft(self, item: Mapping[str, Any], about: About) -> Drafted | Problem:
        request = item.get("request")
        if not isinstance(request, str):
            return Problem(SCHEMA_MISMATCH, {"field": "request"})
        request = clean_text(request)
        bounds = self._bounds(about)
        if bounds is None:
            words = count_words(about.text)
            return Problem(PASSAGE_TOO_SHORT, {"words": words, "needed": 2 * self.config.min_words}, request)
        if found := _LENGTH.search(request):
            return Problem(LENGTH_IN_REQUEST, {"words": found.group()}, request)
        low, high = bounds
        text = f"{request} {about.wording.say('length', min_words=low, max_words=high)}"
        return Drafted(text, request, {"min_words": low, "max_words": high})

    def answered_with(self, data: Data) -> Mapping[str, str]:
        return {}

    def answer_schema(self) -> None:
        return None

    def published(self, sample: str, data: Data) -> tuple[str, None]:
        return sample, None

    def verify(self, data: Data, given: Given) -> Verdict:
        words, found = count_words(given.text), given.grounding
        failed = []
        if not data["min_words"] <= words <= data["max_words"]:
            failed.append("length")
        if (found.longest_copied_words or 0) > self.config.max_copied_words:
            failed.append("copied")
        if found.grounded_share is not None and found.grounded_share < self.config.min_grounded:
            failed.append("ungrounded")
        evidence = {
            "words": words,
            "asked": [data["min_words"], data["max_words"]],
            "copied_words": found.longest_copied_words,
            "grounded": found.grounded_share,
            "failed": failed,
        }
        if not failed and found.grounded_share is None:
            return Verdict(evidence=evidence)
        return Verdict("no" if failed else "yes", BY, evidence)

    def identity(self) -> dict[str, Any]:
        return {"words": [self.config.min_words, self.config.max_words]}

    def check_identity(self) -> dict[str, Any]:
        return {"max_copied_words": self.config.max_copied_words, "min_grounded": self.config.min_grounded}

    def _bounds(self, about: About) -> tuple[int, int] | None:
        """Fewest and most words of the summary; None for a passage that leaves no room for one."""
        most = min(self.config.max_words, count_words(about.text) // 2)
        if most < self.config.min_words:
            return None
        steps = (most - self.config.min_words) // STEP_WORDS + 1
        drawn = seed_for(about.seed, "length of the summary", about.chunk_id, about.index) % steps
        high = self.config.min_words + drawn * STEP_WORDS
        return max(1, high // 2), high
