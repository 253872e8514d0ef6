"""Rating of documents by a language model: relevance, clarity and language from 1 to 10, and one overall score.

Design: SynthLLM, section 4.1 (arXiv 2503.19551) names the three criteria and implies one overall score; its prompt
is not printed. Ours is `rate_document.md` of the domain pack, with anchors and worked examples. One request a
document, over a bounded excerpt; with several samples their scores are averaged, which turns a coarse 1 to 10 into
something a threshold of 6.5 can cut. Scores come before the reason, so a reply that the token budget ended in its
reason still counts. Every number is checked: what a rater does not say within 1 to 10 is not a rating.

Cost: 10-40 microseconds to parse a sample.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from factory.concepts.extract import closed_object, sampling_from
from factory.concepts.reply import LOOPING, SCHEMA_MISMATCH, TRUNCATED, read_reply
from factory.domains.pack import Pack
from factory.engine.api import Completion, Message, Sampling
from factory.run.reject import Reject
from factory.run.step import Parsed, Row, Texts
from factory.select.pii import Pii
from factory.select.training.config import RateConfig

STEP_VERSION = 2

CRITERIA = ("relevance", "clarity", "language", "overall")
LOWEST, HIGHEST = 1, 10
REASON_CHARACTERS = 240
OUT_OF_RANGE = "score_out_of_range"

RATED = pa.schema(
    [
        ("doc_id", pa.string()),
        ("score", pa.float64()),  # mean of the samples' overall scores
        ("relevance", pa.float64()),
        ("clarity", pa.float64()),
        ("language", pa.float64()),
        ("samples", pa.int32()),  # that gave a rating
        ("spread", pa.float64()),  # largest less smallest overall score
        ("reason", pa.string()),
        ("prompt_id", pa.string()),
        ("request_id", pa.string()),
    ]
)

CUT = "\n[…]\n"


@dataclass(frozen=True)
class RateStep:
    """LlmStep: rows with `doc_id` and `text` -> RATED rows. With `pii`, what the rater says is masked."""

    config: RateConfig
    pack: Pack
    seed: int
    pii: Pii | None = None

    name = "rate_documents"
    version = STEP_VERSION
    schema = RATED
    id_column = "doc_id"
    max_rounds = 1

    @cached_property
    def sampling(self) -> Sampling:
        return replace(sampling_from(self.config.sampling, self.seed), samples=self.config.samples)

    @cached_property
    def response_schema(self) -> dict[str, Any]:
        # An enumeration, because not every server obeys bounds of a number.
        score = {"type": "integer", "enum": list(range(LOWEST, HIGHEST + 1))}
        reason = {"type": "string", "minLength": 1, "maxLength": REASON_CHARACTERS}
        return closed_object({**dict.fromkeys(CRITERIA, score), "reason": reason})

    def identity(self) -> dict[str, Any]:
        return {
            "prompt": self.pack.prompt("rate_document").prompt_id,
            "domain": self.pack.description,
            "excerpt_characters": self.config.excerpt_characters,
            "response_schema": self.response_schema,
            "pii": None if self.pii is None else self.pii.identity(),
        }

    def samples_for_round(self, number: int) -> int:
        return self.sampling.samples

    def item_id(self, row: Row) -> str:
        doc_id: str = row["doc_id"]
        return doc_id

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        return self.pack.prompt("rate_document").messages(
            domain=self.pack.description.rstrip("."),
            document=excerpt_for_rater(row["text"], self.config.excerpt_characters),
        )

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        return False

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """One RATED row from the samples that hold a rating, or one reject with the first sample's fault:
        truncated, degenerate_repetition, invalid_json, schema_mismatch, score_out_of_range."""
        completion = rounds[-1]
        ratings: list[dict[str, float]] = []
        reasons: list[str] = []
        faults: list[tuple[str, str]] = []
        for text, finish_reason in zip(completion.texts, completion.finish_reasons, strict=True):
            found, reason, fault = read_rating(text, finish_reason)
            if found is None:
                faults.append((fault, text))
            else:
                ratings.append(found)
                reasons.append(reason)
        if not ratings:
            fault, text = faults[0] if faults else (SCHEMA_MISMATCH, "")
            evidence = {"samples": len(completion.texts), "faults": sorted({fault for fault, _ in faults})}
            return Parsed(rejects=[Reject(row["doc_id"], fault, evidence=evidence, text=self._masked(text))])
        means = {name: statistics.fmean(rating[name] for rating in ratings) for name in CRITERIA}
        overall = [rating["overall"] for rating in ratings]
        return Parsed(
            accepted=[
                {
                    "doc_id": row["doc_id"],
                    "score": means["overall"],
                    "relevance": means["relevance"],
                    "clarity": means["clarity"],
                    "language": means["language"],
                    "samples": len(ratings),
                    "spread": max(overall) - min(overall),
                    "reason": self._masked(reasons[0])[:REASON_CHARACTERS],
                    "prompt_id": self.pack.prompt("rate_document").prompt_id,
                    "request_id": completion.request_id,
                }
            ]
        )

    def _masked(self, text: str) -> str:
        return text if self.pii is None else self.pii.masked(text)


def read_rating(text: str, finish_reason: str) -> tuple[dict[str, float] | None, str, str]:
    """The four scores and the reason that a reply gives, or None and what is wrong with it."""
    reply = read_reply(text, finish_reason)
    value = reply.value
    if value is None and reply.problem in (TRUNCATED, LOOPING):
        before, found, _ = text.partition('"reason"')
        value = read_reply(before.rstrip(" ,\n") + "}", "").value if found else None
    if value is None:
        return None, "", reply.problem
    scores: dict[str, float] = {}
    for name in CRITERIA:
        score = value.get(name)
        if isinstance(score, bool) or not isinstance(score, int | float):
            return None, "", SCHEMA_MISMATCH
        if not LOWEST <= score <= HIGHEST:
            return None, "", OUT_OF_RANGE
        scores[name] = float(score)
    reason = value.get("reason", "")
    return scores, reason if isinstance(reason, str) else "", ""


def excerpt_for_rater(text: str, characters: int) -> str:
    """The text, or two thirds of the room from its beginning and one from its middle, so that a page whose
    beginning is navigation is still judged by what it says."""
    if len(text) <= characters:
        return text
    head = max(1, (characters - len(CUT)) * 2 // 3)
    rest = max(0, characters - len(CUT) - head)
    middle = head + (len(text) - head - rest) // 2
    return text[:head] + CUT + text[middle : middle + rest]
