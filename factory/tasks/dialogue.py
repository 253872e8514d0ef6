"""Dialogues: several turns about one document, each reply held against it.

Design: the model writes the conversation up to the user's last turn; replies that are not grounded in the passage
(answers/grounding.py) turn the whole dialogue away, because what follows builds on them. The last reply is the answer
stage's, from the passage and the conversation so far, and is verified where it is grounded as well. Question text is
the conversation as a transcript, so that duplicates and leaks are looked for in all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from factory.answers.grounding import grounding
from factory.answers.verify.verdict import Verdict
from factory.concepts.extract import closed_object
from factory.concepts.reply import SCHEMA_MISMATCH
from factory.concepts.wording import clean_text
from factory.questions.checks import same_question
from factory.tasks.config import DialogueConfig
from factory.tasks.task import About, Data, Drafted, Given, Problem

TOO_FEW_TURNS, EMPTY_TURN, TURNS_REPEAT = "too_few_turns", "empty_turn", "turns_repeat"
UNGROUNDED_TURN = "ungrounded_turn"

BY = "grounding"


@dataclass(frozen=True)
class Dialogue:
    """TaskType: an answer is the last reply of a conversation."""

    config: DialogueConfig

    name = "dialogue"
    shows_passage = True
    quotes = False
    votes = False
    asks_in_words = True
    wording = ("user", "assistant")

    @property
    def framed(self) -> Mapping[str, str]:
        return {}

    def item_schema(self) -> dict[str, Any]:
        turn = closed_object({"user": {"type": "string"}, "assistant": {"type": "string"}})
        count = self.config.turns - 1
        turns = {"type": "array", "items": turn, "minItems": count, "maxItems": count}
        return {"turns": turns, "last_question": {"type": "string"}}

    def definitions(self) -> dict[str, Any]:
        return {}

    def asked_with(self, about: About) -> Mapping[str, str]:
        return {"turns": str(self.config.turns - 1)}

    def draft(self, item: Mapping[str, Any], about: About) -> Drafted | Problem:
        turns, last = item.get("turns"), item.get("last_question")
        pairs = [_pair(turn) for turn in turns] if isinstance(turns, list) else []
        if not isinstance(last, str) or not isinstance(turns, list) or None in pairs:
            return Problem(SCHEMA_MISMATCH, {"field": "turns" if isinstance(last, str) else "last_question"})
        said = [pair for pair in pairs if pair is not None][: self.config.turns - 1]
        users = [*(user for user, _ in said), clean_text(last)]
        replies = [reply for _, reply in said]
        chat = [message for user, reply in said for message in (_message("user", user), _message("assistant", reply))]
        chat.append(_message("user", users[-1]))
        text = "\n".join(f"{about.wording.say(turn['role'])}: {turn['content']}" for turn in chat)
        if len(said) < self.config.turns - 1:
            return Problem(TOO_FEW_TURNS, {"turns": len(users), "asked": self.config.turns}, text)
        if not all([*users, *replies]):
            return Problem(EMPTY_TURN, {"turns": len(users)}, text)
        if len({same_question(user) for user in users}) < len(users) or len(set(replies)) < len(replies):
            return Problem(TURNS_REPEAT, {"turns": len(users)}, text)
        shares = [grounding(reply, [about.text]).grounded_share for reply in replies]
        for number, share in enumerate(shares, 1):
            if share is not None and share < self.config.min_grounded:
                evidence = {"turn": number, "grounded": round(share, 3), "reply": replies[number - 1][:200]}
                return Problem(UNGROUNDED_TURN, evidence, text)
        return Drafted(text, "\n".join(users), {"turns": chat, "grounded": shares})

    def answered_with(self, data: Data) -> Mapping[str, str]:
        return {}

    def answer_schema(self) -> None:
        return None

    def published(self, sample: str, data: Data) -> tuple[str, None]:
        return sample, None

    def verify(self, data: Data, given: Given) -> Verdict:
        share = given.grounding.grounded_share
        if share is None:  # a reply of a few words says too little to be held against anything
            return Verdict()
        return Verdict("yes" if share >= self.config.min_grounded else "no", BY, {"grounded": round(share, 3)})

    def identity(self) -> dict[str, Any]:
        return {"turns": self.config.turns, "min_grounded": self.config.min_grounded}

    def check_identity(self) -> dict[str, Any]:
        return {"min_grounded": self.config.min_grounded}


def _pair(turn: Any) -> tuple[str, str] | None:
    """User and assistant of one turn, cleaned; None where it is no turn."""
    if not isinstance(turn, dict):
        return None
    user, reply = turn.get("user"), turn.get("assistant")
    return (clean_text(user), clean_text(reply)) if isinstance(user, str) and isinstance(reply, str) else None


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
