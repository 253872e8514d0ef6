"""items.jsonl of a pack: planted good and bad items, each with what the pack's checks should say of it.

One JSON object a line: `question`, and `final_answer` or `answer` or both; `verified` (yes, no, unchecked) is the
verdict expected on the final answer, `gates` maps names of the pack's gates to whether they should find
something. Optional: `passages`, `level`, `edu_level`, `subject`, `concepts`, and `vocabulary`, kinds with the terms
that the run's vocabulary has of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import orjson
from pydantic import Field, model_validator

from factory.errors import ConfigError
from factory.section import Section, checked

ITEMS = "items.jsonl"


class Item(Section):
    """`line` is its place in the file, from 1."""

    line: int = 0
    question: str = Field(min_length=1)
    answer: str = ""
    final_answer: str | None = None
    passages: tuple[str, ...] = ()
    level: int = Field(default=1, ge=1, le=3)
    edu_level: str = ""
    subject: str = ""
    concepts: tuple[str, ...] = ()
    vocabulary: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    verified: Literal["yes", "no", "unchecked"] | None = None
    gates: dict[str, bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _expects_something(self) -> Item:
        if self.verified is None and not self.gates:
            raise ValueError("an item needs `verified` or `gates`, or it shows nothing")
        if not self.answer and self.final_answer is None:
            raise ValueError("an item needs `answer` or `final_answer`")
        return self


def read_items(path: Path) -> list[Item]:
    """The items of a file. Raises ConfigError that names the line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}", remedy="make it a file of JSON lines") from None
    return [_item(data, f"{path}:{number}", number) for number, data in enumerate(lines, 1) if data.strip()]


def _item(data: bytes, place: str, number: int) -> Item:
    try:
        values = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{place} is no JSON: {error}", remedy="write one JSON object a line") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{place} is no JSON object", remedy="write one JSON object a line")
    try:
        return checked(Item, {**values, "line": number})
    except ConfigError as error:
        raise ConfigError(
            error.what.replace("the configuration is not usable", f"{place} is not usable", 1),
            remedy=f"its keys are {', '.join(name for name in Item.model_fields if name != 'line')}",
        ) from None
