"""`--as prompt_completion`: what is asked and what is to be answered, apart, so that only the answer is learned.

Format: TRL 1.16's prompt-completion type, conversational (two lists of role and content) or, with `plain`, two texts.
The completion is the last thing the assistant says; all before it is the prompt. As plain text only a chat of one
question and one answer can be told, an empty line apart (trainers put nothing between them): others are left out, by
name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from factory.export.carried import with_carried
from factory.export.recipe import Recipe
from factory.export.shaped import Shaped
from factory.export.source import Source
from factory.publish.samples import MESSAGES

COLUMNS = ("messages",)

BETWEEN = "\n\n"
"""Behind a plain prompt."""

Turns = Sequence[Mapping[str, str]]


def shape(source: Source, recipe: Recipe, rows: pa.Table) -> Shaped:
    chats: list[Turns] = rows.column("messages").to_pylist()
    reasons = [reason(chat, recipe.plain) for chat in chats]
    places = [place for place, said in enumerate(reasons) if not said]
    kept = [chats[place] for place in places]
    columns: dict[str, tuple[list[Any], pa.DataType]]
    if recipe.plain:
        columns = {
            "prompt": ([chat[0]["content"] + BETWEEN for chat in kept], pa.string()),
            "completion": ([chat[-1]["content"] for chat in kept], pa.string()),
        }
    else:
        columns = {
            "prompt": ([chat[:-1] for chat in kept], MESSAGES),
            "completion": ([chat[-1:] for chat in kept], MESSAGES),
        }
    left_out = {said: reasons.count(said) for said in sorted(set(reasons)) if said}
    return Shaped(with_carried(source, columns, rows.take(pa.array(np.array(places, np.int64)))), left_out)


def reason(chat: Turns, plain: bool) -> str:
    """Why a chat has no prompt and completion, "" where it has."""
    if not chat or chat[-1]["role"] != "assistant":
        return "no_answer_at_the_end"
    if plain and [turn["role"] for turn in chat] != ["user", "assistant"]:
        return "not_one_question_and_answer"
    return "" if len(chat) > 1 else "no_prompt"
