"""Extractive questions: the answer is a span of the passage, word for word, with its offsets.

Design: the model gives a question and the words that answer it; words that do not stand in the passage are a reject.
White space may differ (a model writes a line break as a space); what the row holds is the passage's own text. A second
reading then answers the question with the passage before it, and the row is verified where it finds the same span
(round-trip consistency, Alberti et al. 2019, arXiv 1906.05416); equal by words and their number, as SQuAD's F1 has it
(Rajpurkar et al. 2016). The published answer is the span whatever the reading found; `final_answer` is the reading.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from factory.answers.final_answer import final_answer
from factory.answers.verify.exact import same_text
from factory.answers.verify.verdict import Verdict
from factory.concepts.reply import SCHEMA_MISMATCH
from factory.concepts.wording import clean_text
from factory.questions.checks import words_of
from factory.tasks.config import ExtractiveConfig
from factory.tasks.task import About, Data, Drafted, Given, Problem

EVIDENCE_NOT_IN_PASSAGE, EMPTY_EVIDENCE, SPAN_TOO_LONG = "evidence_not_in_passage", "empty_evidence", "span_too_long"
ANSWER_IN_QUESTION = "answer_in_question"

BY = "round_trip"

_QUOTED = re.compile(r"""^["'“‘«](.+)["'”’»]$""", re.DOTALL)
LONGEST_READING = 400
"""Characters of a reading that are kept."""


@dataclass(frozen=True)
class Extractive:
    """TaskType: an answer is a span of the passage."""

    config: ExtractiveConfig

    name = "extractive"
    shows_passage = True
    quotes = True
    votes = True
    asks_in_words = True
    wording: tuple[str, ...] = ()

    @property
    def framed(self) -> Mapping[str, str]:
        return {}

    def item_schema(self) -> dict[str, Any]:
        return {"question": {"type": "string"}, "evidence": {"type": "string"}}

    def definitions(self) -> dict[str, Any]:
        return {}

    def asked_with(self, about: About) -> Mapping[str, str]:
        return {"max_span_words": str(self.config.max_span_words)}

    def draft(self, item: Mapping[str, Any], about: About) -> Drafted | Problem:
        question, evidence = item.get("question"), item.get("evidence")
        if not isinstance(question, str) or not isinstance(evidence, str):
            return Problem(SCHEMA_MISMATCH, {"field": "evidence" if isinstance(question, str) else "question"})
        question = clean_text(question)
        if not any(character.isalnum() for character in evidence):
            return Problem(EMPTY_EVIDENCE, {}, question)
        found = span_in(about.text, evidence)
        if found is None:
            return Problem(EVIDENCE_NOT_IN_PASSAGE, {"evidence": evidence[:200]}, question)
        start, end = found
        span = about.text[start:end]
        words = len(span.split())
        if words > self.config.max_span_words:
            return Problem(SPAN_TOO_LONG, {"words": words, "max_span_words": self.config.max_span_words}, question)
        if words_of(span) in words_of(question):
            return Problem(ANSWER_IN_QUESTION, {"span": span[:200]}, question)
        place = {"chunk_id": about.chunk_id, "start": start, "end": end}
        in_document = {"document_start": about.span_start + start, "document_end": about.span_start + end}
        return Drafted(question, question, {"span": span, **place, **in_document})

    def answered_with(self, data: Data) -> Mapping[str, str]:
        return {}

    def answer_schema(self) -> None:
        return None

    def published(self, sample: str, data: Data) -> tuple[str, str | None]:
        return data["span"], (final_answer(sample) or sample.strip())[:LONGEST_READING]

    def verify(self, data: Data, given: Given) -> Verdict:
        read = _bare(given.final or "")
        overlap = 1.0 if same_text(read, data["span"]) else f1_of_words(read, data["span"])
        evidence = {"read": read[:200], "overlap": round(overlap, 3)}
        return Verdict("yes" if overlap >= self.config.min_overlap else "no", BY, evidence)

    def identity(self) -> dict[str, Any]:
        return {"max_span_words": self.config.max_span_words}

    def check_identity(self) -> dict[str, Any]:
        return {"min_overlap": self.config.min_overlap}


def span_in(text: str, evidence: str) -> tuple[int, int] | None:
    """Where `evidence` stands in `text`, whatever the white space between its words: characters [start, end) of the
    first place."""
    words = _bare(evidence).split()
    start = text.find(" ".join(words))
    if start >= 0:
        return start, start + len(" ".join(words))
    found = re.search(r"\s+".join(map(re.escape, words)), text)
    return found.span() if found else None


def f1_of_words(one: str, other: str) -> float:
    """Harmonic mean of the shares of words that two texts have in common, in [0, 1]."""
    first, second = Counter(words_of(one).split()), Counter(words_of(other).split())
    common = sum((first & second).values())
    return 2 * common / (sum(first.values()) + sum(second.values())) if common else 0.0


def _bare(text: str) -> str:
    """Without quotation marks around the whole."""
    text = text.strip()
    quoted = _QUOTED.match(text)
    return quoted.group(1).strip() if quoted else text
