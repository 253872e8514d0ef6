"""The forms of an export, by name: the one place that knows all of them.

Design: a form is three things: which columns it reads of the dataset's rows, what makes rows of its own of them, and
what has to lie together for that. Most look at one row at a time and need nothing more; `gathers` names the place by
which rows are brought together first (gather.py), for forms that read what the run kept beside its rows.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from factory.errors import ConfigError
from factory.export import chat, interleaved, preference, prompt_completion
from factory.export.recipe import Recipe
from factory.export.shaped import Shaped
from factory.export.source import Source

Shape = Callable[[Source, Recipe, pa.Table], Shaped]


def nothing_more(source: Source, recipe: Recipe) -> None:
    """The check of a form that every dataset can be exported as."""


@dataclass(frozen=True)
class Form:
    """`columns` are read besides those that go along (carried.py). `check` raises ConfigError where the dataset or the
    recipe is none for this form; `files` names for each row the file of the run by which rows are brought together."""

    about: str
    columns: tuple[str, ...]
    shape: Shape
    check: Callable[[Source, Recipe], None] = nothing_more
    files: Callable[[pa.Table], list[str]] | None = None

    def schema(self, source: Source, recipe: Recipe) -> pa.Schema:
        """Columns of the exported rows."""
        return self.shape(source, recipe, source.schema.empty_table()).table.schema


FORMS: Mapping[str, Form] = {
    "chat": Form("messages: one chat a row", chat.COLUMNS, chat.shape),
    "prompt_completion": Form(
        "prompt and completion: two chats, or texts with --plain", prompt_completion.COLUMNS, prompt_completion.shape
    ),
    "preference": Form(
        "prompt, chosen, rejected: of the samples that a question got (answer.samples above 1)",
        preference.COLUMNS,
        preference.shape,
        preference.check,
        preference.files_of,
    ),
    "interleaved": Form(
        "text: a document with its questions and answers",
        interleaved.COLUMNS,
        interleaved.shape,
        interleaved.check,
        interleaved.files_of,
    ),
}


def form_named(name: str) -> Form:
    """Raises ConfigError naming the forms there are."""
    if name not in FORMS:
        near = difflib.get_close_matches(name, FORMS, n=1)
        raise ConfigError(
            f"--as {name}: there is no such form" + (f"; did you mean {near[0]}?" if near else ""),
            remedy=f"forms are {', '.join(FORMS)}",
        )
    return FORMS[name]
