"""`prompts.json` of a dataset: every text that told a model what to do, by the hash that steps and rows name.

Design: a prompt shaped the dataset when a step's identity names its id, so what is written follows from the manifest's
steps and the pack alone. The file is canonical JSON; `faults` proves each text by its own id. With it a row can be
replayed when the pack has become another: `recorded_pack` is the pack as far as LLM steps were told of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from factory.answers.judge.rubric import Rubric
from factory.domains.config import DomainConfig
from factory.domains.pack import Pack, load_pack
from factory.domains.prompt import Prompt
from factory.errors import ConfigError
from factory.identity import fingerprint, sha256_hex
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import damaged

PROMPTS = "prompts.json"
SCHEMA_VERSION = 1


def wording(pack: Pack, rubric: Rubric | None, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The body of prompts.json: prompts and rubric that the `steps` of a manifest used, and the pack's own words."""
    used: dict[str, list[str]] = {}
    for step in steps:
        for named in text_ids(step["identity"].get("own", {})):
            used.setdefault(named, []).append(step["name"])
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
            {"rubric_id": shown.rubric_id, "steps": used[shown.rubric_id], "content": shown.model_dump(mode="json")}
            for shown in ([rubric] if rubric is not None else [])
            if shown.rubric_id in used
        ],
    }


def text_ids(own: Mapping[str, Any]) -> list[str]:
    """Ids of the texts that a step's own part of its identity names: its prompt, the sentences that its task type puts
    together, the forms of chats, its rubric."""
    named = [own.get("prompt"), own.get("wording"), *(frame[1] for frame in own.get("frames", ())), own.get("rubric")]
    return [each for each in dict.fromkeys(named) if isinstance(each, str)]


def read_wording(dataset: Store, sha256: str) -> dict[str, Any]:
    """The body of a dataset's prompts.json. Raises AbsentObjectError where it is gone, StoreError where its bytes are
    not those of the hash, which is the manifest's."""
    data = dataset.get(PROMPTS)
    if sha256_hex(data) != sha256:
        raise damaged(dataset.uri, PROMPTS, "it has other bytes than the manifest names")
    body: dict[str, Any] = orjson.loads(data)
    return body


def wording_of(dataset: Store, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same by the dataset's manifest; None where it is gone."""
    listed = {file["path"]: file["sha256"] for file in manifest["files"]}
    with suppress(AbsentObjectError, KeyError):
        return read_wording(dataset, listed[PROMPTS])
    return None


def recorded_pack(body: Mapping[str, Any], domain: DomainConfig) -> Pack:
    """The pack as prompts.json has it. Prompts that it lacks (of datasets from before forms of chats stood in it) are
    those of the pack that `domain` names, where that is still there."""
    of_pack = body["pack"]
    told = {prompt["name"]: Prompt(prompt["name"], prompt["template"], prompt["system"]) for prompt in body["prompts"]}
    try:
        others: Mapping[str, Prompt] = load_pack(domain).prompts
    except ConfigError:
        others = {}
    return Pack(
        name=of_pack["name"],
        description=of_pack["description"],
        levels=tuple(of_pack["levels"]),
        answer_style=of_pack["answer_style"],
        task_words=tuple(of_pack["task_words"]),
        refers_to_document=tuple(of_pack["refers_to_document"]),
        refusals=tuple(of_pack["refusals"]),
        prompts={**others, **told},
        files=of_pack["files"],
        subjects={name: tuple(also) for name, also in of_pack.get("subjects", {}).items()},
        tags={name: tuple(values) for name, values in of_pack.get("tags", {}).items()},
    )


def recorded_rubric(body: Mapping[str, Any]) -> Rubric | None:
    """The rubric of the run's judge; None where it had none."""
    return next((Rubric.model_validate_json(orjson.dumps(each["content"])) for each in body["rubrics"]), None)


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
        for named in text_ids(step["identity"].get("own", {})):
            if named not in held:
                yield f"step {step['name']} used the text {named[:16]}, which is not there"
