"""CycloneDX 1.7: the dataset and its sources as `data`, the models with model cards, and the run as a workflow.

Design: one component a distinct model, its roles in the card; the steps are tasks that name what they read and which
model worked. A model card says what this run knows of a model (task, sampling, how much of its output was kept) and
nothing of its training, which nobody told us. `problems` holds the bytes against CycloneDX's own schema, which
allows no property that it does not know, and follows every reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from factory.govern.bom.cyclonedx_check import cyclonedx_problems
from factory.govern.bom.cyclonedx_claims import PREFIX, cyclonedx_claims
from factory.govern.claims import Claims
from factory.govern.facts import Facts, Model, Step
from factory.govern.json_document import NOT_STATED, document_bytes, document_uuid, in_our_form, in_words, zulu
from factory.licences.expression import combine

PATH = "cyclonedx.json"
SPEC_VERSION = "1.7"
TASKS = {"extract": "concept extraction", "question": "question generation", "answer": "question answering",
         "judge": "judging answers"}  # fmt: skip
TASK_TYPES = {"merge": "merge", "gate": "test", "check": "test", "recheck": "test", "shards": "release"}
TLP = {"clear": "CLEAR", "green": "GREEN", "amber": "AMBER", "red": "RED"}

Component = dict[str, Any]


def render(facts: Facts) -> bytes:
    sources, models = _sources(facts), _models(facts)
    data = [f"file/{file.path}" for file in facts.files if file.rows is not None]
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{document_uuid(facts.digest, 'cyclonedx')}",
        "version": 1,
        "metadata": _metadata(facts, sources),
        "components": [*models, *sources, *_files(facts)],
        "dependencies": [
            {"ref": "dataset", "dependsOn": [*(source["bom-ref"] for source in sources), *data]},
        ],
        "formulation": [{"bom-ref": "formula", "components": _software(facts), "workflows": [_workflow(facts)]}],
        "citations": [
            {
                "timestamp": zulu(facts.created),
                "pointers": ["/metadata/component", "/components", "/formulation"],
                "process": "run",
                "note": "written from the manifest of the run, whose hash the dataset's component carries",
            }
        ],
    }
    return document_bytes(body)


def _without_empty(component: Mapping[str, Any]) -> Component:
    return {key: value for key, value in component.items() if value not in (None, [], {}, "")}


def _properties(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"name": f"{PREFIX}{key}", "value": in_words(value)} for key, value in sorted(values.items())]


def _licence(stated: str, acknowledgement: str) -> list[dict[str, str]]:
    return [{"expression": combine([stated]), "acknowledgement": acknowledgement}]


def _sha256(value: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": value}]


def _metadata(facts: Facts, sources: Sequence[Component]) -> Component:
    governance = facts.governance
    tlp = TLP.get(governance.confidentiality or "")
    version = facts.software.get("factory")
    tool = _without_empty({"type": "application", "bom-ref": "factory", "name": "factory", "version": version})
    return _without_empty(
        {
            "timestamp": zulu(facts.created),
            "lifecycles": [{"phase": "post-build"}],
            "tools": {"components": [tool]},
            "supplier": {"name": governance.owner} if governance.owner else None,
            "distributionConstraints": {"tlp": tlp} if tlp else None,
            "component": _dataset(facts, sources),
        }
    )


def _dataset(facts: Facts, sources: Sequence[Component]) -> Component:
    governance = facts.governance
    owner = {"organization": {"name": governance.owner}} if governance.owner else None
    told = {
        "intended": governance.intended_uses,
        "prohibited": governance.prohibited_uses,
        "limitation": governance.limitations,
        "bias": governance.known_bias,
    }
    said = [f"{kind}: {text}" for kind, texts in told.items() for text in texts]
    kind = "dry run of the scripted engine" if facts.dry_run else "synthetic"
    described = "; ".join([f"{facts.rows} question-answer pairs, {kind}, {facts.digital_source_type}", *said])
    personal = {"yes": ["sensitive personal information in sources"], "no": [], "unknown": []}
    data = {
        "type": "dataset",
        "name": facts.name,
        "description": described,
        "contents": {"url": governance.homepage or f"{facts.prefix}/"},
        "classification": governance.confidentiality or NOT_STATED,
        "sensitiveData": personal[governance.personal_data],
        "governance": {"owners": [owner]} if owner else None,
    }
    return _without_empty(
        {
            "type": "data",
            "bom-ref": "dataset",
            "name": facts.name,
            "version": facts.version,
            "description": described,
            "hashes": _sha256(facts.manifest.sha256),
            "licenses": _licence(facts.license, "declared"),
            "data": [_without_empty(data)],
            "pedigree": {
                "ancestors": [{**source, "bom-ref": f"ancestor/{source['bom-ref']}"} for source in sources],
                "notes": f"hashes: manifest.json. Sources combined: {facts.source_license}",
            },
            "properties": _properties(_figures(facts)),
        }
    )


def _figures(facts: Facts) -> dict[str, Any]:
    return {
        "synthetic": True,
        "digital_source_type": facts.digital_source_type,
        "digest": facts.digest,
        "run": facts.run,
        "rows": facts.rows,
        "bytes": facts.published_bytes,
        "splits": {split.name: split.rows for split in facts.splits},
        "languages": list(facts.languages),
        "prompts": [prompt.prompt_id for prompt in facts.prompts],
        "gates": {gate.name: gate.passed for gate in facts.gates},
        "erased": {each.erasure: each.rows for each in facts.erased},
        "updated": facts.updated,
        "personal_data": facts.governance.personal_data,
    }


def _sources(facts: Facts) -> list[Component]:
    found = []
    for number, (licence, places) in enumerate(sorted(facts.sources["licenses"].items())):
        name = f"source documents under {licence}"
        data = {"type": "dataset", "name": name, "description": f"{places} places, listed in ATTRIBUTION.md"}
        found.append(
            {
                "type": "data",
                "bom-ref": f"source/{number}",
                "name": name,
                "isExternal": True,
                "licenses": _licence(licence, "declared"),
                "data": [data],
                "properties": _properties({"places": places}),
            }
        )
    return found


def _files(facts: Facts) -> Iterator[Component]:
    for file in (*facts.files, facts.manifest):
        component = {"type": "file", "bom-ref": f"file/{file.path}", "name": file.path, "hashes": _sha256(file.sha256)}
        figures = {"bytes": file.bytes, **({"rows": file.rows} if file.rows is not None else {})}
        yield {**component, "properties": _properties(figures)}


def _models(facts: Facts) -> list[Component]:
    return [_model(facts, number, roles) for number, roles in enumerate(facts.roles.values())]


def _model(facts: Facts, number: int, roles: Sequence[Model]) -> Component:
    first, stated = roles[0], roles[0].stated
    links = [("distribution", stated.location), ("model-card", stated.summary)] if stated else []
    identity = {**first.hashes, **{key: value for key, value in first.settings.items() if isinstance(value, str)}}
    return _without_empty(
        {
            "type": "machine-learning-model",
            "bom-ref": f"model/{number}",
            "name": first.name,
            "version": first.revision,
            "supplier": {"name": stated.supplier} if stated and stated.supplier else None,
            "description": f"on outputs its licence says: {first.output_terms}",
            "licenses": _licence(first.license, "declared"),
            "externalReferences": [{"type": kind, "url": url} for kind, url in links if url],
            "modelCard": _card(facts, number, roles),
            "properties": _properties(
                {
                    **{f"identity:{key}": value for key, value in identity.items()},
                    "roles": [model.role for model in roles],
                    **({"released": stated.released} if stated and stated.released else {}),
                }
            ),
        }
    )


def _card(facts: Facts, number: int, roles: Sequence[Model]) -> Component:
    steps = [step for role in roles for name in role.steps if (step := facts.step(name)) is not None]
    dry = "the scripted engine is no language model: its output is good for trying out pipelines alone"
    return _without_empty(
        {
            "bom-ref": f"model/{number}/card",
            "modelParameters": {
                "task": "; ".join(dict.fromkeys(TASKS.get(role.role, role.role) for role in roles)),
                "inputs": [{"format": "text"}],
                "outputs": [{"format": "text"}],
            },
            "quantitativeAnalysis": {"performanceMetrics": [metric for step in steps for metric in _metrics(step)]},
            "considerations": _without_empty(
                {
                    "useCases": [
                        f"{TASKS.get(role.role, role.role)} in steps {', '.join(role.steps) or NOT_STATED}"
                        for role in roles
                    ],
                    "technicalLimitations": [dry] if facts.dry_run else [],
                }
            ),
            "properties": _properties(
                {f"sampling:{step}": sampling for role in roles for step, sampling in role.sampling.items()}
            ),
        }
    )


def _metrics(step: Step) -> Iterator[dict[str, str]]:
    """How much of what the model produced in a step was kept."""
    produced = step.counts.get("produced", 0)
    if produced:
        share = step.counts["accepted"] / produced
        yield {"type": "accepted share of outputs", "value": f"{share:.6g}", "slice": step.name}


def _software(facts: Facts) -> list[Component]:
    return [
        {"type": "library", "bom-ref": f"software/{name}/{version}", "name": name, "version": str(version)}
        for name, version in facts.packages
    ]


def _workflow(facts: Facts) -> Component:
    numbers = {model: f"model/{number}" for number, model in enumerate(facts.roles)}
    worked = {step: numbers[model.name, model.revision] for model in facts.models for step in model.steps}
    folders = {step.name: step.folder for step in facts.steps}
    sources = [f"source/{number}" for number in range(len(facts.sources["licenses"]))]
    return _without_empty(
        {
            "bom-ref": "run",
            "uid": facts.run,
            "name": f"run {facts.run}",
            "taskTypes": ["build"],
            "timeStart": zulu(facts.worked_since) if facts.worked_since else None,
            "timeEnd": zulu(facts.created),
            "resourceReferences": [{"ref": reference} for reference in numbers.values()],
            "tasks": [_task(step, worked.get(step.name)) for step in facts.steps],
            "taskDependencies": [
                {"ref": f"step/{step.folder}", "dependsOn": [f"step/{folders[name]}" for name in reads]}
                for step in facts.steps
                if (reads := [name for name in step.reads if name in folders])
            ],
            "inputs": [
                *({"resource": {"ref": source}} for source in sources),
                {"parameters": [{"name": "recipe", "value": in_words(facts.recipe)}]},
            ],
            "outputs": [{"type": "artifact", "resource": {"ref": "dataset"}}],
        }
    )


def _task(step: Step, model: str | None) -> Component:
    figures = {"version": step.version, "units": step.units, "counts": step.counts, "reasons": step.reasons}
    prompt = {"prompt": step.prompt} if step.prompt else {}
    if step.reused:
        figures |= {"reused": step.reuse_in_words}
    return _without_empty(
        {
            "bom-ref": f"step/{step.folder}",
            "uid": step.folder,
            "name": step.name,
            "taskTypes": [TASK_TYPES.get(step.name, "other")],
            "timeStart": zulu(step.began) if step.began and not step.reused else None,
            "timeEnd": zulu(step.ended) if step.ended and not step.reused else None,
            "resourceReferences": [{"ref": model}] if model else None,
            "properties": _properties({**figures, **prompt}),
        }
    )


def claims(data: bytes) -> Claims:
    """Raises ValueError naming what is missing."""
    with in_our_form():
        return cyclonedx_claims(data)


def problems(data: bytes) -> list[str]:
    return cyclonedx_problems(data)
