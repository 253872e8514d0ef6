"""The reply to a prompt that may call its passage unsuitable: `{"suitable": …, "questions": […]}`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from factory.concepts.reply import SCHEMA_MISMATCH, Reply, read_reply

UNSUITABLE_DOCUMENT = "unsuitable_document"


@dataclass(frozen=True)
class Asked:
    """`questions` as the model wrote them; `problem` says why the passage is turned away, "" where it is not."""

    questions: list[Any]
    reply: Reply
    problem: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


def read_asked(text: str, finish_reason: str) -> Asked:
    """`problem` is unsuitable_document, truncated, degenerate_repetition, invalid_json or schema_mismatch."""
    reply = read_reply(text, finish_reason, salvage=True)
    if reply.value is None:
        return Asked([], reply, reply.problem, {"characters": len(text)})
    suitable, questions = reply.value.get("suitable"), reply.value.get("questions", [])
    if not isinstance(suitable, bool):
        return Asked([], reply, SCHEMA_MISMATCH, {"field": "suitable"})
    if not isinstance(questions, list):
        return Asked([], reply, SCHEMA_MISMATCH, {"field": "questions"})
    if not suitable:
        return Asked([], reply, UNSUITABLE_DOCUMENT, {"questions": len(questions)})
    return Asked(questions, reply)
