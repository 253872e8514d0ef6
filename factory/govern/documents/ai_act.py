"""EU AI Act, Article 53(1)(d): what the dataset contributes to a model's summary of training content, as JSON.

Design: the answers of factory/govern/ai_act/answers.py by section; ai_act_markdown.py words the same ones for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.govern.ai_act.answers import SECTIONS, TEMPLATE, answers
from factory.govern.ai_act.read import Values, claims_of, missing
from factory.govern.claims import Claims
from factory.govern.facts import Facts
from factory.govern.json_document import document_bytes, in_our_form, need, parsed, problems_in

PATH = "eu-ai-act.json"
KIND = "eu-ai-act-training-content"


def render(facts: Facts) -> bytes:
    told = answers(facts)
    sections = [
        {
            "number": number,
            "title": title,
            "answers": [answer.to_json() for answer in told if answer.section == number],
        }
        for number, title in SECTIONS.items()
    ]
    return document_bytes({"kind": KIND, "template": TEMPLATE, "sections": sections})


def claims(data: bytes) -> Claims:
    """Raises ValueError naming what is missing."""
    with in_our_form():
        return claims_of(_values(parsed(data)))


def problems(data: bytes) -> list[str]:
    return problems_in(data, lambda body: missing(_values(body)))


def _values(body: Mapping[str, Any]) -> Values:
    if body.get("kind") != KIND:
        raise ValueError(f"kind is {body.get('kind')!r}, not {KIND!r}")
    found: dict[tuple[str, str], list[str]] = {}
    for section in need(body, "sections"):
        for answer in need(section, "answers"):
            value = need(answer, "value")
            key = (str(need(section, "number")), str(need(answer, "key")))
            found[key] = [str(item) for item in value] if isinstance(value, list) else [str(value)]
    return found
