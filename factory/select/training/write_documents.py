"""Writing of cold-start positives: one document an assignment (topic, genre, level), by the language model.

Design: SynthLLM, section 4.1 (arXiv 2503.19551): documents of the domain in several genres, from a syllabus. What
teaches a classifier nothing, or the wrong thing, is a reject with its reason: refusals, loops, texts too short to
show a vocabulary. A text that ran out of tokens is cut after its last whole sentence and kept: it is of the domain
as far as it goes. What a model says before it begins («Sure, here is …») is taken off, because a classifier would
learn it as a sign of the domain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from factory.answers.repetition import repetition
from factory.concepts.extract import sampling_from
from factory.concepts.reply import text_of
from factory.corpus.documents import document_id, normalise
from factory.domains.pack import Pack
from factory.engine.api import FINISH_LENGTH, FINISH_REPETITION, Completion, Message, Sampling
from factory.run.reject import Reject
from factory.run.step import Parsed, Row, Texts
from factory.select.pii import Pii
from factory.select.training.config import WriteConfig

STEP_VERSION = 3

WRITTEN = pa.schema(
    [
        ("doc_id", pa.string()),
        ("text", pa.string()),
        ("assignment_id", pa.string()),
        ("subject", pa.string()),
        ("topic", pa.string()),
        ("genre", pa.string()),
        ("level", pa.string()),
        ("prompt_id", pa.string()),
        ("request_id", pa.string()),
    ]
)

TOO_SHORT, REFUSAL, REPETITIVE = "too_short", "refusal", "repetitive"

_SENTENCE_END = re.compile(r"[.!?:…。](?=[\"'»)\]]?(?:\s|$))|\n(?=\n)")
_REFUSES = re.compile(
    r"\b(?:as an ai\b|i(?:'m| am) (?:sorry|unable|not able|just an?|only an?)\b|i (?:cannot|can't|can not|won't)\b"
    r"|i do(?:n't| not) have (?:access|the ability)|language model\b)",
    re.IGNORECASE,
)
REFUSAL_CHARACTERS = 200
"""Refusals come first. Further down, «I cannot» is somebody in a dialogue."""

_PREAMBLE = re.compile(
    r"\A(?:(?:sure|certainly|of course|absolutely)\b[^\n]{0,160}"
    r"|(?:here is|here's|here are|below is)\b[^\n]{0,160}:)[ \t]*\n+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class WriteStep:
    """LlmStep: ASSIGNMENT rows -> WRITTEN rows. With `pii`, what the model wrote is treated like the corpus."""

    config: WriteConfig
    pack: Pack
    seed: int
    pii: Pii | None = None

    name = "write_documents"
    version = STEP_VERSION
    schema = WRITTEN
    id_column = "doc_id"
    response_schema = None
    max_rounds = 1

    @cached_property
    def sampling(self) -> Sampling:
        return sampling_from(self.config.sampling, self.seed)

    def identity(self) -> dict[str, Any]:
        return {
            "prompt": self.pack.prompt("reference_document").prompt_id,
            "domain": self.pack.description,
            "min_characters": self.config.min_characters,
            "pii": None if self.pii is None else self.pii.identity(),
        }

    def samples_for_round(self, number: int) -> int:
        return self.sampling.samples

    def item_id(self, row: Row) -> str:
        assignment_id: str = row["assignment_id"]
        return assignment_id

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        return self.pack.prompt("reference_document").messages(
            domain=self.pack.description.rstrip("."),
            discipline=row["discipline"],
            subject=row["subject"],
            topic=row["topic"],
            scope=row["scope"],
            terms=", ".join(row["terms"]),
            level=row["level"].replace("_", " "),
            genre=row["genre"],
            instructions=row["instructions"],
        )

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        return False

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """One WRITTEN row, or one reject: refusal, repetitive, too_short, pii, pii_heavy."""
        raw, finish_reason = text_of(rounds)
        text = document_of(raw, finish_reason)

        def turned_away(reason: str, **evidence: Any) -> Parsed:
            if self.pii is None:
                return Parsed(rejects=[Reject(row["assignment_id"], reason, evidence=evidence, text=raw)])
            shown = self.pii.masked_evidence(evidence)
            return Parsed(rejects=[Reject(row["assignment_id"], reason, evidence=shown, text=self.pii.masked(raw))])

        if refused := _REFUSES.search(text[:REFUSAL_CHARACTERS]):
            return turned_away(REFUSAL, said=refused.group())
        if finish_reason == FINISH_REPETITION:
            return turned_away(REPETITIVE, ends=text[-80:])
        if loop := repetition(text):
            return turned_away(REPETITIVE, **loop)
        if len(text) < self.config.min_characters:
            return turned_away(TOO_SHORT, characters=len(text), minimum=self.config.min_characters)
        if self.pii is not None:
            text, verdict = self.pii.treated(text)
            if verdict is not None:
                return turned_away(verdict.reason, **verdict.evidence)
        kept = {name: row[name] for name in ("assignment_id", "subject", "topic", "genre", "level")}
        return Parsed(
            accepted=[
                {
                    **kept,
                    "doc_id": document_id(text),
                    "text": text,
                    "prompt_id": self.pack.prompt("reference_document").prompt_id,
                    "request_id": rounds[-1].request_id,
                }
            ]
        )


def document_of(reply: str, finish_reason: str) -> str:
    """The document in a reply: normalised, without what introduces it and without a sentence that was cut."""
    text = _PREAMBLE.sub("", normalise(reply.encode("utf-8", "replace").decode()).lstrip())
    if finish_reason in (FINISH_LENGTH, FINISH_REPETITION):
        ends = [match.end() for match in _SENTENCE_END.finditer(text)]
        text = text[: ends[-1]] if ends else ""
    return normalise(text)
