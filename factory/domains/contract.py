"""The pack contract: every key of pack.yaml and every prompt a pack may hold, with what each must contain.

Design: one typed schema, so that a slip in a key is an error with the nearest name, and one table of placeholders, so
that a prompt that asks for what nobody fills in never reaches a model. All keys beyond those of `general` are optional:
a pack says what differs in its field and nothing else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from factory.concepts.subjects import named
from factory.concepts.wording import comparable
from factory.domains.task_prompts import TASK_PLACEHOLDERS
from factory.section import Section

# What each prompt must hold, and what it may hold besides.
PLACEHOLDERS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "extract": (
        frozenset({"document"}),
        frozenset({"levels", "max_topics", "min_concepts", "max_concepts", "vocabulary"}),
    ),
    # {{hints}} and {{subjects}} of extract are filled in when the pack is loaded (template.py).
    "question_level_1": (frozenset({"document"}), frozenset({"levels", "questions", "tags", "vocabulary"})),
    "question_level_2": (
        frozenset({"document", "concepts"}),
        frozenset({"questions", "concepts_per_question", "edu_level", "subject", "tags", "vocabulary"}),
    ),
    "answer": (frozenset({"question"}), frozenset({"answer_style", "document", "edu_level", "subject", "vocabulary"})),
}
# The same for prompts that a pack need not have: level 3, `python -m jobs.train_selector`, `factory decon --judge`,
# `judge.rubric`, task types.
OPTIONAL_PLACEHOLDERS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "question_level_3": (
        frozenset({"document_1", "document_2", "concepts"}),
        frozenset({"topics", "questions", "concepts_per_question", "edu_level", "subject", "tags", "vocabulary"}),
    ),
    "reference_document": (
        frozenset({"topic", "genre"}),
        frozenset({"instructions", "level", "scope", "terms", "subject", "discipline", "domain"}),
    ),
    "rate_document": (frozenset({"document", "domain"}), frozenset()),
    "same_problem": (frozenset({"first", "second"}), frozenset()),
    "judge_answer": (frozenset({"rubric", "question", "answer"}), frozenset({"document"})),
    "judge_pair": (frozenset({"rubric", "question", "first", "second"}), frozenset({"document"})),
    **TASK_PLACEHOLDERS,
}
SYSTEM = "system"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Words = Annotated[str, Field(min_length=1, max_length=64)]
TagName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Values = Annotated[tuple[Words, ...], Field(min_length=2, max_length=32)]

STRATA = ("level", "origin", "edu_level", "subject", "verified_by", "license", "task")
"""Columns of published rows by which a report may break its figures down, beside a pack's tags."""

LONGEST_HINTS = 1500
"""Characters: about 350 tokens, of which factory/config.py keeps 700 free for a prompt's instructions."""

_MARK = re.compile(r"\{\{|\}\}|^<!--\s*(?:user|assistant)\s*-->", re.MULTILINE)


class PackFile(Section):
    """pack.yaml, with what it takes from the pack it extends.

    `levels_of_examples` says, for levels in worked examples of prompts that are inherited, which of the pack's own
    stands for each; `settings` are keys of the run's configuration that the field wants by default
    (factory/run/pack_settings.py holds them against the schema); `hints` go into the extraction prompt; `subjects` is
    the field's taxonomy, each with other names for it; `tags` are asked for with every question, each one of the values
    listed; `strata` are columns or tags by which the report breaks its figures down; `benchmarks` names what the field
    should be held against."""

    extends: str | None = None
    name: Name
    description: str = Field(min_length=1)
    levels: tuple[Words, ...] = Field(min_length=1, max_length=32)
    levels_of_examples: dict[Words, Words] = Field(default_factory=dict, max_length=32)
    answer_style: str = Field(min_length=1)
    task_words: tuple[Words, ...]
    refers_to_document: tuple[str, ...]
    refusals: tuple[str, ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict)
    hints: str = Field(default="", max_length=LONGEST_HINTS)
    subjects: dict[Words, tuple[Words, ...]] = Field(default_factory=dict, max_length=256)
    tags: dict[TagName, Values] = Field(default_factory=dict, max_length=8)
    strata: tuple[Name, ...] = Field(default=(), max_length=8)
    benchmarks: tuple[Words, ...] = Field(default=(), max_length=64)

    @field_validator("levels", "benchmarks")
    @classmethod
    def _names_differ(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len({name.casefold() for name in names}) != len(names):
            raise ValueError("one is named twice")
        return names

    @field_validator("subjects")
    @classmethod
    def _subjects_differ(cls, subjects: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        named(subjects)
        return subjects

    @field_validator("tags")
    @classmethod
    def _tags_are_no_columns(cls, tags: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if taken := sorted(set(tags) & {"question", "origin", "level", "concepts", "suitable"}):
            raise ValueError(f"{taken[0]!r} is a key of the reply already")
        for name, values in tags.items():
            if len({comparable(value) for value in values}) < len(values):
                raise ValueError(f"{name} has two values that read the same")
        return tags

    @model_validator(mode="after")
    def _levels_of_examples_are_levels(self) -> PackFile:
        for name, own in self.levels_of_examples.items():
            if own not in self.levels:
                raise ValueError(f"levels_of_examples: {name}: {own} is none of the levels, {', '.join(self.levels)}")
        return self

    @model_validator(mode="after")
    def _strata_are_there(self) -> PackFile:
        for name in self.strata:
            if name not in (known := [*STRATA, *self.tags]):
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
                raise ValueError(f"strata: {name} is no column to break figures down by and no tag; {hint}")
        return self

    @field_validator("hints")
    @classmethod
    def _hints_are_text(cls, hints: str) -> str:
        if found := _MARK.search(hints):
            raise ValueError(f"it holds {found.group()!r}, which means something in a prompt")
        return hints.strip()

    @field_validator("refers_to_document", "refusals")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(f"(?:{pattern})")  # as part of one alternation, where flags such as (?i) may not stand
            except (re.error, OverflowError, RecursionError) as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return patterns


OF_ITS_OWN = ("name", "description", "levels_of_examples")
"""Keys that a pack never takes from the one it extends."""


def inherited(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a pack that extends `base`: its own, and every other of the base but its name. `settings` are taken
    over key by key, so that a pack that changes one keeps the others."""
    values = {key: value for key, value in base.items() if key not in OF_ITS_OWN} | dict(own)
    below, above = base.get("settings"), own.get("settings")
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        values["settings"] = overlaid(below, above)
    return values


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested keys of both; where both give a value, that of `above`."""
    found = dict(below)
    for key, value in above.items():
        before = found.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        found[key] = overlaid(before, value) if both and isinstance(before, Mapping) else value
    return found
