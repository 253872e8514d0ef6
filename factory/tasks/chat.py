"""The chat that a published row of a task type is, and whether a row's messages are that chat.

Design: a question that needs its passage is published with it, in the words of the pack (`message_<type>.md`), because
without it the answer could not be learnt from; dedup, decontamination and gates look at the question alone. A dialogue
is all its turns. Everything else is one question and one answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from factory.domains.pack import Pack
from factory.domains.prompt import Prompt
from factory.run.outputs import fetch_texts
from factory.store.base import Store
from factory.tasks.task import OPEN, TaskType

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Frame:
    """The form of a task type's chats: `prompt` has the first question's place in it and, where `shows_passage`, that
    of the passage; `values` are what it shows beside them."""

    task: str
    prompt: Prompt
    shows_passage: bool
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Frames:
    """`each` are those of the task types whose chats are more than question and answer."""

    each: tuple[Frame, ...]

    def identity(self) -> list[Any]:
        return [[frame.task, frame.prompt.prompt_id, list(frame.values)] for frame in self.each]

    def of(self, task: str) -> Frame | None:
        return next((frame for frame in self.each if frame.task == task), None)

    def texts(self, store: Store, answers: pa.Table) -> Mapping[str, str]:
        """Id -> text of the passages that the chats of these rows show."""
        if "task" not in answers.column_names:
            return {}
        shown = {frame.task for frame in self.each if frame.shows_passage}
        rows = answers.select(["task", "sources"]).to_pylist()
        return fetch_texts(store, [source for row in rows if row["task"] in shown for source in row["sources"]])


def frames(tasks: Sequence[TaskType], pack: Pack) -> Frames | None:
    """None for a run without task types. Raises ConfigError where the pack lacks a form that is needed."""
    if not tasks:
        return None
    return Frames(
        tuple(
            Frame(task.name, pack.prompt(f"message_{task.name}"), task.shows_passage, tuple(task.framed.items()))
            for task in tasks
            if task.framed is not None
        )
    )


def chats(found: Frames, rows: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> list[Messages]:
    """Messages of rows with `text`, `answer`, `task`, `task_data` and `sources`."""
    return [_chat(found, row, texts) for row in rows]


def _chat(found: Frames, row: Mapping[str, Any], texts: Mapping[str, str]) -> Messages:
    turns = turns_of(row["task"], row["text"], row["task_data"])
    if (frame := found.of(row["task"])) is not None:
        chunk_ids = dict.fromkeys(source["chunk_id"] for source in row["sources"]) if frame.shows_passage else {}
        passage = "\n\n".join(texts[chunk_id] for chunk_id in chunk_ids)
        shown = frame.prompt.render(document=passage, question=turns[0]["content"], **dict(frame.values))
        turns[0] = {"role": "user", "content": shown}
    return [*turns, {"role": "assistant", "content": row["answer"]}]


def turns_of(task: str, question: str, task_data: str | None) -> Messages:
    """The chat before its last answer, without a passage."""
    if task == "dialogue" and task_data:
        return [dict(turn) for turn in orjson.loads(task_data)["turns"]]
    return [{"role": "user", "content": question}]


def is_chat_of(messages: Sequence[Mapping[str, Any]], task: str | None, row: Mapping[str, Any]) -> bool:
    """Whether `messages` are the chat of a published row with `question`, `answer` and `task_data`. What a row of a
    task type may have more is the passage before its first question."""
    try:
        turns = turns_of(task or OPEN, row["question"], row["task_data"])
        expected = [*turns, {"role": "assistant", "content": row["answer"]}]
        first, rest = messages[0], [dict(message) for message in messages[1:]]
        asked = first["content"] == turns[0]["content"]
        shown = task not in (None, OPEN) and turns[0]["content"] in first["content"]
    except (ValueError, LookupError, TypeError):  # a published file may hold anything
        return False
    return first["role"] == "user" and (asked or shown) and rest == expected[1:]
