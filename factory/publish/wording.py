"""`prompts.json` of a dataset: every text that told a model what to do, by the hash that steps and rows name.

Design: a prompt shaped the dataset when a step's identity names its id, so what is written follows from the manifest's
steps and the pack alone. The file is canonical JSON; `faults` proves each text by its own id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from factory.answers.judge.rubric import Rubric
from factory.domains.pack import Pack
from factory.identity import fingerprint

PROMPTS = "prompts.json"
SCHEMA_VERSION = 1


def wording(pack: Pack, rubric: Rubric | None, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The body of prompts.json: prompts and rubric that the `steps` of a manifest used, and the pack's own words."""
    used: dict[str, list[str]] = {}
    rubrics: dict[str, list[str]] = {}
    for step in steps:
        own = step["identity"].get("own", {})
        for found, key in ((used, "prompt"), (rubrics, "rubric")):
            if isinstance(own.get(key), str):
                found.setdefault(own[key], []).append(step["name"])
    prompts = [
        {
            "name": prompt.name,
            "prompt_id": prompt.prompt_id,
            "steps": used[prompt.prompt_id],
            "system": prompt.system,
            "template": prompt.template,
        }
        for prompt in pack.prompts.values()
        if prompt.prompt_id in used
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "pack": {
            "name": pack.name,
            "description": pack.description,
            "files": dict(pack.files),
            "levels": list(pack.levels),
            "answer_style": pack.answer_style,
            "task_words": list(pack.task_words),
            "refers_to_document": list(pack.refers_to_document),
            "refusals": list(pack.refusals),
            **({"subjects": {name: list(others) for name, others in pack.subjects.items()}} if pack.subjects else {}),
            **({"tags": {name: list(values) for name, values in pack.tags.items()}} if pack.tags else {}),
        },
        "prompts": sorted(prompts, key=lambda prompt: (str(prompt["name"]), str(prompt["prompt_id"]))),
        "rubrics": [
            {"rubric_id": shown.rubric_id, "steps": rubrics[shown.rubric_id], "content": shown.model_dump(mode="json")}
            for shown in ([rubric] if rubric is not None else [])
            if shown.rubric_id in rubrics
        ],
    }


def has_tags(body: Mapping[str, Any]) -> bool:
    """Whether the pack wants questions tagged."""
    return bool(body.get("pack", {}).get("tags"))


def faults(body: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Prompts whose text is not what their id names, and ids that steps name and the file does not hold."""
    for prompt in body["prompts"]:
        if fingerprint([prompt["template"], prompt["system"]]) != prompt["prompt_id"]:
            yield f"the text of prompt {prompt['name']} is not the one that its id names"
    for rubric in body["rubrics"]:
        if fingerprint(rubric["content"]) != rubric["rubric_id"]:
            yield "the text of the rubric is not the one that its id names"
    held = {prompt["prompt_id"] for prompt in body["prompts"]} | {item["rubric_id"] for item in body["rubrics"]}
    for step in steps:
        own = step["identity"].get("own", {})
        for key in ("prompt", "rubric"):
            if isinstance(own.get(key), str) and own[key] not in held:
                yield f"step {step['name']} used {key} {own[key][:16]}, whose text is not there"
