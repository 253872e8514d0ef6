"""Worked examples of a pack's prompts: whether each is a reply that its step would take.

Design: where a reply is JSON, the assistant's turns are held against the very schema that the engine is given, which
has the pack's levels and tags in it. A model does what it is shown: an example with a level that the pack has not, or
without its tags, costs replies wherever a server does not hold the model to the schema, and misleads it elsewhere. How
many of something there are is no slip: that is the run's to say, and examples show fewer for short.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from jsonschema import Draft202012Validator, ValidationError

from factory.concepts.extract import ExtractStep
from factory.domains.pack import Pack
from factory.engine.api import Message
from factory.questions.level1 import Level1Step
from factory.questions.level2 import Level2Step
from factory.questions.level3 import Level3Step
from factory.run.pack_settings import Settable
from factory.tasks.kinds import KINDS
from factory.tasks.question import TaskQuestionStep

USERS_OWN = ("records",)
"""Task types whose replies have a schema that each run brings: there is nothing to hold an example against."""


COUNTED = ("minItems", "maxItems")


def reply_schemas(pack: Pack, settings: Settable) -> dict[str, Mapping[str, Any]]:
    """Prompt -> schema of its replies, for the prompts of the pack that are answered with JSON."""
    found: dict[str, Mapping[str, Any]] = {"extract": ExtractStep(settings.extract, pack, 0).response_schema}
    for level in (Level1Step, Level2Step, Level3Step):
        found[level.prompt_name] = level(settings.question, pack, 0).response_schema
    for name, kind in KINDS.items():
        if name not in USERS_OWN:
            step = TaskQuestionStep(kind(getattr(settings.tasks, name)), settings.question, pack, 0)
            found[step.name] = step.response_schema
    return {name: schema for name, schema in found.items() if name in pack.prompts}


def slips(messages: Sequence[Message], schema: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with each worked example of a rendered prompt, the first thing of each."""
    validator = Draft202012Validator(schema)
    for number, text in enumerate((each.content for each in messages if each.role == "assistant"), 1):
        try:
            reply = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            yield f"worked example {number} is no JSON: {error}"
            continue
        found = (error for error in validator.iter_errors(reply) if error.validator not in COUNTED)
        if (first := next(found, None)) is not None:
            yield f"worked example {number}: {_in_words(first)}"


def _in_words(error: ValidationError) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path).lstrip(".")
    if error.validator == "enum":
        said = f"{error.instance!r} is none of {', '.join(map(str, error.validator_value))}"
    else:
        said = error.message
    return f"{place}: {said}" if place else said
