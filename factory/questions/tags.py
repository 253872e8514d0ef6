"""Tags that a pack wants of every question, such as a level of Bloom's taxonomy: asked for by schema, kept as a column.

Design: a tag is a name and one of the values that pack.yaml lists for it. The model is asked beside the question, since
it knows what it meant to ask; a value that is none of them turns the question away as every other slip of the schema.
Rows of packs without tags have no such column, so they and their files stay what they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.concepts.wording import comparable

Tags = Mapping[str, tuple[str, ...]]
"""Name -> the values that there are."""


def tag_properties(tags: Tags) -> dict[str, Any]:
    """Properties of one question in the schema of a reply."""
    return {name: {"type": "string", "enum": list(values)} for name, values in tags.items()}


def tags_in_words(tags: Tags) -> str:
    """What `{{tags}}` of a question prompt stands for."""
    return "; ".join(f'"{name}" is one of {", ".join(values)}' for name, values in tags.items())


def read_tags(tags: Tags, question: Mapping[str, Any]) -> list[dict[str, str]] | str:
    """The tags of one question of a reply; the name of the first that is missing or has no such value."""
    found = []
    for name, values in tags.items():
        said = question.get(name)
        known = {comparable(value): value for value in values}
        value = known.get(comparable(said)) if isinstance(said, str) else None
        if value is None:
            return name
        found.append({"name": name, "value": value})
    return found
