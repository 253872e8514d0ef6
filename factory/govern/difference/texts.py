"""Which prompts, rubrics and words of the pack differ, line by line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import orjson

from factory.govern.difference.found import TextChange

CONTEXT_LINES = 2


def text_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[tuple[TextChange, ...], int]:
    """Of two bodies of prompts.json: what differs, by name, and how many texts are equal. A dataset that used no prompt
    has an empty body."""
    old, new = _texts(before), _texts(now)
    changes = []
    for name in sorted(old.keys() | new.keys()):
        (before_id, text), (now_id, later) = old.get(name, (None, "")), new.get(name, (None, ""))
        if (before_id, text) != (now_id, later):
            changes.append(TextChange(name, before_id, now_id, _unified(text, later)))
    return tuple(changes), len(old.keys() | new.keys()) - len(changes)


def _texts(body: Mapping[str, Any]) -> dict[str, tuple[str | None, str]]:
    """Name -> (id, text); prompts of one name in several wordings are told apart by the steps that used them."""
    found: dict[str, tuple[str | None, str]] = {}
    for prompt in body.get("prompts", ()):
        name = f"prompt {prompt['name']}"
        name = f"{name} ({', '.join(prompt['steps'])})" if name in found else name
        found[name] = (prompt["prompt_id"], f"system:\n{prompt['system']}\ntemplate:\n{prompt['template']}")
    for rubric in body.get("rubrics", ()):
        found["rubric"] = (rubric["rubric_id"], _indented(rubric["content"]))
    if "pack" in body:
        found["words of the pack"] = (None, _indented(body["pack"]))
    return found


def _indented(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()


def _unified(before: str, now: str) -> tuple[str, ...]:
    lines = difflib.unified_diff(before.splitlines(), now.splitlines(), "before", "now", lineterm="", n=CONTEXT_LINES)
    return tuple(lines)
