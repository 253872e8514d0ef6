"""The forms of an export, by name: the one place that knows all of them.

Design: a form is three things: which columns it reads of the dataset's rows, what makes rows of its own of them, and
what has to lie together for that. Most look at one row at a time and need nothing more; `gathers` names the place by
which rows are brought together first (gather.py), for forms that read what the run kept beside its rows.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from factory.errors import ConfigError
from factory.export import chat, generator, interleaved, packed, preference, prompt_completion
from factory.export.recipe import Recipe
from factory.export.shaped import Shaped
from factory.export.source import Source

Shape = Callable[[Source, Recipe, pa.Table], Shaped]


def nothing_more(source: Source, recipe: Recipe) -> None:
    """The check of a form that every dataset can be exported as."""


def as_they_are(source: Source, recipe: Recipe, rows: pa.Table) -> Shaped:
    return Shaped(rows)


@dataclass(frozen=True)
class Form:
    """`columns` are read besides those that go along (carried.py). `check` raises ConfigError where the dataset or the
    recipe is none for this form; `files` names for each row the file of the run by which rows are brought together.
    `of_requests` are the columns of a form that is made of the run's requests, and not of the dataset's rows."""

    about: str
    columns: tuple[str, ...]
    shape: Shape
    check: Callable[[Source, Recipe], None] = nothing_more
    files: Callable[[pa.Table], list[str]] | None = None
    of_requests: pa.Schema | None = None

    def schema(self, source: Source, recipe: Recipe) -> pa.Schema:
        """Columns of the exported rows."""
        reads = self.of_requests or source.schema
        return self.shape(source, recipe, reads.empty_table()).table.schema


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
    "generator": Form(
        "prompt, completion: the run's own requests and the replies it accepted, to train a small generator",
        generator.COLUMNS,
        as_they_are,
        generator.check,
        of_requests=generator.SCHEMA,
    ),
}


PACKED = "packed"


def form_of(recipe: Recipe) -> Form:
    """Raises ConfigError naming the forms there are."""
    names = [*FORMS, PACKED]
    if recipe.form not in names:
        near = difflib.get_close_matches(recipe.form, names, n=1)
        raise ConfigError(
            f"--as {recipe.form}: there is no such form" + (f"; did you mean {near[0]}?" if near else ""),
            remedy=f"forms are {', '.join(names)}",
        )
    if recipe.form != PACKED:
        return FORMS[recipe.form]
    packed.require_settings(recipe)
    inner = FORMS[recipe.of]

    def shape(source: Source, asked: Recipe, rows: pa.Table) -> Shaped:
        return packed.packed(source, asked, inner.shape(source, asked, rows))

    return replace(inner, shape=shape)
